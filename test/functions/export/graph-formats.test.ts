import { spawnSync } from 'node:child_process';
import fc from 'fast-check';
import { XMLParser } from 'fast-xml-parser';
import { beforeAll, describe, expect, it } from 'vitest';
import { dot } from '../../../functions/export/dot.ts';
import type { ExportGraph } from '../../../functions/export/graph.ts';
import { graphml } from '../../../functions/export/graphml.ts';
import { provJson, provJsonLd } from '../../../functions/export/prov.ts';
import { hasDot, hasNetworkx, hasProv, opened } from './consumer.ts';
import { attack, hostileGraph, known, MALLORY, ROLE } from './graphs.ts';

const text = (parts: Iterable<string>) => [...parts].join('');
const HOSTILE = fc.sample(hostileGraph, { numRuns: 40, seed: 7 });

let made: Awaited<ReturnType<typeof attack>>;
let graph: ExportGraph;
beforeAll(async () => {
  made = await attack();
  graph = made.graph;
});

describe.skipIf(!hasDot)('DOT', () => {
  /** Texts of an SVG that dot has drawn. */
  function drawn(document: string): { readonly svg: string; readonly texts: readonly string[] } {
    const ran = spawnSync('dot', ['-Tsvg'], { input: document, encoding: 'utf8', maxBuffer: 64 * 1024 * 1024 });
    expect(ran.stderr).toBe('');
    const parser = new XMLParser({ preserveOrder: true, trimValues: false, processEntities: false });
    const texts: string[] = [];
    const walk = (value: unknown, inside: string): void => {
      if (Array.isArray(value)) for (const one of value) walk(one, inside);
      else if (typeof value === 'object' && value !== null) {
        for (const [name, inner] of Object.entries(value)) {
          if (name === '#text' && inside === 'text')
            texts.push(String(inner).replace(/&#(\d+);/g, (_, c) => String.fromCodePoint(Number(c))));
          else walk(inner, name === '#text' ? inside : name);
        }
      }
    };
    walk(parser.parse(ran.stdout), '');
    return { svg: ran.stdout, texts };
  }

  it('is drawn with every node and edge of an attack, and says what is missing', () => {
    const { svg, texts } = drawn(text(dot(graph)));
    expect(svg.match(/class="node"/g)).toHaveLength(graph.nodes.length);
    expect(svg.match(/class="edge"/g)).toHaveLength(graph.edges.length);
    for (const wanted of ['drop.evil', '/tmp/.x.js', 'not in this graph: nodes: 7 later ones']) expect(texts).toContain(wanted);
  });

  it('shows agents, configured ways in, and what stands out', () => {
    const odd = `process:${made.cards.id}:req-plant:${made.curl}`;
    const { texts, svg } = drawn(text(dot(known(graph, odd))));
    expect(texts).toEqual(expect.arrayContaining([MALLORY, ROLE, 'route POST /cards arn:aws:execute-api:eu-west-1:1:abc']));
    expect(texts.filter((one) => one === 'deploy')).toHaveLength(2);
    expect(svg.match(/stroke="#c00000"/g)).toHaveLength(1);
    expect(drawn(text(dot(graph))).svg).not.toContain('#c00000');
  });

  it('draws hostile texts as texts: they change neither nodes nor edges', () => {
    for (const one of HOSTILE) {
      const { svg } = drawn(text(dot(one)));
      expect(svg.match(/class="node"/g)).toHaveLength(one.nodes.length);
      expect(svg.match(/class="edge"/g)?.length ?? 0).toBe(one.edges.length);
    }
  }, 120_000);

  it('shows backslashes, quotes and character references as they were', () => {
    const label = String.raw`a\N \"b" &lt;i&gt; <b> \l`;
    const node = { id: 'file:i:x', kind: 'file', instance: 'i', path: 'x', writable: true, first: 1, last: 2, label };
    const { svg } = drawn(text(dot({ nodes: [node], edges: [], cut: [] } as unknown as ExportGraph)));
    const shown = /<text[^>]*>(a\\N.*?)<\/text>/s.exec(svg)?.[1]?.replaceAll('&#160;', ' ');
    const read = shown
      ?.replaceAll('&lt;', '<')
      .replaceAll('&gt;', '>')
      .replaceAll('&quot;', '"')
      .replaceAll('&#45;', '-')
      .replaceAll('&amp;', '&');
    expect(read).toBe(label);
  });
});

describe.skipIf(!hasNetworkx)('GraphML', () => {
  interface Read {
    readonly nodes: Record<string, Record<string, unknown>>;
    readonly edges: readonly [string, string, Record<string, unknown>][];
    readonly cut: string;
  }

  it('is read by networkx with all nodes, edges and attributes', () => {
    const [read] = opened<Read>('graphml', [text(graphml(graph))]);
    expect(Object.keys(read!.nodes).sort()).toEqual(graph.nodes.map(({ id }) => id).sort());
    const flow = ({ from, to, op }: { from: string; to: string; op: string }) => `${from} ${op} ${to}`;
    expect(read!.edges.map(([from, to, { op }]) => flow({ from, to, op: String(op) })).sort()).toEqual(
      graph.edges.map(flow).sort(),
    );
    const node = read!.nodes[`file:${made.cards.id}:/tmp/.x.js`];
    expect(node).toMatchObject({ kind: 'file', name: '/tmp/.x.js', path: '/tmp/.x.js', writable: true });
    expect(text(graphml(graph))).toMatch(/<node id="n\d+" labels=":file">.*<data key="n_path">\/tmp\/\.x\.js</);
    expect(read!.cut).toBe('nodes: 7 later ones');
    expect(read!.edges.every(([, , { evidence }]) => typeof evidence === 'string')).toBe(true);
  });

  it('keeps hostile texts inside their attributes', () => {
    const read = opened<Read>(
      'graphml',
      HOSTILE.map((one) => text(graphml(one))),
    );
    for (const [i, one] of HOSTILE.entries()) {
      expect(Object.keys(read[i]!.nodes)).toHaveLength(one.nodes.length);
      expect(read[i]!.edges).toHaveLength(one.edges.length);
    }
  });

  it('leaves out and counts edges to nodes that are not listed', () => {
    const some = { ...graph, nodes: graph.nodes.filter(({ kind }) => kind !== 'file') };
    const lost = graph.edges.filter(({ from, to }) => from.startsWith('file:') || to.startsWith('file:')).length;
    expect(lost).toBeGreaterThan(0);
    const [read] = opened<Read>('graphml', [text(graphml(some))]);
    expect(read!.edges).toHaveLength(graph.edges.length - lost);
    expect(read!.cut).toContain(`edges: ${lost} to or from nodes that are not listed`);
  });
});

describe.skipIf(!hasProv).each([
  ['prov-json', provJson],
  ['prov-jsonld', provJsonLd],
] as const)('%s', (reader, write) => {
  interface Read {
    readonly records: readonly {
      readonly type: string;
      readonly label: string;
      readonly types: readonly string[];
      readonly args: Record<string, string>;
      readonly extra: Record<string, string>;
    }[];
    readonly provn: number;
  }

  it('says in PROV what the graph says: who used, made, started and informed what', () => {
    const { records } = opened<Read>(reader, [text(write(graph))])[0]!;
    const count = (type: string) => records.filter((one) => one.type === type).length;
    const kinds = Map.groupBy(graph.nodes, ({ kind }) => kind);
    const sum = (...names: string[]) => names.reduce((all, name) => all + (kinds.get(name as never)?.length ?? 0), 0);
    expect(count('Activity')).toBe(sum('request', 'process', 'exchange'));
    expect(count('Agent')).toBe(sum('function', 'instance', 'client'));
    expect(count('Entity')).toBe(sum('file', 'image-tree', 'resource', 'endpoint') + 1);
    const ops = (...names: string[]) => graph.edges.filter(({ op }) => names.includes(op)).length;
    expect(count('Start')).toBe(ops('start', 'image'));
    const named = (id: string) => records.find(({ extra }) => extra['alastor:id'] === id);
    expect(named(`file:${made.cards.id}:/tmp/.x.js`)).toMatchObject({
      type: 'Entity',
      label: '/tmp/.x.js',
      types: ['alastor:file'],
    });
    const relations = records.filter(({ type }) => !['Activity', 'Agent', 'Entity', 'Specialization'].includes(type));
    expect(relations).toHaveLength(graph.edges.length);
    const file = `alastor:${encodeURIComponent(`file:${made.cards.id}:/tmp/.x.js`)}`;
    const process = (pid: string, request: string) =>
      `alastor:${encodeURIComponent(`process:${made.cards.id}:${request}:${pid}`)}`;
    expect(relations.find(({ type, args }) => type === 'Generation' && args.entity === file)?.args.activity).toBe(
      process(made.curl, 'req-plant'),
    );
    expect(relations.find(({ type, args }) => type === 'Usage' && args.entity === file)?.args.activity).toBe(
      process(made.cards.runtime, 'req-use'),
    );
    expect(records.find(({ label }) => label === 'this export')?.extra['alastor:cut']).toBe('nodes: 7 later ones');
  });

  it('says with whose rights a request ran, and who deployed what it ran', () => {
    const { records } = opened<Read>(reader, [text(write(known(graph, '')))])[0]!;
    const id = (node: string) => `alastor:${encodeURIComponent(node)}`;
    const agents = records.filter(({ type, extra }) => type === 'Agent' && extra['alastor:id']?.startsWith('agent:'));
    expect(agents.map(({ label }) => label).sort()).toEqual([ROLE, MALLORY]);
    const request = id(`request:${made.cards.id}:req-plant`);
    const associated = records.filter(({ type, args }) => type === 'Association' && args.activity === request);
    expect(associated.map(({ args, extra }) => `${args.agent} ${extra['alastor:op']}`)).toEqual(
      expect.arrayContaining([`${id(`agent:${ROLE}`)} role`, `${id(`agent:${MALLORY}`)} deploy`]),
    );
    const influence = records.filter(({ type }) => type === 'Influence');
    expect(influence.map(({ args }) => args.influencee)).toEqual([id('function:authorize-cc')]);
  });

  it('carries hostile ids and texts through the prov package', () => {
    const read = opened<Read>(
      reader,
      HOSTILE.map((one) => text(write(one))),
    );
    for (const [i, one] of HOSTILE.entries()) {
      const elements = read[i]!.records.filter(({ extra }) => extra['alastor:id'] !== undefined);
      expect(elements).toHaveLength(one.nodes.filter(({ kind }) => kind !== 'gap').length);
    }
  });
});
