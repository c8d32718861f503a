import type { APIGatewayProxyEventV2, APIGatewayProxyStructuredResultV2 } from 'aws-lambda';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { respond } from '../../../functions/query/handler.ts';
import { stitch } from '../../../functions/stitcher/stitch.ts';
import type { Store } from '../../../functions/store/connect.ts';
import { containerReuse } from '../attacks.ts';
import { hasJava, LocalDynamo } from '../dynamodb-local.ts';
import { START } from '../scenario.ts';

/** The fields that tests look at; which of them an answer has depends on the route. */
interface Body {
  readonly requests: readonly { readonly requestId: string }[];
  readonly results: readonly { readonly node: string }[];
  readonly nodes: readonly { readonly id: string }[];
  readonly edges: readonly object[];
  readonly steps: readonly object[];
  readonly segments: readonly object[];
  readonly reused: readonly object[];
  readonly counts: { readonly nodes: number; readonly edges: number };
  readonly cut: readonly string[];
  readonly cursor?: string;
  readonly parameter?: string;
}

describe.skipIf(!hasJava)('query API', () => {
  let dynamo: LocalDynamo;
  let store: Store;
  const attack = containerReuse();

  beforeAll(async () => {
    dynamo = await LocalDynamo.start();
    const made = await dynamo.store();
    store = made.store;
    for (const { key, bytes } of attack.instances.flatMap((one) => one.segments([4, 19]))) {
      made.objects.set(key, bytes, START + 60_000_000);
      await stitch(key, made.objects, store.writer);
    }
    await store.writer.settle();
  }, 60_000);
  afterAll(async () => await dynamo?.stop());

  async function get(path: string, query: Record<string, string> = {}): Promise<{ status: number; type: string; body: Body }> {
    const rawQueryString = new URLSearchParams(query).toString();
    const event = { rawPath: path, rawQueryString, requestContext: { http: { method: 'GET' } } } as APIGatewayProxyEventV2;
    const { statusCode, headers, body }: APIGatewayProxyStructuredResultV2 = await respond(event, store);
    return { status: statusCode ?? 0, type: String(headers?.['content-type']), body: JSON.parse(body ?? '') };
  }

  it('sends what Lambda takes, as Lambda counts it: UTF-8, escaped once more', async () => {
    const answerOf = async (reason: string) => {
      const lists = { poison: async () => [{ segment: 's', code: 'header', reason }] };
      const event = { rawPath: '/v1/segments/poison', rawQueryString: '', requestContext: { http: { method: 'GET' } } };
      return await respond(event as APIGatewayProxyEventV2, { ...store, lists } as unknown as Store);
    };
    expect((await answerOf('x'.repeat(6_100_000))).statusCode).toBe(200);
    for (const reason of ['漢'.repeat(2_500_000), '"'.repeat(1_700_000), '\u0001'.repeat(1_000_000)]) {
      const { statusCode, body } = await answerOf(reason);
      expect(statusCode).toBe(413);
      expect(JSON.parse(body ?? '')).toMatchObject({ parameter: 'limit', detail: expect.stringContaining('6200000') });
    }
  });

  it('counts what was stitched', async () => {
    const { body } = await get('/v1/stats');
    const records = attack.instances.reduce((sum, one) => sum + one.records.length, 0);
    expect(body).toMatchObject({ requests: 7, records, gaps: 0, instances: 3, functions: 3, poison: 0, cut: [] });
  });

  it('pages through requests, newest first, by function', async () => {
    const since = String(START);
    const { body: all } = await get('/v1/requests', { since });
    expect(all.requests.map((one) => one.requestId)).toEqual([
      'req-later',
      'req-notify',
      'req-use',
      'req-buy',
      'req-between',
      'req-plant',
      'req-benign',
    ]);
    expect(all.requests[0]).toMatchObject({ function: 'authorize-cc', status: 'ok', trigger: 'http', source: '/cards' });
    const paged: string[] = [];
    let cursor: string | undefined;
    do {
      const query: Record<string, string> = { since, limit: '2', ...(cursor === undefined ? {} : { cursor }) };
      const { body } = await get('/v1/requests', query);
      paged.push(...body.requests.map((one) => one.requestId));
      expect(body.cut.length).toBe(body.cursor === undefined ? 0 : 1);
      cursor = body.cursor;
    } while (cursor !== undefined);
    expect(paged).toEqual(all.requests.map((one) => one.requestId));
    const { body: some } = await get('/v1/requests', { since, function: 'notify' });
    expect(some.requests.map((one) => one.requestId)).toEqual(['req-notify']);
  });

  it('describes an instance: its requests in order, its segments, what is missing', async () => {
    const { body } = await get(`/v1/instances/${attack.cards.id}`);
    expect(body).toMatchObject({ function: 'authorize-cc', runtime: 'nodejs24.x', missing: [], cut: [] });
    expect(body.requests.map((one) => one.requestId)).toEqual([
      'req-benign',
      'req-plant',
      'req-between',
      'req-use',
      'req-later',
    ]);
    expect(body.segments).toHaveLength(3);
  });

  it('gives local and global graphs with their sizes', async () => {
    const { body: local } = await get('/v1/requests/req-plant/graph');
    expect(local.counts).toEqual({ nodes: local.nodes.length, edges: local.edges.length });
    const { body: global } = await get('/v1/requests/req-notify/workflow');
    expect(global.requests.map((one) => one.requestId).sort()).toEqual(['req-buy', 'req-notify', 'req-use']);
    const { body: cut } = await get('/v1/requests/req-plant/graph', { limit: '3' });
    expect(cut.nodes).toHaveLength(3);
    expect(cut.counts).toEqual(local.counts);
    expect(cut.cut[0]).toContain('ask again with cursor');
    const { body: instance } = await get(`/v1/instances/${attack.cards.id}/graph`);
    expect(instance.counts.nodes).toBeGreaterThan(local.counts.nodes);
  });

  it('finds what an investigator may hold', async () => {
    for (const [q, node] of [
      ['drop.evil', 'endpoint:drop.evil'],
      ['https://drop.evil/c?x=1', 'endpoint:drop.evil'],
      ['127.66.0.1', `exchange:${attack.cards.id}:req-plant:x2`],
      ['203.0.113.9', `request:${attack.cards.id}:req-plant`],
      ['/tmp/.x.js', `file:${attack.cards.id}:/tmp/.x.js`],
      ['req-notify', `request:${attack.notify.id}:req-notify`],
      ['ddb:cards', 'resource:ddb:cards'],
      [attack.cards.id, `instance:${attack.cards.id}`],
    ] as const) {
      const { body } = await get('/v1/search', { q });
      expect(
        body.results.map((one) => one.node),
        q,
      ).toContain(node);
    }
    expect((await get('/v1/search', { q: 'nothing.example', scan: 'never' })).body).toEqual({ results: [], cut: [] });
    expect((await get('/v1/search', { q: 'nothing.example' })).body.cut.join()).toContain('only the index was asked');
  });

  it('walks and tells the story', async () => {
    const { body: trace } = await get('/v1/trace', { node: 'endpoint:drop.evil', direction: 'backward' });
    expect(trace.nodes.map((one) => one.id)).toContain(`request:${attack.cards.id}:req-plant`);
    const { body: path } = await get('/v1/path', { node: 'endpoint:drop.evil' });
    expect(path.steps.at(-1)).toMatchObject({ node: 'endpoint:drop.evil', role: 'start', label: 'drop.evil' });
    expect(path.reused).toHaveLength(1);
    expect(path.cut).toEqual([]);
  });

  it.each([
    ['/v1/trace', { direction: 'backward' }, 400, 'node'],
    ['/v1/trace', { node: 'endpoint:drop.evil', direction: 'sideways' }, 400, 'direction'],
    ['/v1/path', { node: 'nonsense' }, 400, 'node'],
    ['/v1/path', { node: 'endpoint:nowhere.example' }, 404, 'node'],
    ['/v1/path', { node: 'endpoint:drop.evil', at: 'yesterday' }, 400, 'at'],
    ['/v1/requests', { limit: '0' }, 400, 'limit'],
    ['/v1/requests', { cursor: 'x' }, 400, 'cursor'],
    ['/v1/requests', { colour: 'red' }, 400, 'colour'],
    ['/v1/requests/unknown/graph', {}, 404, 'reqId'],
    ['/v1/instances/unknown', {}, 404, 'id'],
    ['/v1/nowhere', {}, 404, undefined],
  ] as const)('%s %j is answered with a problem that names the parameter', async (path, query, status, parameter) => {
    const answer = await get(path, query);
    expect(answer).toMatchObject({ status, type: 'application/problem+json', body: { status, type: 'about:blank' } });
    expect(answer.body.parameter).toBe(parameter);
  });
});
