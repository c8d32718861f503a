import { expect, it, vi } from 'vitest';
import { stitch } from '../../../functions/stitcher/stitch.ts';
import type { Store } from '../../../functions/store/connect.ts';
import type { ConfiguredFunction, ExpectedSource } from '../../../functions/store/inventory.ts';
import { hear } from '../../../functions/witness/handler.ts';
import { hasJava, LocalDynamo, type MemoryObjects } from '../dynamodb-local.ts';
import { Clock, Recorded } from '../scenario.ts';
import { changeEvent } from '../witness/deliveries.ts';
import { type Body, Served } from './served.ts';

const ACCOUNT = 'eu-west-1:123456789012';
const ROLE = 'arn:aws:iam::123456789012:role/cart';
const MALLORY = 'arn:aws:iam::123456789012:user/mallory';
const ROUTE: ExpectedSource = {
  ...{ by: 'route', who: 'apigateway.amazonaws.com', detail: 'POST /cart' },
  source: `arn:aws:execute-api:${ACCOUNT}:abc`,
};
const configured = (name: string, sources: readonly ExpectedSource[]): ConfiguredFunction => ({
  ...{ name, arn: `arn:aws:lambda:${ACCOUNT}:function:${name}`, role: ROLE, runtime: 'nodejs24.x', audited: true, sources },
  layers: [`arn:aws:lambda:${ACCOUNT}:layer:alastor:3`],
});
const MINUTE = 60_000_000;

/** A cart that is called over HTTP, writes an object and sends something away; then it is invoked as if by a bucket. */
function cart(now: number): Recorded {
  const clock = new Clock();
  clock.now = now - 30 * MINUTE;
  const one = new Recorded('cart', clock);
  one.begin('r-buy', { type: 'http', sourceIp: '198.51.100.7', userAgent: 'x', method: 'POST', path: '/cart' });
  one.aws(one.runtime, 's3', 'PutObject', []);
  one.exchange(one.runtime, { host: 'drop.evil', request: { bytes: 900 } });
  one.end();
  one.begin('r-forged', { type: 's3', source: 'photos' });
  one.exchange(one.runtime, { host: 'forged.evil', request: { bytes: 9 } });
  one.end();
  return one;
}

it.skipIf(!hasJava)(
  'agents and configured ways in stand in graphs and stories, and what they do not explain stands out',
  async () => {
    for (const level of ['info', 'warn', 'error'] as const) vi.spyOn(console, level).mockReturnValue();
    const dynamo = await LocalDynamo.start();
    let api: Served | undefined;
    try {
      const { store, objects } = await dynamo.store();
      api = await Served.start(store);
      await told(store, objects, api);
    } finally {
      vi.restoreAllMocks();
      await api?.stop();
      await dynamo.stop();
    }

    async function told(store: Store, objects: MemoryObjects, query: Served): Promise<void> {
      const now = Date.now() * 1000;
      const one = cart(now);
      for (const { key, bytes } of one.segments()) {
        objects.set(key, bytes, now);
        await stitch(key, objects, store.writer);
      }
      await store.writer.settle();
      const idle: ExpectedSource = { by: 'policy', who: 's3.amazonaws.com', source: 'arn:aws:s3:::photos', idle: true };
      const policy: ExpectedSource = { by: 'policy', who: ROUTE.who, source: `${ROUTE.source}/*/POST/cart` };
      await store.inventory.put([configured('cart', [ROUTE, policy, idle]), configured('other', [])], now);
      const noS3 = { send: () => Promise.reject(new Error('no S3 here')) } as unknown as Parameters<typeof hear>[2];
      const change = async (action: string, fn: string, minutes: number, more: object = {}) => {
        const eventTime = new Date((now - minutes * MINUTE) / 1000).toISOString();
        await hear({ detail: changeEvent(action, fn, { eventTime, eventID: `e-${action}-${minutes}`, ...more }) }, store, noS3);
      };
      await change('CreateFunction20150331', 'cart', 90, {
        userIdentity: { type: 'AWSService', invokedBy: 'cloudformation.amazonaws.com' },
      });
      await change('UpdateFunctionCode20150331v2', 'cart', 60);
      await change('UpdateFunctionCode20150331v2', 'cart', 50, { errorCode: 'AccessDenied' });
      await change('UpdateFunctionCode20150331v2', 'cart', 1);
      await change('UpdateFunctionCode20150331v2', 'other', 40);
      // Invocations that were only tried, and changes that were refused, do not push out who put the code there.
      await store.witnesses.put(
        Array.from({ length: 130 }, (_, n) => ({
          ...{ what: 'change', witness: 'cloudtrail', fn: 'cart', id: `try-${n}`, by: MALLORY },
          ...(n % 2 === 0 ? { action: 'Invoke' } : { action: 'UpdateFunctionCode', error: 'AccessDenied' }),
          at: now - 55 * MINUTE + n,
        })),
        now,
      );

      const request = `request:${one.id}:r-buy`;
      const local = await query.get('/v1/requests/r-buy/graph');
      const brief = (edges: readonly Body[]) => edges.map(({ from, op, to }) => `${from} ${op} ${to}`);
      const belonging = local.edges.filter(({ op }: Body) => ['role', 'deploy', 'expected'].includes(op));
      expect(brief(belonging).sort()).toEqual([
        `agent:${ROLE} role ${request}`,
        `agent:${MALLORY} deploy ${request}`,
        `trigger:route:${ROUTE.source} POST /cart expected function:cart`,
      ]);
      expect(belonging.find(({ op }: Body) => op === 'deploy')).toMatchObject({
        ...{ by: 'cloudtrail:e-UpdateFunctionCode20150331v2-60', start: Math.trunc((now - 60 * MINUTE) / 1000) * 1000 },
      });
      expect(local.nodes.find(({ id }: Body) => id === 'function:cart')).toMatchObject({
        ...{ role: ROLE, audited: true, layers: [`arn:aws:lambda:${ACCOUNT}:layer:alastor:3`] },
      });
      expect(local.cut).toEqual([]);
      expect(local.unexplained).toEqual([]);
      expect(local.edges.some(({ unexplained }: Body) => unexplained)).toBe(false);

      const story = await query.get('/v1/path', { node: 'endpoint:drop.evil' });
      const call = local.nodes.find(({ kind, label }: Body) => kind === 'exchange' && label.startsWith('s3:PutObject'));
      expect(story.agents).toEqual([
        {
          agent: MALLORY,
          as: 'deployer',
          function: 'cart',
          action: 'UpdateFunctionCode',
          ...{ at: expect.any(Number) },
          event: 'e-UpdateFunctionCode20150331v2-60',
        },
      ]);
      const backward = await query.get('/v1/path', { node: call.id });
      expect(backward.agents).toContainEqual({ agent: ROLE, as: 'role', function: 'cart', nodes: [call.id] });
      expect((await query.get('/v1/questions/explanation', { node: 'endpoint:drop.evil' })).agents).toEqual(story.agents);

      const forged = await query.get('/v1/requests/r-forged/graph');
      expect(forged.unexplained).toEqual([`request:${one.id}:r-forged`]);
      expect(forged.nodes.filter(({ unexplained }: Body) => unexplained).map(({ id }: Body) => id)).toEqual(forged.unexplained);
      const odd = await query.get('/v1/path', { node: 'endpoint:forged.evil' });
      expect(odd.steps.filter(({ unexplained }: Body) => unexplained).map(({ node }: Body) => node)).toEqual(
        forged.unexplained,
      );
      const whole = await query.get(`/v1/instances/${one.id}/graph`);
      expect(whole.unexplained).toEqual(forged.unexplained);
      expect(brief(whole.edges).filter((edge) => edge.includes(' role '))).toHaveLength(2);
    }
  },
  60_000,
);
