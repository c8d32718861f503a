import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Batch } from '../../../layers/capture/batch.ts';
import { nowMicros } from '../../../layers/capture/clock.ts';
import { BATCH_BYTES, Recorder } from '../../../layers/capture/recorder.ts';
import { Redactor } from '../../../layers/capture/redact.ts';
import { BOUNDS } from '../../../layers/record/bounds.ts';
import { recordProblem } from '../../../layers/record/kinds.ts';
import type { AuditRecord, ExchangeObservation, Observation } from '../../../layers/record/types.ts';
import { ALL_KINDS, observation } from '../record/arbitrary.ts';

const open = (path: string): Observation => ({
  kind: 'file-open',
  t: nowMicros(),
  proc: '7@1',
  path,
  mode: 'r',
  created: false,
  truncated: false,
  fd: 3,
});
const begin: Observation = {
  kind: 'request-begin',
  t: 1,
  deadlineMs: 1,
  fnArn: 'arn',
  event: { bytes: 0 },
  trigger: { type: 'invoke' },
  keys: [],
  resources: [],
};
const end: Observation = { kind: 'request-end', t: 1, status: 'ok', response: { bytes: 0 } };
const exchange = (from: number): Observation & ExchangeObservation => ({
  kind: 'exchange',
  t: nowMicros(),
  id: 'x',
  from,
  to: nowMicros(),
  method: 'GET',
  scheme: 'https',
  host: 'h',
  port: 443,
  path: '/',
  request: { bytes: 0 },
  response: { bytes: 0 },
  keys: [],
  resources: [],
});

/** A recorder whose ring and sink are lists. */
function bench() {
  const ring: Observation[] = [];
  const batches: Batch[] = [];
  const sink = { backlogBytes: 0, failing: false, enqueue: (batch: Batch) => void batches.push(batch) };
  const recorder = new Recorder({ sink, redactor: new Redactor(), ring: { read: (take) => ring.splice(0).forEach(take) } });
  const records = (): AuditRecord[] => {
    recorder.cut();
    const lines = (batch: Batch) => batch.body.toString().split('\n').slice(0, batch.records);
    return batches.flatMap((batch) => lines(batch).map((line) => JSON.parse(line) as AuditRecord));
  };
  const places = () => records().map((r) => `${'path' in r ? r.path : r.kind} ${r.req} ${r.phase}`);
  return { ring, batches, sink, recorder, records, places };
}

describe('every record gets its place', () => {
  it('by the boundaries between which it was reported', () => {
    const { ring, recorder, places } = bench();
    ring.push(open('/init'));
    recorder.begin('A', begin);
    ring.push(open('/a1'));
    recorder.end('A', end);
    ring.push(open('/a2'));
    recorder.done('A');
    ring.push(open('/between'));
    recorder.begin('B', begin);
    ring.push(open('/b1'));
    recorder.shutdown('failure');
    expect(places()).toEqual([
      '/init null init',
      'request-begin A invoke',
      '/a1 A invoke',
      'request-end A invoke',
      '/a2 A after',
      '/between null idle',
      'request-begin B invoke',
      '/b1 B invoke',
      'shutdown null shutdown',
    ]);
  });

  it('without naming a request when two run at once', () => {
    const { ring, recorder, places } = bench();
    recorder.begin('A', begin);
    recorder.begin('B', begin);
    ring.push(open('/whose'));
    recorder.done('A');
    ring.push(open('/b'));
    recorder.done('B');
    expect(places().filter((place) => place.startsWith('/'))).toEqual(['/whose null invoke', '/b B invoke']);
  });

  it('by its beginning, when it is an exchange that was reported late', async () => {
    const { recorder, records } = bench();
    const aWhile = () => new Promise((resolve) => setTimeout(resolve, 2));
    recorder.begin('A', begin);
    const during = nowMicros();
    await aWhile();
    recorder.end('A', end);
    const after = nowMicros();
    await aWhile();
    recorder.done('A');
    const idle = nowMicros();
    // Longer than the clock of the network proxy is coarse.
    await new Promise((resolve) => setTimeout(resolve, 5));
    recorder.begin('B', begin);
    for (const from of [during, after, idle, 5]) recorder.observe(exchange(from));
    const found = records().filter((r) => r.kind === 'exchange');
    expect(found.map(({ req, phase }) => `${req} ${phase}`)).toEqual(['A invoke', 'A after', 'null idle', 'null init']);
  });

  it('numbered without holes, also over batches', () => {
    const { batches, recorder, records } = bench();
    for (let i = 0; i < 5000; i++) recorder.observe(open(`/${'x'.repeat(100)}${i}`));
    expect(records().map(({ seq }) => seq)).toEqual(Array.from({ length: 5000 }, (_, i) => i));
    expect(batches.length).toBeGreaterThan(2);
    expect(Math.max(...batches.map(({ body }) => body.length))).toBeLessThan(BATCH_BYTES + BOUNDS.line);
  });

  it('and a new instance after a restore', () => {
    const { recorder, records, batches } = bench();
    recorder.observe(open('/before'));
    const previous = recorder.instanceId;
    recorder.restored();
    expect(records().at(-1)).toMatchObject({ kind: 'restore', previous, seq: 0 });
    expect(batches.map(({ instanceId }) => instanceId)).toEqual([previous, recorder.instanceId]);
    expect(recorder.instanceId).not.toBe(previous);
  });
});

describe('what cannot be recorded as it is', () => {
  it('always becomes records that a reader accepts, whatever is observed', () => {
    const wild = fc.constantFrom(...ALL_KINDS).chain(observation);
    const broken = fc.oneof(
      fc.record({ path: fc.string({ unit: 'binary', maxLength: 50 }) }),
      fc.record({ fd: fc.double() }),
      fc.record({ t: fc.double() }),
      fc.record({ proc: fc.string() }),
      fc.record({ kind: fc.string() }),
      fc.record({ path: fc.constantFrom('\ud800', 'x'.repeat(100_000), '\u0000'.repeat(20_000), '€'.repeat(60_000)) }),
    );
    fc.assert(
      fc.property(fc.array(fc.tuple(wild, fc.option(broken, { nil: {} })), { minLength: 1, maxLength: 20 }), (list) => {
        const { recorder, records } = bench();
        for (const [o, damage] of list) recorder.observe({ ...o, ...damage } as Observation);
        const written = records();
        for (const record of written) expect(recordProblem(record)).toBeUndefined();
        const lost = written.reduce((sum, r) => sum + (r.kind === 'gap' && r.why === 'oversize' ? r.lost : 0), 0);
        const gaps = list.filter(([o]) => o.kind === 'gap').length;
        expect(written.length).toBeGreaterThanOrEqual(list.length - lost - gaps);
      }),
      { numRuns: 60 },
    );
  });

  it('is shortened rather than dropped, so that long arguments do not hide a program', () => {
    const { recorder, records } = bench();
    const argv = ['/tmp/evil', ...Array.from({ length: 3000 }, () => 'A'.repeat(4000))];
    recorder.observe({ kind: 'process-exec', t: 1, path: '/tmp/evil', argv, ok: true });
    const [exec, gap] = records();
    expect(exec).toMatchObject({ kind: 'process-exec', path: '/tmp/evil' });
    expect(gap).toMatchObject({ kind: 'gap', why: 'oversize', lost: 0 });
  });

  it('is counted when there is no more room, while boundaries still get through', () => {
    const { recorder, records, sink } = bench();
    sink.backlogBytes = 8.5 * 1024 * 1024;
    sink.failing = true;
    for (let i = 0; i < 10; i++) recorder.observe(open('/x'));
    recorder.begin('A', begin);
    sink.backlogBytes = 0;
    expect(records()).toMatchObject([{ kind: 'request-begin' }, { kind: 'gap', why: 'ship-failed', lost: 10 }]);
  });
});
