/**
 * A compromised function may write any segment, but only under its own function's prefix. Whatever it writes there may be wrong
 * about itself; nothing of it may change, hide or break what is told of another instance.
 */
import { zstdCompressSync } from 'node:zlib';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { buildShards } from '../../functions/graph/build.ts';
import { MAX_LINKS } from '../../functions/graph/draft.ts';
import { hostId, joinLink, requestId, requestPartition } from '../../functions/graph/ids.ts';
import { Provenance } from '../../functions/graph/provenance.ts';
import { story } from '../../functions/graph/story.ts';
import { walk } from '../../functions/graph/walk.ts';
import { answer } from '../../functions/query/routes.ts';
import { stitchEvent } from '../../functions/stitcher/handler.ts';
import type { Store } from '../../functions/store/connect.ts';
import { containerReuse, handOver } from './attacks.ts';
import { hasJava, LocalDynamo, type MemoryObjects } from './dynamodb-local.ts';
import { messages } from './messages.ts';
import { Clock, Recorded, START, type Stored } from './scenario.ts';

const RECEIVED = START + 60_000_000;
const YEAR = 365 * 86_400_000_000;
const exact = (key: string) => ({ key, sure: 'exact' as const });

interface Answer {
  readonly nodes: readonly { readonly id: string }[];
  readonly requests: readonly { readonly requestId: string; readonly instanceId: string }[];
  readonly results: readonly { readonly node: string }[];
  readonly steps: readonly { readonly node: string; readonly label: string }[];
  readonly segments: readonly object[];
  readonly cut: readonly string[];
}

describe.skipIf(!hasJava)('a compromised function', () => {
  let dynamo: LocalDynamo;
  let store: Store;
  let objects: MemoryObjects;
  beforeAll(async () => {
    dynamo = await LocalDynamo.start();
  }, 60_000);
  afterAll(async () => await dynamo?.stop());
  beforeEach(async () => {
    ({ store, objects } = await dynamo.store());
  });

  async function stitchAll(segments: readonly Stored[], received = RECEIVED): Promise<void> {
    for (const { key, bytes } of segments) objects.set(key, bytes, received);
    for (let i = 0; i < segments.length; i += 10) {
      const keys = segments.slice(i, i + 10).map(({ key }) => key);
      expect(await stitchEvent(messages(keys), store)).toEqual({ batchItemFailures: [] });
    }
  }
  const get = async (path: string, query: Record<string, string> = {}) =>
    (await answer(path, new URLSearchParams(query), store)) as Answer;
  const tell = async (host: string) => await story(new Provenance(store.source), hostId(host), { limit: 500, inputs: 'data' });

  it('cannot hide a request by claiming its id, however often', async () => {
    const victim = new Recorded('victim', new Clock());
    victim.begin('req-1');
    victim.exchange(victim.runtime, { host: 'shop.example' });
    victim.end();
    await stitchAll(victim.segments());
    // Later and earlier than the real one, by more instances than an answer lists.
    const forged = Array.from({ length: 240 }, (_, i) => {
      const clock = new Clock();
      clock.now += i % 2 === 0 ? -50_000_000 : 50_000_000;
      const one = new Recorded('evil', clock);
      one.begin('req-1');
      return one;
    });
    await stitchAll(forged.flatMap((one) => one.segments()));
    const real = requestId(victim.id, requestPartition('req-1'));
    const claimed = await get('/v1/requests/req-1/graph', { limit: '10000' });
    expect(claimed.nodes.map(({ id }) => id)).toContain(real);
    expect(claimed.cut.join()).toContain('more than 200 claim to be req-1');
    // Its own graph is its own alone.
    const own = await get('/v1/requests/req-1/graph', { instance: victim.id });
    expect(own.nodes.some(({ id }) => id.includes(forged[0]!.id))).toBe(false);
    expect(own.nodes.map(({ id }) => id)).toEqual(expect.arrayContaining([real, hostId('shop.example')]));
    expect(own.cut).toEqual([]);
    const search = await get('/v1/search', { q: 'req-1', limit: '100' });
    expect(search.results.map(({ node }) => node)).toContain(real);
    expect(search.cut).not.toEqual([]);
  });

  it('cannot hide who really sent a message by claiming to have sent it, however often', async () => {
    const { instances, a, b } = handOver('sqs');
    await stitchAll(instances.flatMap((one) => one.segments()));
    const before = await tell('drop.evil');
    const real = before.steps.map(({ node }) => node);
    expect(real).toContain(requestId(a.id, requestPartition('req-a')));
    const forged = Array.from({ length: 240 }, (_, i) => {
      const one = new Recorded('evil', new Clock());
      one.begin(`f${i}`);
      one.aws(one.runtime, 'sqs', 'SendMessage', ['sqs:m-1']);
      return one;
    });
    await stitchAll(forged.flatMap((one) => one.segments()));
    const after = await tell('drop.evil');
    expect(after.steps.map(({ node }) => node)).toEqual(expect.arrayContaining(real));
    expect(after.instances.some((id) => forged.some((one) => one.id === id))).toBe(true);
    const told = await get('/v1/path', { node: requestId(b.id, requestPartition('req-b')) });
    expect(told.cut.join()).toContain('not all of its neighbours (links)');
  });

  it('cannot put anything into the graph of another instance by naming its files, processes or nodes', async () => {
    const { instances, cards } = containerReuse();
    await stitchAll(instances.flatMap((one) => one.segments()));
    const graph = async () => await get(`/v1/instances/${cards.id}/graph`, { limit: '10000' });
    const [before, told] = [await graph(), await tell('drop.evil')];
    const evil = new Recorded('evil', new Clock());
    evil.begin('req-use', { type: 'invoke' }, [
      exact(`file:${cards.id}:/tmp/.x.js`),
      exact(`proc:${cards.id}:${cards.runtime}`),
    ]);
    evil.write(cards.runtime, '/tmp/.x.js');
    evil.write(cards.runtime, `file:${cards.id}:/tmp/.x.js`);
    evil.exchange(evil.runtime, {
      id: `16@1:${cards.id}` as never,
      host: `${cards.id}:/tmp/.x.js`,
      resources: [{ type: 'other', id: `file:${cards.id}:/tmp/.x.js`, access: 'write' }],
    } as never);
    evil.add(evil.runtime, { kind: 'restore', previous: cards.id });
    evil.end();
    await stitchAll(evil.segments());
    expect(await graph()).toEqual(before);
    const after = await tell('drop.evil');
    expect(after.steps.map(({ node }) => node)).toEqual(told.steps.map(({ node }) => node));
  });

  it('cannot lose itself or others in time: clocks that jump are shown, and found', async () => {
    const honest = new Recorded('honest', new Clock());
    honest.begin('req-now', { type: 'http' });
    honest.exchange(honest.runtime, { host: 'meet.example' });
    honest.end();
    const evil = new Recorded('evil', new Clock());
    evil.begin('req-future', { type: 'http' });
    evil.clock.now += 40 * YEAR;
    evil.exchange(evil.runtime, { host: 'meet.example' });
    evil.clock.now = 1;
    evil.exchange(evil.runtime, { host: 'meet.example', from: Number.MAX_SAFE_INTEGER - 1, to: 0 });
    evil.end();
    evil.clock.now = 5 * YEAR;
    evil.begin('req-past', { type: 'http' });
    evil.end();
    await stitchAll([...honest.segments(), ...evil.segments()]);
    const listed = await get('/v1/requests', { since: '0' });
    expect(listed.requests.map(({ requestId: id }) => id).sort()).toEqual(['req-future', 'req-now', 'req-past']);
    const { results } = await get('/v1/search', { q: 'meet.example' });
    expect(results.map(({ node }) => node)).toEqual(
      expect.arrayContaining([`exchange:${honest.id}:req-now:x1`, `exchange:${evil.id}:req-future:x1`]),
    );
    expect(await store.lists.stats()).toMatchObject({ requests: 3, segments: 2, gaps: 0, cut: [] });
    const trace = await walk(new Provenance(store.source), hostId('meet.example'), { direction: 'backward', limit: 100 });
    expect(trace.visits.map(({ node }) => node)).toContain(requestId(honest.id, requestPartition('req-now')));
  });

  it('cannot keep a walk or a story going round in circles', async () => {
    const clock = new Clock();
    const [a, b] = [new Recorded('a', clock), new Recorded('b', clock)];
    for (const [one, own, other] of [
      [a, 'ra', 'rb'],
      [b, 'rb', 'ra'],
    ] as const) {
      one.begin(own, { type: 'invoke' }, [exact(`sqs:to-${own}`)]);
      one.aws(one.runtime, 'lambda', 'Invoke', [`lambda:${other}`, `sqs:to-${other}`, `sqs:to-${own}`]);
      for (const [from, to] of [
        ['/tmp/1', '/tmp/2'],
        ['/tmp/2', '/tmp/1'],
        ['/tmp/1', '/tmp/1'],
      ] as const)
        one.add(one.runtime, { kind: 'file-change', op: 'rename', path: from, to });
      one.add('5@5' as never, { kind: 'process-start', parent: '6@6' as never, exe: '/x', how: 'fork' });
      one.add('6@6' as never, { kind: 'process-start', parent: '5@5' as never, exe: '/x', how: 'fork' });
      one.add('6@6' as never, { kind: 'process-start', parent: '6@6' as never, exe: '/x', how: 'fork' });
      one.exchange('5@5' as never, { host: 'round.evil', method: 'POST', request: { bytes: 9 } });
      one.end();
    }
    // Never seen starting: what it runs is looked for in what came before, and what lies between requests is before and after.
    for (const act of [() => a.idle(), () => void a.begin('rc'), () => a.idle()]) {
      act();
      a.read('9@9' as never, '/tmp/1');
    }
    await stitchAll([...a.segments(), ...b.segments()]);
    expect((await get(`/v1/instances/${a.id}/graph`)).nodes.length).toBeGreaterThan(5);
    for (const direction of ['backward', 'forward'] as const) {
      const trace = await walk(new Provenance(store.source), hostId('round.evil'), { direction, limit: 1000 });
      expect(new Set(trace.visits.map(({ node }) => node)).size).toBe(trace.visits.length);
    }
    const told = await tell('round.evil');
    expect(told.steps.length).toBeLessThan(100);
    expect([...told.instances].sort()).toEqual([a.id, b.id].sort());
    expect((await get('/v1/requests/ra/workflow')).requests).toHaveLength(2);
  });

  it('cannot draw over what an investigator reads', async () => {
    const evil = new Recorded('evil', new Clock());
    const nasty = '\u001b[2J\u0007\u202e\u2028\u0000';
    evil.begin('r', { type: 'http', sourceIp: nasty, userAgent: nasty, path: nasty, source: nasty });
    evil.spawn(evil.runtime, 9, [`/tmp/${nasty}`, nasty]);
    evil.write(evil.runtime, `/tmp/${nasty}`);
    evil.exchange(evil.runtime, { host: `${nasty}.evil`, path: `/${nasty}`, method: nasty });
    evil.end();
    await stitchAll(evil.segments());
    const graph = await get('/v1/requests/r/graph');
    const shown = graph.nodes.map(({ id, ...node }) => id + (node as { label: string }).label).join('');
    // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what must not be there
    expect(shown).not.toMatch(/[\u0000-\u001f\u007f-\u009f\u2028\u202e]/);
    const { results } = await get('/v1/search', { q: `/tmp/${nasty}` });
    expect(results.length).toBeLessThanOrEqual(1);
  });

  it('cannot fill the index without its being told', async () => {
    const evil = new Recorded('evil', new Clock());
    evil.begin('flood', { type: 'http' });
    for (let i = 0; i < MAX_LINKS; i++)
      evil.add(evil.runtime, { kind: 'file-open', path: `/tmp/${i}`, mode: 'w', created: true, truncated: true, fd: 3 });
    evil.exchange(evil.runtime, { host: 'drop.evil', method: 'POST', request: { bytes: 9 } });
    evil.end();
    const [segment] = evil.segments();
    const { linksCut } = buildShards(segment!.segment, segment!.key).segment;
    expect(linksCut).toBeGreaterThan(0);
    await stitchAll([segment!]);
    const stats = await store.lists.stats();
    expect(stats).toMatchObject({ linksCut });
    expect(stats.cut.join()).toContain(`${linksCut} entries of floods were left out`);
    for (const path of ['/v1/requests/flood/graph', '/v1/requests/flood/workflow', `/v1/instances/${evil.id}/graph`])
      expect((await get(path, { limit: '10' })).cut.join(), path).toContain('not all that it touched is indexed');
    expect((await get(`/v1/instances/${evil.id}`)).cut.join()).toContain(`${linksCut} entries of ${segment!.key}`);
    const told = await get('/v1/path', { node: 'endpoint:drop.evil' });
    expect(told.steps.map(({ node }) => node)).toContain(requestId(evil.id, requestPartition('flood')));
    expect(told.cut.join()).toContain('not all that it touched is indexed');
  });

  it('cannot write in the name of another instance, nor stop the stitcher with a bomb', async () => {
    const [victim, evil] = [new Recorded('victim', new Clock()), new Recorded('evil', new Clock())];
    for (const one of [victim, evil]) {
      one.begin('r');
      one.end();
    }
    const [own] = victim.segments();
    const [forged] = evil.segments();
    const bomb = zstdCompressSync(Buffer.alloc(200 * 1024 * 1024));
    objects.set(own!.key.replace('victim', 'evil'), own!.bytes, RECEIVED);
    objects.set(own!.key, forged!.bytes, RECEIVED);
    objects.set(forged!.key, bomb, RECEIVED);
    const keys = [own!.key.replace('victim', 'evil'), own!.key, forged!.key];
    expect(await stitchEvent(messages(keys), store)).toEqual({ batchItemFailures: [] });
    const { segments } = await get('/v1/segments/poison');
    expect(segments).toHaveLength(3);
    expect(segments).toEqual(expect.arrayContaining([expect.objectContaining({ segment: forged!.key, code: 'oversized' })]));
    // The real one comes after all, and is told as if nothing had been.
    await stitchAll([own!]);
    expect((await get(`/v1/instances/${victim.id}`)).segments).toHaveLength(1);
    expect((await store.source.linksOf(joinLink('lambda:r'), { limit: 9 })).links).toHaveLength(1);
  });
});
