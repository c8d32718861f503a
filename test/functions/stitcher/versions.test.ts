import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { requestPartition } from '../../../functions/graph/ids.ts';
import { stitchEvent } from '../../../functions/stitcher/handler.ts';
import { restitchEvent } from '../../../functions/stitcher/notification.ts';
import { FORMAT_VERSION } from '../../../layers/record/version.ts';
import { hasJava, LocalDynamo } from '../dynamodb-local.ts';
import { messages } from '../messages.ts';
import { Clock, Recorded, START, type Stored } from '../scenario.ts';

const NEXT = FORMAT_VERSION + 1;

/** Codec and stitcher as a release with the next version of the format would have them. */
async function nextRelease() {
  vi.resetModules();
  vi.doMock('../../../layers/record/version.ts', () => ({ FORMAT_VERSION: NEXT }));
  const { encodeSegment } = await import('../../../layers/record/codec.ts');
  const { stitchEvent: stitchNext } = await import('../../../functions/stitcher/handler.ts');
  const written = ({ segment: { header, records } }: Stored) => {
    const { v: _, ...fields } = header;
    return encodeSegment(fields, records);
  };
  return { written, stitchNext };
}
afterEach(() => {
  vi.doUnmock('../../../layers/record/version.ts');
  vi.resetModules();
});

function recorded(fn: string): Recorded {
  const one = new Recorded(fn, new Clock());
  one.begin('r');
  one.end();
  return one;
}

const again = (key: string) => {
  const [message] = messages([key]).Records;
  return { Records: [{ ...message!, body: message!.body.replace('ObjectCreated:Put', restitchEvent) }] };
};

describe.skipIf(!hasJava)('during an upgrade', () => {
  let dynamo: LocalDynamo;
  beforeAll(async () => {
    dynamo = await LocalDynamo.start();
  }, 60_000);
  afterAll(async () => await dynamo?.stop());

  it('a segment of a newer layer is set aside, and stitched when the stitcher has followed', async () => {
    const { store, objects } = await dynamo.store();
    const { written, stitchNext } = await nextRelease();
    const one = recorded('early');
    const [segment] = one.segments();
    const { key } = segment!;
    objects.set(key, written(segment!), START);

    expect(await stitchEvent(messages([key]), store)).toEqual({ batchItemFailures: [] });
    const [poison] = await store.lists.poison(10);
    expect(poison).toMatchObject({ segment: key, code: 'version' });
    expect(poison?.reason).toContain(`format version ${NEXT}, and this reads up to ${FORMAT_VERSION}`);
    expect(await store.source.shardsOf(one.id, requestPartition('r'))).toEqual([]);

    expect(await stitchNext(again(key), store)).toEqual({ batchItemFailures: [] });
    expect(await store.lists.poison(10)).toEqual([]);
    expect(await store.source.shardsOf(one.id, requestPartition('r'))).toHaveLength(1);
  });

  it('a segment of an older layer is read by the new stitcher, and beside newer ones of the same function', async () => {
    const { store, objects } = await dynamo.store();
    const { written, stitchNext } = await nextRelease();
    const [old, renewed] = [recorded('shop'), recorded('shop')];
    const [first] = old.segments();
    const [second] = renewed.segments();
    objects.set(first!.key, first!.bytes, START);
    objects.set(second!.key, written(second!), START);
    expect(await stitchNext(messages([first!.key, second!.key]), store)).toEqual({ batchItemFailures: [] });
    expect(await store.lists.poison(10)).toEqual([]);
    expect((await store.lists.stats()).segments).toBe(2);
  });

  it('a damaged segment of a newer layer is damage, and not only new', async () => {
    const { store, objects } = await dynamo.store();
    const { written } = await nextRelease();
    const [segment] = recorded('odd').segments();
    const bytes = written(segment!);
    objects.set(segment!.key, bytes.subarray(0, bytes.length - 8), START);
    await stitchEvent(messages([segment!.key]), store);
    expect((await store.lists.poison(10)).map(({ code }) => code)).toEqual(['truncated']);
  });
});
