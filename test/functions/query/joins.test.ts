import type { APIGatewayProxyEventV2 } from 'aws-lambda';
import { describe, expect, it } from 'vitest';
import { buildShards } from '../../../functions/graph/build.ts';
import { respond } from '../../../functions/query/handler.ts';
import { Baseline, type Baselines } from '../../../functions/store/baselines.ts';
import type { Store } from '../../../functions/store/connect.ts';
import type { Findings } from '../../../functions/store/findings.ts';
import type { Forgotten } from '../../../functions/store/forgotten.ts';
import { Gaps } from '../../../functions/store/gaps.ts';
import type { Inventory } from '../../../functions/store/inventory.ts';
import type { Lists } from '../../../functions/store/lists.ts';
import type { Witnesses } from '../../../functions/store/witnesses.ts';
import { memorySource } from '../memory-source.ts';
import { Clock, Recorded } from '../scenario.ts';

/** `first` calls `second` (exact), whose result a state machine hands on to `third` (inferred), which sends data out. */
function store(): Store {
  const clock = new Clock();
  const [first, second, third] = ['first', 'second', 'third'].map((name) => new Recorded(name, clock)) as [
    Recorded,
    Recorded,
    Recorded,
  ];
  const payload = [{ key: 'payload:aa', sure: 'inferred' }] as const;
  first.begin('r1');
  first.aws(first.runtime, 'lambda', 'Invoke', ['lambda:r2'], [], 202);
  first.end();
  second.begin('r2');
  second.end(payload);
  third.begin('r3', { type: 'stepfunctions' }, payload);
  third.exchange(third.runtime, { host: 'drop.evil', request: { bytes: 9 } });
  third.end();
  const built = [first, second, third].flatMap((one) => one.segments().map(({ segment, key }) => buildShards(segment, key)));
  // These routes read the graph and nothing else.
  const source = memorySource(built);
  // No inventory has looked yet: nothing is configured as far as it knows.
  const inventory = { of: async () => new Map() } as Pick<Inventory, 'of'> as Inventory;
  const gaps = new Gaps(source, {
    lists: {} as Lists,
    witnesses: {} as Witnesses,
    inventory,
    deadLetters: async () => undefined,
    findings: {} as Findings,
    forgotten: {} as Forgotten,
  });
  const witnesses = { changes: async () => ({ changes: [], cut: false }) } as Pick<Witnesses, 'changes'> as Witnesses;
  const baselines = { of: async () => new Baseline(new Map(), false) } as Pick<Baselines, 'of'> as Baselines;
  const known = { source, gaps, inventory, witnesses, baselines };
  return known as Pick<Store, keyof typeof known> as Store;
}

interface Body {
  readonly steps: readonly { readonly requestId?: string; readonly by?: string; readonly sure: string }[];
  readonly nodes: readonly { readonly id: string }[];
  readonly requests: readonly { readonly requestId: string }[];
  readonly parameter?: string;
}

async function get(path: string, query: Record<string, string>): Promise<{ status: number; body: Body }> {
  const event = {
    rawPath: path,
    rawQueryString: new URLSearchParams(query).toString(),
    requestContext: { http: { method: 'GET' } },
  };
  const { statusCode = 0, body } = await respond(event as APIGatewayProxyEventV2, store());
  return { status: statusCode, body: JSON.parse(body ?? '') };
}
const requestsOf = (body: Body) => body.requests.map(({ requestId }) => requestId).sort();

describe('joins=exact and joins=all', () => {
  const node = 'endpoint:drop.evil';

  it('say what a path may be made of; all is the default, and each hand-over says by what', async () => {
    const { body: all } = await get('/v1/path', { node });
    expect(requestsOf(all)).toEqual(['r1', 'r2', 'r3']);
    expect(all.steps.flatMap(({ by, sure }) => (by === undefined ? [] : [`${sure} ${by}`]))).toEqual([
      'exact lambda:r2',
      'inferred payload:aa',
    ]);
    expect(requestsOf((await get('/v1/path', { node, joins: 'all' })).body)).toEqual(['r1', 'r2', 'r3']);
    expect(requestsOf((await get('/v1/path', { node, joins: 'exact' })).body)).toEqual(['r3']);
  });

  it('say what a trace may follow', async () => {
    const seen = async (joins: string) => {
      const { body } = await get('/v1/trace', { node, direction: 'backward', joins });
      return body.nodes.filter(({ id }) => id.startsWith('request:')).length;
    };
    expect([await seen('all'), await seen('exact')]).toEqual([3, 1]);
  });

  it('say which requests belong to a workflow; exact is the default', async () => {
    expect(requestsOf((await get('/v1/requests/r2/workflow', {})).body)).toEqual(['r1', 'r2']);
    expect(requestsOf((await get('/v1/requests/r2/workflow', { joins: 'exact' })).body)).toEqual(['r1', 'r2']);
    expect(requestsOf((await get('/v1/requests/r2/workflow', { joins: 'all' })).body)).toEqual(['r1', 'r2', 'r3']);
  });

  it('are the only two', async () => {
    for (const path of ['/v1/path', '/v1/trace', '/v1/requests/r2/workflow']) {
      const query = path.includes('requests') ? {} : { node, ...(path === '/v1/trace' ? { direction: 'backward' } : {}) };
      expect(await get(path, { ...query, joins: 'some' })).toMatchObject({ status: 400, body: { parameter: 'joins' } });
    }
  });
});
