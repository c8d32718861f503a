/** The daily verification, over real tables and a directory of segments. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { stitch } from '../../../functions/stitcher/stitch.ts';
import type { Finding } from '../../../functions/store/finding.ts';
import type { GapPlace } from '../../../functions/store/gaps.ts';
import { Table } from '../../../functions/store/table.ts';
import { byInstance, MOST_OBJECTS } from '../../../functions/verify/by-instance.ts';
import { DirectoryEvidence } from '../../../functions/verify/directory-source.ts';
import type { EvidenceSource } from '../../../functions/verify/evidence.ts';
import { verifyRecent } from '../../../functions/verify/recent.ts';
import { segmentKey } from '../../../layers/record/key.ts';
import { hasJava, LocalDynamo } from '../dynamodb-local.ts';
import { Clock, Recorded, type Stored } from '../scenario.ts';

const MINUTE = 60_000_000;

describe.skipIf(!hasJava)('the daily verification', () => {
  let dynamo: LocalDynamo;
  let made: Awaited<ReturnType<LocalDynamo['store']>>;
  let folder: string;
  const now = Date.now() * 1000;

  beforeAll(async () => {
    dynamo = await LocalDynamo.start();
  }, 60_000);
  afterAll(async () => await dynamo?.stop());
  beforeEach(async () => {
    made = await dynamo.store();
    folder = mkdtempSync(join(tmpdir(), 'alastor-recent-'));
  });
  afterEach(() => rmSync(folder, { recursive: true, force: true }));

  const served = (fn: string): Recorded => {
    const clock = new Clock();
    clock.now = now - 30 * MINUTE;
    const one = new Recorded(fn, clock);
    for (const id of ['a', 'b']) {
      one.begin(`${fn}-${id}`);
      one.end();
    }
    return one;
  };
  const stitchAll = async (segments: readonly Stored[]) => {
    for (const { key, bytes } of segments) {
      made.objects.set(key, bytes, now);
      await stitch(key, made.objects, made.store.writer);
    }
    await made.store.writer.settle();
  };
  const lay = (segments: readonly { readonly key: string; readonly bytes: Uint8Array }[]) => {
    for (const { key, bytes } of segments) {
      mkdirSync(dirname(join(folder, key)), { recursive: true });
      writeFileSync(join(folder, key), bytes);
    }
  };
  const verified = (source: EvidenceSource = new DirectoryEvidence(folder)) =>
    verifyRecent(made.store, source, { now, hours: 26, retentionDays: 90, deadline: Date.now() + 60_000 });

  it('goes on with all others where an instance cannot be verified, and counts it', async () => {
    const [innocent, hostile] = [served('innocent').segments([1, 3]), served('hostile').segments([1, 3])];
    await stitchAll([...innocent, ...hostile]);
    lay([innocent[0]!, innocent[2]!]);
    lay(hostile.slice(1));
    mkdirSync(join(folder, hostile[0]!.key));
    const { instances, left, cut, findings } = await verified();
    expect({ instances, left, cut }).toEqual({ instances: 1, left: 1, cut: false });
    expect(findings.length).toBeGreaterThan(0);
    expect(new Set(findings.map(({ function: fn }) => fn))).toEqual(new Set(['innocent']));
  });

  it('does not take an instance that went on while it was listed for one whose end was cut off', async () => {
    const segments = served('busy').segments([1, 3]);
    await stitchAll(segments);
    lay(segments.slice(0, 2));
    class Listed extends DirectoryEvidence {
      override async *instances(...asked: Parameters<DirectoryEvidence['instances']>) {
        for await (const one of super.instances(...asked)) {
          lay(segments.slice(2));
          yield one;
        }
      }
    }
    // The first listing is from before the last segment, which is noted by the time that it is judged.
    expect((await verified(new Listed(folder))).findings).toEqual([]);
    // What is gone also when it is listed again is gone.
    rmSync(join(folder, segments[2]!.key));
    expect((await verified()).findings).toMatchObject([{ kind: 'truncated', sure: 'certain', segment: segments[2]!.key }]);
  });

  it('knows the digests also of an instance that served more requests than are listed at once', async () => {
    const segments = served('much').segments([1, 3]);
    await stitchAll(segments);
    lay(segments.slice(0, 2));
    const { instanceId } = segments[0]!.segment.header;
    const others = Array.from({ length: 5100 }, (_, n) => ({
      ...{ instanceId: { S: instanceId }, fn: { S: 'much' } },
      part: { S: `${String(n).padStart(8, '0')}#000000000000-000000000001` },
    }));
    await new Table(dynamo.client, made.tables[0]!).putAll(others);
    const { findings, left } = await verified();
    expect(findings).toMatchObject([{ kind: 'truncated', sure: 'certain', segment: segments[2]!.key }]);
    expect(left).toBe(0);
  });

  it('keeps findings of every function where one has too many, and counts all', async () => {
    const loud = served('loud').segments();
    const quiet = served('quiet').segments([1, 3]);
    await stitchAll([...loud, ...quiet]);
    lay([...loud, quiet[0]!, quiet[2]!]);
    for (let n = 0; n < 130; n++) lay([{ key: `${dirname(loud[0]!.key)}/strange-${n}`, bytes: Buffer.from('x') }]);
    const { failures, findings } = await verified();
    const of = (fn: string) => findings.filter((one) => one.function === fn).length;
    expect(of('loud')).toBe(100);
    expect(of('quiet')).toBeGreaterThan(0);
    expect(failures).toBe(130 + of('quiet'));
    // And all that is kept is listed, page by page, each once.
    await made.store.findings.put(findings, now);
    for (const [fn, count] of [
      [undefined, findings.length],
      ['loud', 100],
      ['quiet', of('quiet')],
      ['qui', 0],
    ] as const) {
      const query = { since: 0, grace: 0, now, kinds: new Set(['tampered'] as const), limit: 7, ...(fn ? { fn } : {}) };
      const listed: string[] = [];
      let after: GapPlace | undefined;
      do {
        const page = await made.store.gaps.page({ ...query, ...(after === undefined ? {} : { after }) });
        expect(page.gaps.length).toBeLessThanOrEqual(14);
        listed.push(...page.gaps.map((gap) => JSON.stringify(gap)));
        after = page.next;
      } while (after !== undefined);
      expect(listed).toHaveLength(count);
      expect(new Set(listed).size).toBe(count);
    }
  });

  it('stores findings about keys of any length and script, each in its own row', async () => {
    const finding = (segment: string): Finding => ({
      ...{ kind: 'foreign', sure: 'certain', function: 'shop', requests: [], why: 'no segment', segment },
    });
    const long = `segments/shop/${'漢'.repeat(330)}`;
    await made.store.findings.put([finding(`${long}1`), finding(`${long}2`), finding('segments/shop/x')], now);
    const { gaps } = await made.store.findings.gaps(0, 'shop', '', 100);
    expect(gaps.map(({ detail }) => detail).sort()).toEqual([`${long}1`, `${long}2`, 'segments/shop/x'].sort());
  });
});

it('does not keep more objects of an instance than a recorder could have written', async () => {
  const { id } = new Recorded('shop', new Clock());
  const objects = async function* () {
    for (let first = 0; first <= MOST_OBJECTS; first++) {
      const key = segmentKey({ fn: 'shop', instanceId: id, first, last: first });
      yield { key, versions: [{ key, bytes: 1 }] };
    }
  };
  await expect(byInstance(objects(), {}).next()).rejects.toThrow(`more than ${MOST_OBJECTS} objects`);
});
