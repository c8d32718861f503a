import { randomBytes } from 'node:crypto';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { Batch } from '../../../layers/capture/batch.ts';
import { Recorder } from '../../../layers/capture/recorder.ts';
import { Redactor } from '../../../layers/capture/redact.ts';
import { s3Store } from '../../../layers/capture/s3-store.ts';
import { type SegmentStore, Shipper } from '../../../layers/capture/shipper.ts';
import { segmentKey } from '../../../layers/record/key.ts';
import { type Bucket, chainProblems, startBucket } from './bucket.ts';

const CAPS = { shim: true, runtimeProxy: true, networkProxy: true, ptrace: false, seccomp: false, userNamespaces: false };
let bucket: Bucket;
let store: SegmentStore;
let recorder: Recorder;
let shipper: Shipper;

beforeEach(async () => {
  bucket = await startBucket();
  vi.stubEnv('AWS_ENDPOINT_URL', bucket.url);
  vi.stubEnv('AWS_REGION', 'eu-central-1');
  vi.stubEnv('AWS_ACCESS_KEY_ID', 'AKIDEXAMPLE');
  vi.stubEnv('AWS_SECRET_ACCESS_KEY', 'secret');
  store = s3Store(bucket.name);
  shipper = new Shipper({
    store,
    fn: 'purchase',
    version: '$LATEST',
    caps: () => CAPS,
    onLost: (why, lost, detail) => recorder.gap(why, lost, detail),
  });
  recorder = new Recorder({ sink: shipper, redactor: new Redactor() });
});
afterEach(async () => {
  await bucket.close();
  vi.unstubAllEnvs();
});

const note = (detail: string) => recorder.observe({ kind: 'unobserved', t: 1, what: 'program', detail });
const details = () => bucket.records().map((r) => (r.kind === 'unobserved' ? r.detail : r.kind));

describe('segments', () => {
  it('reach the bucket under their keys, chained, with nothing missing', async () => {
    for (let i = 0; i < 5; i++) {
      note(`n${i}`);
      recorder.cut();
      expect(await shipper.flush(5000)).toBe(true);
    }
    expect(details()).toEqual(['n0', 'n1', 'n2', 'n3', 'n4']);
    expect(bucket.objects.size).toBe(5);
    expect(chainProblems(bucket)).toEqual([]);
    expect(bucket.segments()[0]!.header).toMatchObject({ fn: 'purchase', version: '$LATEST', prev: null, caps: CAPS });
  });

  it('are put together when several wait', async () => {
    bucket.mood = () => 503;
    note('a');
    recorder.cut();
    await shipper.flush(100);
    for (const name of ['b', 'c', 'd']) {
      note(name);
      recorder.cut();
    }
    bucket.mood = () => 'ok';
    expect(await shipper.flush(5000)).toBe(true);
    expect(details()).toEqual(['a', 'b', 'c', 'd']);
    expect(bucket.objects.size).toBe(2);
    expect(chainProblems(bucket)).toEqual([]);
  });

  it('start a new chain after a restore', async () => {
    note('a');
    recorder.restored();
    note('b');
    recorder.cut();
    await shipper.flush(5000);
    expect(bucket.segments().map(({ header }) => [header.first, header.prev])).toEqual([
      [0, null],
      [0, null],
    ]);
    expect(chainProblems(bucket)).toEqual([]);
  });
});

describe('when the bucket fails', () => {
  it('tries again and stores once', async () => {
    let failures = 2;
    bucket.mood = () => (failures-- > 0 ? 500 : 'ok');
    note('a');
    recorder.cut();
    expect(await shipper.flush(5000)).toBe(true);
    expect(bucket.attempts).toHaveLength(3);
    expect(details()).toEqual(['a']);
  });

  it('takes "exists already" for its own earlier attempt when that had no answer', async () => {
    let first = true;
    bucket.mood = () => {
      const mood = first ? 'store-and-hang-up' : 'ok';
      first = false;
      return mood;
    };
    note('a');
    recorder.cut();
    expect(await shipper.flush(5000)).toBe(true);
    note('b');
    recorder.cut();
    expect(await shipper.flush(5000)).toBe(true);
    expect(details()).toEqual(['a', 'b']);
    expect(chainProblems(bucket)).toEqual([]);
  });

  it('counts as lost what somebody else has taken the place of', async () => {
    const key = segmentKey({ fn: 'purchase', instanceId: recorder.instanceId, first: 0, last: 0 });
    bucket.objects.set(key, Buffer.from('forged'));
    note('a');
    recorder.cut();
    expect(await shipper.flush(5000)).toBe(true);
    note('b');
    recorder.cut();
    await shipper.flush(5000);
    bucket.objects.delete(key);
    expect(bucket.records()).toMatchObject([
      { detail: 'b', seq: 1 },
      { kind: 'gap', why: 'ship-failed', lost: 1 },
    ]);
  });

  it('gives up in time, keeps what it has, and waits less the next time', async () => {
    bucket.mood = () => 'hang';
    const before = shipper.budgetMs;
    note('a');
    recorder.cut();
    expect(await shipper.flush(50)).toBe(false);
    expect(shipper.budgetMs).toBeLessThan(before);
    bucket.mood = () => 'ok';
    note('b');
    recorder.cut();
    expect(await shipper.flush(5000)).toBe(true);
    expect(details()).toEqual(['a', 'b']);
    expect(shipper.budgetMs).toBe(before);
  });

  it('gives up in time also when more comes while it tries', async () => {
    bucket.mood = () => 503;
    note('a');
    recorder.cut();
    const given = shipper.flush(100);
    note('b');
    recorder.cut();
    expect(await given).toBe(false);
    bucket.mood = () => 'ok';
    expect(await shipper.flush(5000)).toBe(true);
    expect(details()).toEqual(['a', 'b']);
    expect(chainProblems(bucket)).toEqual([]);
  });

  it('gives up in time also when the store does not', async () => {
    store.putNew = () => new Promise(() => {});
    note('a');
    recorder.cut();
    expect(await shipper.flush(100)).toBe(false);
  });

  it('keeps a bounded backlog, counts the rest, and stores what it kept when the bucket is back', async () => {
    bucket.mood = () => 503;
    const made = 10_000;
    for (let i = 0; i < made; i++) note(randomBytes(1000).toString('hex'));
    recorder.cut();
    await shipper.flush(100);
    expect(shipper.backlogBytes).toBeLessThan(10 * 1024 * 1024);
    bucket.mood = () => 'ok';
    recorder.cut();
    expect(await shipper.flush(20_000)).toBe(true);
    const kept = bucket.records().filter((r) => r.kind === 'unobserved').length;
    const lost = bucket.records().reduce((sum, r) => sum + (r.kind === 'gap' ? r.lost : 0), 0);
    expect(lost).toBeGreaterThan(0);
    expect(kept + lost).toBe(made);
    // What waits is compressed: more of it than its raw form would allow.
    expect(kept * 2000).toBeGreaterThan(8 * 1024 * 1024);
    expect(chainProblems(bucket)).toEqual([]);
  });

  it('does not insist on what is refused', async () => {
    bucket.mood = () => 403;
    note('a');
    recorder.cut();
    expect(await shipper.flush(2000)).toBe(false);
    expect(bucket.attempts.length).toBeLessThan(6);
  });
});

it('drops records that could not be encoded rather than stopping', async () => {
  const batch: Batch = { instanceId: 'not an id', first: 0, records: 1, body: Buffer.from('{}\n') };
  shipper.enqueue(batch);
  note('a');
  recorder.cut();
  expect(await shipper.flush(5000)).toBe(true);
  expect(details()).toContain('a');
});
