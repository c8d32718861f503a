import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { between, commonCauses } from '../../../functions/graph/between.ts';
import { buildShards } from '../../../functions/graph/build.ts';
import { hostId, INIT, type NodeId, requestId, requestPartition } from '../../../functions/graph/ids.ts';
import { type Budget, Provenance } from '../../../functions/graph/provenance.ts';
import type { GraphSource } from '../../../functions/graph/source.ts';
import { story } from '../../../functions/graph/story.ts';
import { walk } from '../../../functions/graph/walk.ts';
import { workflow } from '../../../functions/graph/workflow.ts';
import { Turns } from '../../bench/stitch/memory-table.ts';
import { memorySource } from '../memory-source.ts';
import { Clock, Recorded } from '../scenario.ts';

/** `ALASTOR_LONG_TESTS=5000` runs that many cases. */
const RUNS = Number(process.env.ALASTOR_LONG_TESTS ?? 60);

/** What one of several functions does next: `to`, `at` and `n` say which instance, message, file or host, as far as it matters. */
const acts = [
  'begin',
  'end',
  'idle',
  'spawn',
  'send',
  'call',
  'put',
  'get',
  'write',
  'read',
  'left',
  'leave',
  'fetch',
] as const;
const act = fc.record({ by: fc.nat(3), what: fc.constantFrom(...acts), n: fc.nat(4), other: fc.nat(12) });
type Act = typeof act extends fc.Arbitrary<infer T> ? T : never;

/** Instances whose requests, files, processes, messages and contents lead to one another at random. */
function play(all: readonly Act[]): readonly Recorded[] {
  const clock = new Clock();
  const functions = [0, 1, 2, 3].map((n) => new Recorded(`f${n % 3}`, clock));
  const state = functions.map(() => ({ requests: 0, acting: undefined as Recorded['runtime'] | undefined }));
  for (const { by, what, n, other } of all) {
    const one = functions[by]!;
    const own = state[by]!;
    const proc = own.acting ?? one.runtime;
    const body = { bytes: 2000, sha256: `${n}`.repeat(64) };
    if (own.requests === 0 || what === 'begin') {
      own.requests++;
      const keys = [
        { key: `payload:p${n}`, sure: 'inferred' },
        { key: `sqs:m${other}`, sure: 'exact' },
      ] as const;
      one.begin(`q${by}-${own.requests}`, { type: 'sqs' }, keys.slice(n % 3));
    }
    switch (what) {
      case 'end':
        one.end([{ key: `payload:p${n}`, sure: 'inferred' }]);
        break;
      case 'idle':
        one.idle();
        break;
      case 'spawn':
        own.acting = n === 0 ? undefined : one.spawn(proc, 30 + other, [`tool${n}`]);
        break;
      case 'send':
        one.aws(proc, 'sqs', 'SendMessage', [`sqs:m${other}`]);
        break;
      case 'call':
        one.aws(proc, 'lambda', 'Invoke', [`lambda:q${n % 4}-${1 + (other % 4)}`]);
        break;
      case 'put':
        one.aws(
          proc,
          's3',
          'PutObject',
          [`s3req:w${other}`],
          [{ id: `s3://b/k${n}@${other % 3}`, type: 's3-object', access: 'write' }],
        );
        break;
      case 'get':
        one.aws(proc, 's3', 'GetObject', [], [{ id: `s3://b/k${n}@${other % 3}`, type: 's3-object', access: 'read' }]);
        break;
      case 'write':
        one.write(proc, `/tmp/${n}`);
        break;
      case 'read':
        one.read(proc, `/tmp/${n}`);
        break;
      case 'left':
        one.exchange(proc, { host: `h${other % 3}.example`, request: body });
        break;
      case 'leave':
        one.exchange(proc, { host: `h${other % 3}.example`, request: { bytes: 9 } });
        break;
      case 'fetch':
        one.exchange(proc, { host: `h${other % 3}.example`, response: body });
        break;
    }
  }
  return functions;
}

/** Answers in an order of its own; some questions fail, always the same ones. */
function moody(source: GraphSource, order: Iterator<number>, fails: (name: string) => boolean): GraphSource {
  const late = async (name: string) => {
    for (let turns = order.next().value % 4; turns > 0; turns--) await new Promise((next) => setImmediate(next));
    if (fails(name)) throw new Error(`no answer about ${name}`);
  };
  return {
    shardsOf: async (instance, partition) => {
      await late(`${instance}/${partition}`);
      return await source.shardsOf(instance, partition);
    },
    linksOf: async (key, range) => {
      await late(key);
      return await source.linksOf(key, range);
    },
  };
}

type Question = (graph: Provenance, from: NodeId, to: NodeId) => Promise<object>;
const questions: { readonly [name: string]: Question } = {
  backward: (graph, from) => walk(graph, from, { direction: 'backward', limit: 40 }),
  forward: (graph, from) => walk(graph, from, { direction: 'forward', limit: 40 }),
  exact: (graph, from) =>
    walk(graph, from, {
      direction: 'backward',
      limit: 500,
      exactOnly: true,
      noBaselines: true,
      hub: 6,
      stop: new Set(['file']),
    }),
  onwards: async (graph, from) => {
    const { rest } = await walk(graph, from, { direction: 'backward', limit: 12 });
    return await walk(graph, from, { direction: 'backward', limit: 12, from: rest });
  },
  story: (graph, from) => story(graph, from, { limit: 60, inputs: 'all' }),
  between: (graph, from, to) => between(graph, from, to, { limit: 60, paths: 9, skip: 0, longest: 20 }),
  causes: (graph, from, to) => commonCauses(graph, from, to, { limit: 60 }),
  workflow: async (graph, _, to) => {
    const found = await workflow(graph, [to], 6, 'all');
    return { ...found, graph: [found.graph.edges(), [...found.graph.nodes]] };
  },
};

describe('what is loaded in advance', () => {
  it('changes no answer, whatever comes first, fails, or has no room', async () => {
    const arbitrary = fc.record({
      all: fc.array(act, { minLength: 30, maxLength: 200 }),
      order: fc.infiniteStream(fc.nat(1000)),
      name: fc.constantFrom(...Object.keys(questions)),
      from: fc.nat(6),
      to: fc.integer({ min: 3, max: 6 }),
      budget: fc.record({ partitions: fc.constantFrom(2, 5, 9, 20, 400), linksPerKey: fc.constantFrom(2, 5, 200) }),
      failing: fc.constantFrom(0, 0, 0, 11),
    });
    await fc.assert(
      fc.asyncProperty(arbitrary, async ({ all, order, name, from, to, budget, failing }) => {
        const played = play(all);
        const built = played.flatMap((one) => one.segments().map(({ segment, key }) => buildShards(segment, key)));
        const nodes: NodeId[] = [0, 1, 2].map((n) => hostId(`h${n}.example`));
        for (const [by, one] of played.entries()) nodes.push(requestId(one.id, requestPartition(`q${by}-1`)));
        const places = new Map(played.map(({ id }, i) => [id as string, `${i}`]));
        const named = (question: string) => question.replace(/[0-9a-f-]{36}/g, (id) => places.get(id) ?? id);
        const fails = (question: string) => failing > 0 && checksum(named(question)) % failing === 0;
        const ask = async (role: 'walk' | 'alone') => {
          const source = moody(memorySource(built), order[Symbol.iterator](), fails);
          const graph = new Provenance(source, budget satisfies Budget, role);
          try {
            const told = await questions[name]!(graph, nodes[from]!, nodes[to]!);
            return { told, nodes: [...graph.nodes].sort(([a], [b]) => (a < b ? -1 : 1)), cuts: graph.cuts };
          } catch {
            return 'failed';
          }
        };
        expect(await ask('walk')).toEqual(await ask('alone'));
      }),
      { numRuns: RUNS },
    );
  });

  it('lets a question wait for few others, and loads little more than it needs', async () => {
    const whole = { walk: await counted('walk', 400, 1000), alone: await counted('alone', 400, 1000) };
    expect(whole.alone.inARow).toBeGreaterThan(60);
    expect(whole.walk.inARow).toBeLessThan(20);
    expect(whole.walk.partitions.size).toBe(whole.alone.partitions.size);
    // Where the walk ends before the scout does, what it still has to look at is certain.
    for (const limit of [130, 200, 300]) expect((await counted('walk', 400, limit)).inARow).toBeLessThan(20);
    // Half as many nodes as the walk may visit to begin with, and two for each that it comes to.
    const few = { walk: await counted('walk', 400, 6), alone: await counted('alone', 400, 6) };
    expect(few.walk.partitions.size).toBeLessThanOrEqual(few.alone.partitions.size + 3 + 2 * 7);
  });

  it('keeps to the budget', async () => {
    expect((await counted('walk', 20, 500)).partitions.size).toBeLessThanOrEqual(20);
  });
});

/** A host that many requests spoke to, each of which a message of another function had caused, which a client asked for. */
async function counted(role: 'walk' | 'alone', partitions: number, limit: number) {
  const clock = new Clock();
  const [first, second] = [new Recorded('first', clock), new Recorded('second', clock)];
  for (let i = 0; i < 60; i++) {
    first.begin(`a${i}`);
    first.aws(first.runtime, 'sqs', 'SendMessage', [`sqs:m${i}`]);
    first.end();
    second.begin(`b${i}`, { type: 'sqs' }, [{ key: `sqs:m${i}`, sure: 'exact' }]);
    second.exchange(second.runtime, { host: 'h0.example', request: { bytes: 9 } });
    second.end();
  }
  const source = memorySource([first, second].flatMap((one) => one.segments().map((s) => buildShards(s.segment, s.key))));
  const turns = new Turns();
  const asked = new Set<string>();
  const counting: GraphSource = {
    shardsOf: async (instance, partition) => {
      if (partition !== INIT) asked.add(`${instance}/${partition}`);
      await turns.wait();
      return await source.shardsOf(instance, partition);
    },
    linksOf: async (key, range) => {
      await turns.wait();
      return await source.linksOf(key, range);
    },
  };
  const graph = new Provenance(counting, { partitions, linksPerKey: 200 }, role);
  await walk(graph, hostId('h0.example'), { direction: 'backward', limit });
  return { inARow: turns.inARow, partitions: asked };
}

function checksum(text: string): number {
  let sum = 7;
  for (const letter of text) sum = (sum * 31 + letter.charCodeAt(0)) % 1_000_003;
  return sum;
}
