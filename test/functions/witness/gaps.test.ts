import { gzipSync } from 'node:zlib';
import type { APIGatewayProxyEventV2 } from 'aws-lambda';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { lookForMissing } from '../../../functions/inventory/watch.ts';
import { respond } from '../../../functions/query/handler.ts';
import { stitch } from '../../../functions/stitcher/stitch.ts';
import type { Store } from '../../../functions/store/connect.ts';
import type { Gap } from '../../../functions/store/gap.ts';
import { MAX_FUNCTIONS } from '../../../functions/store/inventory.ts';
import type { Testimony } from '../../../functions/store/testimony.ts';
import { hear } from '../../../functions/witness/handler.ts';
import { hasJava, LocalDynamo, type MemoryObjects } from '../dynamodb-local.ts';
import { Clock, Recorded } from '../scenario.ts';
import { changeEvent, delivery, invokeEvent, reported, started } from './deliveries.ts';

const MINUTE = 60_000_000;
const streamOf = (n: number) => `2026/11/22/[$LATEST]${String(n).padStart(32, '0')}`;

interface Answer {
  readonly gaps: readonly Gap[];
  readonly requests: readonly { readonly requestId?: string }[];
  readonly cursor?: string;
  readonly cut: readonly string[];
  readonly silenced: number;
  readonly changes: readonly object[];
  readonly segments: readonly { readonly reason: string }[];
}

describe.skipIf(!hasJava)('gaps', () => {
  let dynamo: LocalDynamo;
  let store: Store;
  let objects: MemoryObjects;
  const now = Date.now() * 1000;

  beforeAll(async () => {
    dynamo = await LocalDynamo.start();
  }, 60_000);
  afterAll(async () => await dynamo?.stop());
  beforeEach(async () => {
    ({ store, objects } = await dynamo.store());
  });

  const get = async (path: string, query: Record<string, string> = {}): Promise<Answer> => {
    const rawQueryString = new URLSearchParams(query).toString();
    const event = { rawPath: path, rawQueryString, requestContext: { http: { method: 'GET' } } } as APIGatewayProxyEventV2;
    const { statusCode, body } = await respond(event, store);
    expect({ statusCode, body }).toMatchObject({ statusCode: 200 });
    return JSON.parse(body ?? '') as Answer;
  };
  const silenced = async (more: Record<string, string> = {}) =>
    (await get('/v1/gaps', { kind: 'silenced', grace: '0', ...more })).gaps;
  const noS3 = { send: () => Promise.reject(new Error('no S3 here')) } as unknown as Parameters<typeof hear>[2];
  const stitchAll = async (one: Recorded, cuts: readonly number[] = [], without: readonly number[] = []) => {
    for (const [i, { key, bytes }] of one.segments(cuts).entries()) {
      if (without.includes(i)) continue;
      objects.set(key, bytes, now);
      await stitch(key, objects, store.writer);
    }
    await store.writer.settle();
  };
  const served = (fn: string, ...requests: readonly string[]) => {
    const clock = new Clock();
    clock.now = now - 30 * MINUTE;
    const one = new Recorded(fn, clock);
    for (const id of requests) {
      one.begin(id);
      one.end();
    }
    return one;
  };

  it('lists an invocation that the platform reports and no instance recorded, and says whether its instance recorded others', async () => {
    await stitchAll(served('shop', 'r-1', 'r-2'));
    const at = now - 29 * MINUTE;
    const lines = (...ids: readonly string[]) =>
      ids.flatMap((id) => [
        { at, message: started(id) },
        { at: at + 12_500, message: reported(id) },
      ]);
    await hear(delivery(lines('r-1', 'r-2', 'r-3'), { stream: streamOf(1) }), store, noS3);
    await hear(delivery(lines('r-4'), { stream: streamOf(2) }), store, noS3);
    const found = await silenced();
    expect(found.map(({ requestId }) => requestId).sort()).toEqual(['r-3', 'r-4']);
    const [three] = found.filter(({ requestId }) => requestId === 'r-3');
    expect(three).toMatchObject({ kind: 'silenced', function: 'shop', instance: 'recorded', instanceId: expect.any(String) });
    expect(three?.witnesses).toMatchObject([{ witness: 'platform-log', version: '$LATEST', durationMs: 12.5, start: at }]);
    expect(found.find(({ requestId }) => requestId === 'r-4')).toMatchObject({ instance: 'not recorded' });
    expect(await silenced({ function: 'other' })).toEqual([]);
    // Not before its segment had time to come; and then no more.
    expect((await get('/v1/gaps', { kind: 'silenced' })).gaps).toEqual([]);
    await stitchAll(served('shop', 'r-3', 'r-4'));
    expect(await silenced()).toEqual([]);
  });

  it('does not let another function answer for a silenced one', async () => {
    await stitchAll(served('accomplice', 'r-1'));
    await hear(delivery([{ at: now - 20 * MINUTE, message: started('r-1') }]), store, noS3);
    expect(await silenced()).toMatchObject([{ requestId: 'r-1', function: 'shop', instance: 'not recorded' }]);
  });

  it('keeps what witnesses say in the same rows, whatever the order and however often', async () => {
    const at = now - 20 * MINUTE;
    const common = { what: 'invocation', witness: 'platform-log', fn: 'shop', stream: streamOf(1) } as const;
    const said: Testimony[] = ['a', 'b', 'c'].flatMap((requestId): Testimony[] => [
      { ...common, requestId, part: 'start', at, version: '3' },
      { ...common, requestId, part: 'end', at: at + 5000, durationMs: 5, status: 'success' },
    ]);
    await store.witnesses.put(said, now);
    const other = await dynamo.store();
    for (const one of [...said, ...said].reverse()) await other.store.witnesses.put([one], now);
    const lists = await store.witnesses.lists('0', '9');
    expect(lists).toEqual(await other.store.witnesses.lists('0', '9'));
    for (const spread of [0, 1, 2, 3]) {
      const read = (from: Store) => from.witnesses.invocations(lists[0]!, spread, '', 100);
      expect(await read(other.store)).toEqual(await read(store));
    }
  });

  it('takes CloudTrail files that S3 announces: who called, who changed what', async () => {
    const eventTime = new Date(now / 1000 - 1_200_000).toISOString();
    const records = [
      invokeEvent('r-9', 'shop', { eventTime }),
      changeEvent('UpdateFunctionCode20150331v2', 'shop', { eventTime }),
    ];
    const file = gzipSync(JSON.stringify({ Records: records }));
    const s3 = {
      send: async () => ({ Body: { transformToByteArray: async () => new Uint8Array(file) } }),
    } as unknown as Parameters<typeof hear>[2];
    const key =
      'AWSLogs/123456789012/CloudTrail/us-east-1/2026/11/22/123456789012_CloudTrail_us-east-1_20261122T0515Z_x.json.gz';
    const event = { Records: [{ s3: { bucket: { name: 'trail' }, object: { key } } }] };
    await hear(event, store, s3);
    await hear(event, store, s3);
    expect(await silenced()).toMatchObject([
      { requestId: 'r-9', witnesses: [{ witness: 'cloudtrail', sourceIp: '203.0.113.9' }] },
    ]);
    const { changes } = await get('/v1/changes');
    expect(changes).toMatchObject([{ action: 'UpdateFunctionCode', fn: 'shop', by: 'arn:aws:iam::123456789012:user/mallory' }]);
    expect(changes).toHaveLength(1);
  });

  it('lists instances that the platform started and in which the recorder did not come up', async () => {
    const fn = served('shop', 'i-1');
    await stitchAll(fn);
    const at = now - 29 * MINUTE;
    const day = new Date(at / 1000).toISOString().slice(0, 10).replaceAll('-', '/');
    const stream = (n: number) => `${day}/[$LATEST]${String(n).padStart(32, '0')}`;
    const began = { at, message: 'INIT_START Runtime Version: nodejs:24.v1\tRuntime Version ARN: arn\n' };
    const extension = (state: string) => ({ at, message: `EXTENSION\tName: alastor\tState: ${state}\tEvents: []\n` });
    const ready = { at, message: 'INIT_REPORT Init Duration: 80.00 ms\tPhase: init\tStatus: success\n' };
    const restored = { at, message: 'RESTORE_START Runtime Version: java:21.v9\tRuntime Version ARN: arn\n' };
    const lines = [
      [began, extension('Ready'), ready, { at, message: started('i-1') }],
      [began, { at, message: 'EXTENSION\tName: other\tState: Ready\tEvents: []\n' }],
      [began, extension('InitError\tError Type: Extension.Crash')],
      [restored],
      // Its recorder says nothing to the log, and works all the same.
      [began, { at, message: started('i-2') }],
    ];
    await stitchAll(served('shop', 'i-2'));
    for (const [i, one] of lines.entries()) await hear(delivery(one, { stream: stream(i) }), store, noS3);
    const { gaps } = await get('/v1/gaps', { kind: 'unrecorded', grace: '0' });
    expect(gaps.map(({ detail, why, function: of }) => ({ detail, why, of }))).toEqual([
      { detail: stream(1), why: 'the recorder did not register', of: 'shop' },
      { detail: stream(2), why: 'the recorder failed: InitError Extension.Crash', of: 'shop' },
    ]);
    expect((await get('/v1/gaps', { kind: 'unrecorded' })).gaps).toEqual([]);
    const paged = await get('/v1/gaps', { kind: 'unrecorded', grace: '0', limit: '1' });
    expect(paged.gaps).toMatchObject([{ detail: stream(1) }]);
    const next = await get('/v1/gaps', { kind: 'unrecorded', grace: '0', limit: '1', cursor: paged.cursor ?? '' });
    expect(next.gaps).toMatchObject([{ detail: stream(2) }]);
    expect(await get(`/v1/instances/${fn.id}`)).toMatchObject({
      platform: {
        ...{ stream: stream(0), start: at, runtime: 'nodejs:24.v1', status: 'success', durationMs: 80 },
        extensions: [{ name: 'alastor', state: 'Ready' }],
      },
    });
  });

  it('sets aside what it cannot read, with the reason', async () => {
    await hear({ awslogs: { data: gzipSync(Buffer.alloc(80 * 1024 * 1024)).toString('base64') } }, store, noS3);
    await hear({ awslogs: { data: 'AAAA' } }, store, noS3);
    const { segments } = await get('/v1/segments/poison');
    expect(segments.map(({ reason }) => /larger than|header/.test(reason))).toEqual([true, true]);
    // Two deliveries, and of a third one line.
    const lines = [{ at: now, message: 'GET /cart 200' }];
    await hear(delivery(lines, { group: '/aws/vendedlogs/api' }), store, noS3);
    expect((await get('/v1/gaps')).gaps).toMatchObject([{ kind: 'witness', why: 'unread: log delivery', lost: 3 }]);
    expect(await get('/v1/stats')).toMatchObject({ testimonyLost: 3 });
  });

  it('goes on after requests whose ids are as long and odd as may be', async () => {
    const ids = ['#', '|', '%'].map((odd) => odd.repeat(128));
    await stitchAll(served('odd', ...ids));
    await store.witnesses.put(
      ids.map((requestId) => ({
        ...{ what: 'invocation', witness: 'platform-log', fn: 'quiet', requestId, part: 'start' },
        at: now - 20 * MINUTE,
      })),
      now,
    );
    for (const [path, query] of [
      ['/v1/gaps', { kind: 'silenced', grace: '0', limit: '1' }],
      ['/v1/requests', { limit: '1' }],
    ] as const) {
      const found: string[] = [];
      let cursor: string | undefined;
      for (let pages = 0; pages === 0 || cursor !== undefined; pages++) {
        expect(pages).toBeLessThan(50);
        const page = await get(path, { ...query, ...(cursor === undefined ? {} : { cursor }) });
        found.push(...(page.gaps ?? page.requests).map(({ requestId = '' }) => requestId));
        cursor = page.cursor;
      }
      expect(new Set(found).size, path).toBe(3);
      expect(found, path).toHaveLength(3);
    }
  });

  it('lists missing segments, broken chains and what instances say they lost, page by page, each once', async () => {
    const holed = served('holed', 'h-1', 'h-2');
    const cut = holed.records.findIndex(({ req }) => req === 'h-1');
    await stitchAll(holed, [cut - 1, holed.records.findIndex(({ req }) => req === 'h-2') - 1], [1]);
    const lossy = served('lossy', 'l-1');
    lossy.begin('l-2');
    lossy.add(undefined, { kind: 'gap', why: 'ring-full', lost: 7 });
    lossy.end();
    await stitchAll(lossy);
    const expected = [
      { kind: 'records', function: 'holed', from: cut },
      { kind: 'gap', function: 'lossy', why: 'ring-full', lost: 7, requestId: 'l-2' },
    ];
    const all = (await get('/v1/gaps')).gaps;
    expect(all).toHaveLength(2);
    expect([...all].sort((a, b) => (a.function! < b.function! ? -1 : 1))).toMatchObject(expected);
    const paged: Gap[] = [];
    let cursor: string | undefined;
    do {
      const page = await get('/v1/gaps', { limit: '1', ...(cursor === undefined ? {} : { cursor }) });
      paged.push(...page.gaps);
      cursor = page.cursor;
    } while (cursor !== undefined);
    expect(paged).toEqual(all);
    expect((await get('/v1/gaps', { kind: 'records' })).gaps).toMatchObject([expected[0]]);
    expect((await get('/v1/gaps', { function: 'lossy' })).gaps).toMatchObject([expected[1]]);
  });

  it.each([
    ['hours ago', -5 * 60],
    ['years ago', -3 * 365 * 24 * 60],
    ['tomorrow', 24 * 60],
    ['a moment ago', -1],
  ])('lists what came since a time, though the clock of its instance says %s', async (_, minutes) => {
    const at = now + minutes * MINUTE;
    const clock = new Clock();
    clock.now = at;
    const hostile = new Recorded('hostile', clock);
    for (const id of ['t-1', 't-2', 't-3']) {
      hostile.begin(id);
      if (id === 't-3') hostile.add(undefined, { kind: 'gap', why: 'ring-full', lost: 9 });
      hostile.end();
    }
    const begin = (id: string) => hostile.records.findIndex(({ req }) => req === id) - 1;
    await stitchAll(hostile, [begin('t-2'), begin('t-3')], [1]);
    const since = String(now - 30 * MINUTE);
    const { gaps } = await get('/v1/gaps', { since });
    expect(gaps.map(({ kind, requestId }) => [kind, requestId]).sort()).toEqual([
      ['gap', 't-3'],
      ['records', undefined],
    ]);
    // What it claims is shown, and beside it when it came.
    for (const gap of gaps) {
      expect(Math.abs(gap.at - at)).toBeLessThan(MINUTE);
      expect(gap.received).toBe(minutes === -1 ? undefined : now);
    }
    // The watch that alarms asks in the same way.
    expect(await lookForMissing(store, now)).toEqual({ silenced: 0, segments: 1, cut: false });
    // What came before stays out, whatever its clock says.
    expect((await get('/v1/gaps', { since: String(now + 30 * MINUTE) })).gaps).toEqual([]);
  });

  it('says where the list of functions without the layer ends', async () => {
    const bare = (name: string) => ({ name, arn: `arn:${name}`, layers: [], sources: [], audited: false });
    await store.inventory.put([bare('one')], now, ['lambda: there are more than 5000 functions']);
    const some = await get('/v1/gaps', { kind: 'unaudited' });
    expect(some.gaps.map((gap) => gap.function)).toEqual(['one']);
    expect(some.cut).toEqual(['inventory: lambda: there are more than 5000 functions']);
    await store.inventory.put(
      Array.from({ length: MAX_FUNCTIONS + 1 }, (_, i) => bare(`fn-${i}`)),
      now,
    );
    const most = await get('/v1/gaps', { kind: 'unaudited', limit: '500' });
    expect(most.gaps).toHaveLength(MAX_FUNCTIONS);
    expect(most.cut).toEqual(['inventory: it knows more functions than the 5000 that were compared']);
    // Of what was not asked for nothing is said.
    expect((await get('/v1/gaps', { kind: 'records' })).cut).toEqual([]);
  }, 30_000);
});
