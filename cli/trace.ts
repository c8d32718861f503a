import type { Blast, Causes, Paths, Trace } from './answers.ts';
import { type Api, apiOptions, connect, type Query } from './api.ts';
import { command, NOTHING_FOUND, type Values } from './command.ts';
import { forest } from './forest.ts';
import { micros } from './lists.ts';
import { formOptions, show, warn } from './print.ts';
import { resolve } from './resolve.ts';
import { clock, iso, line, plural, type Screen, safe, screenOf, size } from './screen.ts';
import { tree } from './tree.ts';
import { UsageError, whole } from './usage.ts';

const options = {
  forward: { type: 'boolean', says: 'downstream: what it may have reached (default: upstream, what led to it)' },
  reached: { type: 'boolean', says: 'all that it may have reached, by kind, instead of a tree' },
  to: { type: 'string', value: 'what', says: 'the ways from <what> to this, shortest first' },
  common: { type: 'string', value: 'what', says: 'what may have influenced both <what> and this' },
  at: { type: 'string', value: 'time', says: 'as of then: ISO 8601, or a span back from now' },
  joins: {
    type: 'string',
    value: 'which',
    says: 'hand-overs by identifiers that a service issued, or also those inferred (default: all)',
    choices: ['exact', 'all'],
  },
  stop: { type: 'string', value: 'kinds', says: 'nodes of these kinds, with commas between, are named and not followed' },
  collapse: {
    type: 'string',
    value: 'what',
    says: 'leave out read-only trees, or do not follow nodes with very many flows',
    choices: ['none', 'baselines', 'hubs', 'all'],
  },
  limit: { type: 'string', value: 'n', says: 'at most so many nodes, with --to so many ways' },
  cursor: { type: 'string', value: 'cursor', says: 'go on where an earlier trace (--json) ended' },
  ...formOptions,
  ...apiOptions,
} as const;
type Asked = Values<typeof options>;

export default command({
  usage: [
    '<what> [--forward | --reached] [options]',
    '<what> --to <what> [options]',
    '<what> --common <what> [options]',
    '--cursor <cursor>',
  ],
  positionals: [0, 1],
  options,
  text: `<what> is a node as \`alastor search\` names it, or anything that leads to one, as for \`alastor story\`. A trace names everything
upstream or downstream; the story is what of it matters. What could not be followed to the end is said, with a cursor to go on.
With --forward and --reached <what> may be a client, client:<address>:<user agent>, or all at an address, client:<address>.`,
  examples: [
    'evil.example --collapse all',
    'e29f9743-361f-44fa-95e0-56b09047ec99 --reached',
    'client:203.0.113.9 --reached',
    'e29f9743-361f-44fa-95e0-56b09047ec99 --to evil.example',
  ],
  async run(values, [what]) {
    const { forward, reached, to, common, cursor } = values;
    const ways = [forward, reached, to !== undefined, common !== undefined].filter(Boolean).length;
    if (ways > 1) throw new UsageError('--forward, --reached, --to and --common exclude each other');
    if (common !== undefined && values.at !== undefined) throw new UsageError('--common takes no --at');
    if ((what === undefined) === (cursor === undefined)) throw new UsageError('give a node, or --cursor');
    if (cursor !== undefined && (to !== undefined || common !== undefined))
      throw new UsageError('--cursor goes on with a trace');
    const query = queryOf(values);
    const api = await connect(values);
    if (cursor !== undefined)
      return reached ? await reach(api, { ...query, cursor }, values) : await follow(api, { ...query, cursor }, values);
    const nodes: string[] = [];
    for (const one of [what, to, common]) {
      if (one === undefined) continue;
      // Forward a client stands for all that it asked for.
      const itself = one === what && one.startsWith('client:') && (forward || reached);
      const found = itself ? { node: one } : await resolve(api, one);
      if (found !== undefined) nodes.push(found.node);
      else {
        warn('trace', [`nothing is known of ${one}`]);
        return NOTHING_FOUND;
      }
    }
    const [node = '', other = ''] = nodes;
    if (to !== undefined)
      return await between(api, { ...query, limit: undefined, from: node, to: other, paths: query.limit }, values);
    if (common !== undefined) return await shared(api, { ...query, at: undefined, a: node, b: other }, values);
    if (reached) return await reach(api, { ...query, node }, values);
    return await follow(api, { ...query, node, direction: forward ? 'forward' : 'backward' }, values);
  },
});

function queryOf({ at, joins, stop, collapse, limit }: Asked): Query {
  return {
    at: micros('--at', at),
    joins,
    stop,
    collapse,
    limit: limit === undefined ? undefined : whole('--limit', limit, 1, 5000),
  };
}

async function follow(api: Api, query: Query, values: Asked): Promise<number> {
  const answer = await api.get<Trace>('trace', query, ['nodes', 'edges', 'frontier', 'hubs', 'cut'], 'tracing');
  const screen = screenOf(process.stdout);
  const { node, direction, counts, nodes, edges, hubs, baselines } = answer;
  const towards = direction === 'backward' ? 'causes' : 'effects';
  return await show('trace', values, {
    answer: { ...answer, cut: [...answer.cut, ...further(answer.cursor)] },
    items: [...nodes, ...edges],
    *lines() {
      const words = direction === 'backward' ? 'upstream of' : 'downstream of';
      yield line(screen, {
        text: `${plural(counts.nodes, 'node')}, ${plural(counts.edges, 'edge')} ${words} ${safe(node)}`,
        style: 'dim',
      });
      // A trace that goes on somewhere names its start no more.
      const starts = nodes.flatMap(({ id, depth }) => (depth === 0 ? [id] : []));
      const tops = starts.length > 0 ? starts : nodes.map(({ id }) => id);
      const { roots, undrawn } = forest(screen, { nodes, edges }, tops, towards);
      yield* tree(screen, roots);
      if (undrawn > 0)
        yield line(screen, { text: `and ${undrawn} flows between these that no tree shows (--json)`, style: 'dim' });
      if (baselines > 0) yield line(screen, { text: `${baselines} read-only trees are left out`, style: 'dim' });
      for (const hub of hubs)
        yield line(screen, { text: `${hub.flows} flows at ${safe(hub.node)} were not followed`, style: 'dim' });
    },
  });
}

const further = (cursor: string | undefined): readonly string[] =>
  cursor === undefined ? [] : ['to go on from there: --cursor with that of --json'];

async function reach(api: Api, query: Query, values: Asked): Promise<number> {
  const answer = await api.get<Blast>(
    'blast',
    query,
    ['groups', 'functions', 'instances', 'requests', 'cut'],
    'tracing forward',
  );
  const screen = screenOf(process.stdout);
  const { groups, functions, instances, requests } = answer;
  return await show('trace', values, {
    answer: { ...answer, cut: [...answer.cut, ...further(answer.cursor)] },
    items: groups.flatMap(({ kind, nodes }) => nodes.map((node) => ({ kind, ...node }))),
    *lines() {
      const many = [
        plural(requests.length, 'request'),
        plural(instances.length, 'instance'),
        plural(functions.length, 'function'),
      ].join(', ');
      yield screen.paint('bold', safe(answer.node));
      yield line(screen, `may have reached ${many}`);
      const order = (kind: string): number => (FIRST.includes(kind) ? FIRST.indexOf(kind) : FIRST.length);
      for (const { kind, count, nodes } of [...groups].sort((a, b) => order(a.kind) - order(b.kind))) {
        yield line(screen, { text: `${kind} (${count})`, style: 'cyan' });
        for (const { label, at } of nodes) yield line(screen, { text: `  ${timeOf(screen, at)}  `, style: 'dim' }, safe(label));
      }
    },
  });
}

/** What an investigator wants to know first. */
const FIRST: readonly string[] = ['endpoint', 'resource', 'file', 'client', 'request'];

const timeOf = (screen: Screen, at: number): string => (screen.terminal ? clock(at) : iso(at));

async function between(api: Api, query: Query, values: Asked): Promise<number> {
  const answer = await api.get<Paths>('paths', query, ['paths', 'cut'], 'looking for ways');
  const screen = screenOf(process.stdout);
  return await show('trace', values, {
    answer,
    items: answer.paths,
    *lines() {
      for (const [i, { length, sure, nodes, edges }] of answer.paths.entries()) {
        if (i > 0) yield '';
        yield line(screen, { text: `way ${i + 1}: ${length} steps, ${sure}`, style: 'bold' });
        for (const [at, { kind, label }] of nodes.entries()) {
          const edge = edges[at - 1];
          const how =
            edge === undefined
              ? ''
              : `${timeOf(screen, edge.start)} ${edge.op}${edge.bytes > 0 ? ` (${size(edge.bytes)})` : ''} → `;
          yield line(screen, { text: `  ${how}`, style: 'dim' }, { text: `${kind} `, style: 'cyan' }, safe(label));
        }
      }
    },
  });
}

async function shared(api: Api, query: Query, values: Asked): Promise<number> {
  const answer = await api.get<Causes>('causes', query, ['causes', 'cut'], 'tracing both back');
  const screen = screenOf(process.stdout);
  return await show('trace', values, {
    answer,
    items: answer.causes,
    *lines() {
      for (const { kind, label, depths, nearest } of answer.causes) {
        const steps = `${depths[0]} and ${depths[1]} steps away`;
        const mark = nearest ? { text: '* ', style: 'yellow' as const } : '  ';
        yield line(screen, mark, { text: `${kind} `, style: 'cyan' }, safe(label), { text: `  ${steps}`, style: 'dim' });
      }
      yield line(screen, { text: '* where the ways to the two part', style: 'dim' });
    },
  });
}
