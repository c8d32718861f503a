import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { requestPartition } from '../../../functions/graph/ids.ts';
import { stitchEvent } from '../../../functions/stitcher/handler.ts';
import { keysOf } from '../../../functions/stitcher/notification.ts';
import { handOver } from '../attacks.ts';
import { hasJava, LocalDynamo } from '../dynamodb-local.ts';
import { START } from '../scenario.ts';

const notification = (...keys: readonly string[]) => ({
  Records: keys.map((key) => ({
    eventName: 'ObjectCreated:Put',
    eventSource: 'aws:s3',
    s3: { bucket: { name: 'b' }, object: { key } },
  })),
});
const message = (messageId: string, body: unknown) => ({
  messageId,
  body: typeof body === 'string' ? body : JSON.stringify(body),
});

describe('notifications', () => {
  it('names keys decoded, however it was wrapped, and none for tests and deletions', () => {
    const plain = notification('segments/f/a%2Bb+c.zst');
    expect(keysOf(plain)).toEqual(['segments/f/a+b c.zst']);
    expect(keysOf({ Type: 'Notification', Message: JSON.stringify(plain) })).toEqual(['segments/f/a+b c.zst']);
    expect(keysOf({ source: 'aws.s3', detail: { object: { key: 'segments/x%y' } } })).toEqual(['segments/x%y']);
    expect(keysOf({ Service: 'Amazon S3', Event: 's3:TestEvent', Bucket: 'b' })).toEqual([]);
    expect(keysOf({ Records: [{ ...plain.Records[0], eventName: 'ObjectRemoved:Delete' }] })).toEqual([]);
  });
});

describe.skipIf(!hasJava)('stitcher', () => {
  let dynamo: LocalDynamo;
  beforeAll(async () => {
    dynamo = await LocalDynamo.start();
  }, 60_000);
  afterAll(async () => await dynamo?.stop());

  it('reports back only what may succeed later, and sets damaged segments aside with the reason', async () => {
    const { store, objects } = await dynamo.store();
    const { a, b } = handOver('sqs');
    const [good] = a.segments();
    const [other] = b.segments();
    objects.set(good!.key, good!.bytes, START);
    // Bytes of one function under the key of another: evidence in somebody else's name.
    objects.set(other!.key, good!.bytes, START);
    const torn = other!.key.replace('receiver', 'torn');
    objects.set(torn, good!.bytes.slice(0, 40), START);
    const answer = await stitchEvent(
      {
        Records: [
          message('m1', notification(good!.key)),
          message('m2', notification(other!.key)),
          message('m3', notification(torn)),
          message('m4', { Event: 's3:TestEvent' }),
          message('m5', 'not json'),
          message(
            'm6',
            notification('segments/gone/0190aaaa-0000-7000-8000-000000000000/000000000000-000000000001.ndjson.zst'),
          ),
        ],
      },
      store,
    );
    expect(answer).toEqual({ batchItemFailures: [] });
    expect(await store.source.shardsOf(a.id, requestPartition('req-a'))).toHaveLength(1);
    expect(await store.source.shardsOf(b.id, requestPartition('req-a'))).toHaveLength(0);
    const poison = await store.lists.poison(10);
    expect(poison.map(({ segment, code }) => [segment, code]).sort()).toEqual(
      [
        [other!.key, 'header'],
        [torn, 'truncated'],
      ].sort(),
    );
    expect(poison.find(({ segment }) => segment === other!.key)?.reason).toContain('the key says');
  });

  it('lists what goes to the dead-letter queue with the reason, until it is stitched after all', async () => {
    const { store, objects } = await dynamo.store();
    const [good] = handOver('sqs').a.segments();
    objects.set(good!.key, good!.bytes, Date.now() * 1000);
    const delivered = (attempt: number) => {
      const one = message('m1', notification(good!.key));
      return { Records: [{ ...one, attributes: { ApproximateReceiveCount: String(attempt) } }] };
    };
    const given = { batchItemFailures: [{ itemIdentifier: 'm1' }] };
    for (const attempt of [4, 5]) {
      objects.failures = 1;
      expect(await stitchEvent(delivered(attempt), store)).toEqual(given);
      const poison = await store.lists.poison(10);
      if (attempt === 4) expect(poison).toEqual([]);
      else
        expect(poison).toMatchObject([
          { segment: good!.key, code: 'gave-up', reason: expect.stringContaining('connection reset') },
        ]);
    }
    // Moved back from there it is a new message; how late it comes tells that it may be listed.
    objects.set(good!.key, good!.bytes, Date.now() * 1000 - 600_000_000);
    expect(await stitchEvent(delivered(1), store)).toEqual({ batchItemFailures: [] });
    expect(await store.lists.poison(10)).toEqual([]);
    // A last attempt that succeeds leaves nothing behind.
    expect(await stitchEvent(delivered(5), store)).toEqual({ batchItemFailures: [] });
    expect(await store.lists.poison(10)).toEqual([]);
  });

  it('does not list as given up what is only gone', async () => {
    const { store } = await dynamo.store();
    const one = message('m1', notification(handOver('sqs').a.segments()[0]!.key));
    const last = { Records: [{ ...one, attributes: { ApproximateReceiveCount: '5' } }] };
    expect(await stitchEvent(last, store)).toEqual({ batchItemFailures: [] });
    expect(await store.lists.poison(10)).toEqual([]);
  });

  it('hands a failed read back to the queue, and that message alone', async () => {
    const { store, objects } = await dynamo.store();
    const [good] = handOver('sqs').a.segments();
    objects.set(good!.key, good!.bytes, START);
    objects.failures = 1;
    const records = [message('m1', notification(good!.key)), message('m2', { Event: 's3:TestEvent' })];
    expect(await stitchEvent({ Records: records }, store)).toEqual({ batchItemFailures: [{ itemIdentifier: 'm1' }] });
    expect(await stitchEvent({ Records: records }, store)).toEqual({ batchItemFailures: [] });
    // Straight from S3, without a queue: a failure must fail the invocation.
    objects.failures = 1;
    await expect(stitchEvent(notification(good!.key), store)).rejects.toThrow('connection reset');
  });
});
