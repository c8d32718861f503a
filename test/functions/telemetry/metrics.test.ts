import { createHash } from 'node:crypto';
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { lookBack } from '../../../functions/inventory/handler.ts';
import { respond } from '../../../functions/query/handler.ts';
import { stitchEvent } from '../../../functions/stitcher/handler.ts';
import { restitchEvent } from '../../../functions/stitcher/notification.ts';
import type { Store } from '../../../functions/store/connect.ts';
import { METRICS, type MetricName, NAMESPACE } from '../../../functions/telemetry/catalogue.ts';
import { hear } from '../../../functions/witness/handler.ts';
import { encodeSegment } from '../../../layers/record/codec.ts';
import { hasJava, LocalDynamo } from '../dynamodb-local.ts';
import { messages } from '../messages.ts';
import { Clock, Recorded, type Stored } from '../scenario.ts';
import { type Datum, embedded, sum } from './embedded-metrics.ts';

// Powertools reads these when it is loaded: metrics go to the console, where a test can read them.
vi.hoisted(() => {
  process.env.POWERTOOLS_DEV = 'true';
  process.env.POWERTOOLS_METRICS_DISABLED = 'false';
});

const seen = new Set<string>();

/** What is published while `act` runs. */
async function published(act: () => Promise<unknown>): Promise<readonly Datum[]> {
  const spy = vi.spyOn(console, 'log').mockReturnValue();
  try {
    await act();
    const data = spy.mock.calls.flatMap(([line]) => embedded(String(line)));
    for (const { name, unit, namespace, dimensions } of data) {
      expect({ name, unit, namespace, service: dimensions.service }).toEqual({
        ...{ name, unit: METRICS[name as MetricName].unit, namespace: NAMESPACE, service: 'alastor' },
      });
      seen.add(name);
    }
    return data;
  } finally {
    spy.mockRestore();
  }
}

const now = () => Date.now() * 1000;

function healthy(fn: string, clock = new Clock()): Recorded {
  const one = new Recorded(fn, clock);
  one.begin(`${fn}-r`);
  one.end();
  return one;
}

/** A function in trouble: two losses, one of them because a part failed; a record that was only shortened, which is none. */
function troubled(): Stored {
  const one = healthy('torn');
  one.add(undefined, { kind: 'gap', why: 'ring-full', lost: 40 });
  one.add(undefined, { kind: 'gap', why: 'proxy-lost', lost: 2, detail: 'ended' });
  one.add(undefined, { kind: 'gap', why: 'oversize', lost: 0 });
  one.add(undefined, { kind: 'unobserved', what: 'program', detail: '/opt/static' });
  const [whole] = one.segments();
  const { caps, fn, version, instanceId } = whole!.segment.header;
  const bytes = encodeSegment({ fn, version, instanceId, prev: null, caps: { ...caps, shim: false } }, one.records);
  return { ...whole!, bytes };
}

describe.skipIf(!hasJava)('metrics', () => {
  let dynamo: LocalDynamo;
  let store: Store;
  let objects: Awaited<ReturnType<LocalDynamo['store']>>['objects'];
  beforeAll(async () => {
    dynamo = await LocalDynamo.start();
    ({ store, objects } = await dynamo.store());
  }, 60_000);
  afterAll(async () => await dynamo?.stop());
  afterEach(() => void vi.restoreAllMocks());

  const stored = (one: Stored, receivedAgoMs = 0): string => {
    objects.set(one.key, one.bytes, now() - receivedAgoMs * 1000);
    return one.key;
  };

  it('says what was stitched and how late it was', async () => {
    const [a] = healthy('shop').segments();
    const [b] = healthy('cart').segments();
    const data = await published(() => stitchEvent(messages([stored(a!, 5000), stored(b!, 90_000)]), store));
    expect(sum(data, 'Segments')).toBe(2);
    expect(sum(data, 'Requests')).toBe(2);
    expect(sum(data, 'Records')).toBe(a!.segment.records.length + b!.segment.records.length);
    expect(sum(data, 'SegmentBytes')).toBe(a!.bytes.length + b!.bytes.length);
    const lags = data.find(({ name }) => name === 'IngestLag')?.values.toSorted((x, y) => x - y) ?? [];
    expect(lags.map((ms) => Math.floor(ms / 10_000))).toEqual([0, 9]);
    expect(data.some(({ dimensions }) => dimensions.function !== undefined)).toBe(false);
  });

  it('counts what was lost once, of whose function, and not again when the segment comes again', async () => {
    const key = stored(troubled());
    const first = await published(() => stitchEvent(messages([key]), store));
    const told = (data: readonly Datum[], fn?: string) => ({
      ...{ gaps: sum(data, 'Gaps', fn), lost: sum(data, 'LostEvents', fn), failures: sum(data, 'CaptureFailures', fn) },
      ...{ degraded: sum(data, 'DegradedInstances', fn), unobserved: sum(data, 'Unobserved', fn) },
    });
    const losses = { gaps: 2, lost: 42, failures: 1, degraded: 1, unobserved: 1 };
    expect(told(first)).toEqual(losses);
    expect(told(first, 'torn')).toEqual(losses);

    const second = await published(() => stitchEvent(messages([key]), store));
    expect(told(second)).toEqual({ gaps: 0, lost: 0, failures: 0, degraded: 0, unobserved: 0 });
    expect(sum(second, 'Duplicates')).toBe(1);

    // The attempt before may have died before it published: then a loss counts twice rather than never.
    const redelivered = await published(() => stitchEvent(messages([key], 2), store));
    expect(told(redelivered)).toEqual(losses);
    expect(sum(redelivered, 'Redelivered')).toBe(1);
  });

  it('takes what was restitched for neither late nor newly lost', async () => {
    const key = stored(troubled(), 86_400_000);
    await published(() => stitchEvent(messages([key]), store));
    const [message] = messages([key]).Records;
    const body = message!.body.replace('ObjectCreated:Put', restitchEvent);
    const data = await published(() => stitchEvent({ Records: [{ ...message!, body }] }, store));
    expect(data.map(({ name }) => name)).not.toContain('IngestLag');
    expect(sum(data, 'Gaps')).toBe(0);
    expect([sum(data, 'Segments'), sum(data, 'Duplicates')]).toEqual([1, 1]);
  });

  it('counts segments set aside under the function whose key they had, and messages given back', async () => {
    const [good] = healthy('swapped').segments();
    const key = good!.key.replace('swapped', 'victim');
    const data = await published(() => stitchEvent(messages([stored({ ...good!, key })]), store));
    expect([sum(data, 'SetAside'), sum(data, 'SetAside', 'victim'), sum(data, 'Segments')]).toEqual([1, 1, 0]);

    objects.failures = 1;
    const failed = await published(() => stitchEvent(messages([stored(good!)]), store));
    expect(sum(failed, 'FailedMessages')).toBe(1);
  });

  it('tells of floods: parts of the graph that were spilled, index entries that were left out', async () => {
    const wide = new Recorded('wide', new Clock());
    wide.begin('w');
    const name = (i: number) => createHash('sha512').update(String(i)).digest('hex');
    for (let i = 0; i < 4200; i++) wide.write(wide.runtime, `/tmp/${name(i)}${name(-i)}`);
    wide.end();
    const [segment] = wide.segments();
    const data = await published(() => stitchEvent(messages([stored(segment!)]), store));
    expect(sum(data, 'Spills')).toBe(1);
    expect(sum(data, 'LinksCut')).toBeGreaterThan(0);
  });

  it('is silent when nothing was done', async () => {
    const event = { Records: [{ messageId: 'm', body: JSON.stringify({ Event: 's3:TestEvent' }) }] };
    expect(await published(() => stitchEvent(event, store))).toEqual([]);
  });

  it('says how questions fared', async () => {
    const ask = (path: string, from: Store = store) =>
      respond({ rawPath: path, rawQueryString: '', requestContext: { http: { method: 'GET' } } } as never, from);
    const whole = await published(() => ask('/v1/functions'));
    expect(whole.map(({ name }) => name)).toEqual(['QueryLatency']);
    const cut = await published(() => ask('/v1/stats'));
    expect(sum(cut, 'CutAnswers')).toBe(1);
    const wrong = await published(() => ask('/v1/nothing'));
    expect(sum(wrong, 'QueryErrors')).toBe(0);
    const { store: gone, drop } = await dynamo.store();
    await drop();
    vi.spyOn(console, 'error').mockReturnValue();
    const failed = await published(() => ask('/v1/functions', gone));
    expect(sum(failed, 'QueryErrors')).toBe(1);
  });

  it('tells of invocations without a record, and of holes between segments, seen from outside', async () => {
    const twenty = 20 * 60_000_000;
    const said = { what: 'invocation', witness: 'platform-log', fn: 'shop', requestId: 'ghost', at: now() - twenty } as const;
    const { store: other, objects: stored } = await dynamo.store();
    const quiet = await published(() => lookBack(other));
    expect(quiet).toEqual([]);
    await other.witnesses.put([{ ...said, part: 'end' }], now() - twenty);
    const clock = new Clock();
    clock.now = now() - twenty;
    const torn = healthy('holed', clock).segments([2, 4]);
    for (const { key, bytes } of [torn[0]!, torn[2]!]) stored.set(key, bytes, now());
    await published(() => stitchEvent(messages([torn[0]!.key, torn[2]!.key]), other));
    const data = await published(() => lookBack(other));
    expect([sum(data, 'SilencedInvocations'), sum(data, 'MissingSegments')]).toEqual([1, 1]);
  });

  it('counts what a witness said that could not be read', async () => {
    const data = await published(() =>
      hear({ awslogs: { data: 'no gzip' } }, store, { send: () => Promise.reject() } as never),
    );
    expect(sum(data, 'TestimoniesUnread')).toBe(1);
  });

  it('sends every metric of the list', () => {
    // What the inventory says of functions is seen under the engine: test/e2e/operations.test.ts.
    const mine = Object.entries(METRICS).filter(([name, { by }]) => by !== 'verify' && !name.startsWith('Functions'));
    expect([...seen].sort()).toEqual(mine.map(([name]) => name).sort());
  });
});
