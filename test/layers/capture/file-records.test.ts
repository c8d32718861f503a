import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { buildShards } from '../../../functions/graph/build.ts';
import { FileLines } from '../../../layers/capture/file-line.ts';
import { fitRecord } from '../../../layers/capture/fit.ts';
import { Recorder } from '../../../layers/capture/recorder.ts';
import { Redactor } from '../../../layers/capture/redact.ts';
import { recordProblem } from '../../../layers/record/kinds.ts';
import type { AuditRecord, Observation, Segment } from '../../../layers/record/types.ts';
import { observation, processId } from '../record/arbitrary.ts';

/** One event about a file, as a ring would tell it. */
const paths = fc.constantFrom('/tmp/a', '/tmp/b', '/var/task/index.mjs', '/tmp/"ü"', '/tmp/token=abcdefgh1234');
const event = fc.record({
  proc: fc.constantFrom('7@1', '8@2'),
  fd: fc.integer({ min: 3, max: 5 }),
  path: paths,
  to: paths,
  mode: fc.constantFrom('r' as const, 'w' as const, 'rw' as const),
  what: fc.constantFrom(
    'open' as const,
    'open' as const,
    'close' as const,
    'close' as const,
    'unlink' as const,
    'rename' as const,
  ),
  created: fc.boolean(),
  bytes: fc.nat(5000),
  pause: fc.nat(1000),
  /** Ends the request before. */
  next: fc.integer({ min: 0, max: 19 }).map((n) => n === 7),
});
type Event = typeof event extends fc.Arbitrary<infer T> ? T : never;

function observed(
  { proc, fd, path, to, mode, what, created, bytes }: Event,
  t: number,
  open: Map<string, string>,
): Observation {
  const at = { t, proc };
  if (what === 'open') {
    open.set(`${proc} ${fd}`, path);
    return { ...at, kind: 'file-open', path, mode, created, truncated: false, fd };
  }
  // A close is of what was opened, or of something inherited.
  if (what === 'close')
    return { ...at, kind: 'file-close', path: open.get(`${proc} ${fd}`) ?? path, fd, read: bytes, written: bytes >> 3 };
  return what === 'unlink'
    ? { ...at, kind: 'file-change', op: 'unlink', path }
    : { ...at, kind: 'file-change', op: 'rename', path, to };
}

/** Records what the events say. `apart`: every record leaves at once, so that nothing can be joined. */
function recorded(events: readonly Event[], redactor: Redactor, apart: boolean): AuditRecord[] {
  const records: AuditRecord[] = [];
  const ring: Observation[] = [];
  const sink = {
    ...{ backlogBytes: 0, failing: false },
    enqueue: ({ body }: { body: Buffer }) =>
      void records.push(
        ...body
          .toString()
          .trimEnd()
          .split('\n')
          .map((line) => JSON.parse(line) as AuditRecord),
      ),
  };
  const recorder = new Recorder({ sink, redactor, ring: { read: (take) => ring.splice(0).forEach(take) } });
  const open = new Map<string, string>();
  const begin = {
    kind: 'request-begin',
    deadlineMs: 1,
    fnArn: 'arn',
    event: { bytes: 0 },
    trigger: { type: 'invoke' },
  } as const;
  let [t, request] = [1_700_000_000_000_000, 0];
  recorder.begin('r0', { ...begin, t, keys: [], resources: [] });
  for (const one of events) {
    t += one.pause;
    if (one.next) {
      recorder.done(`r${request++}`);
      recorder.begin(`r${request}`, { ...begin, t, keys: [], resources: [] });
    }
    ring.push(observed(one, t, open));
    if (!apart) continue;
    recorder.drain();
    recorder.cut();
  }
  recorder.done(`r${request}`);
  recorder.cut();
  return records;
}

/** The graph of these records, without the numbers of the records that are its evidence: joined, there are fewer. */
function graphOf(records: readonly AuditRecord[]): unknown {
  const instanceId = '01990000-0000-7000-8000-000000000000';
  const caps = { shim: true, runtimeProxy: true, networkProxy: true, ptrace: false, seccomp: false, userNamespaces: false };
  const range = { first: 0, last: records.length - 1, count: records.length };
  const segment: Segment = { header: { v: 1, fn: 'f', version: '1', instanceId, ...range, prev: null, caps }, records };
  const { shards, links, segment: row, requests } = buildShards(segment, 'key');
  return {
    shards: shards.map(({ partition, nodes, edges }) => ({
      ...{ partition, nodes: byId(nodes) },
      edges: edges.map(({ seqs: _, ...edge }) => edge).sort((a, b) => (JSON.stringify(a) < JSON.stringify(b) ? -1 : 1)),
    })),
    links: links.map(({ evidence: _, ...link }) => JSON.stringify(link)).sort(),
    requests: requests.length,
    ...{ from: row.from, to: row.to, gaps: row.gaps },
  };
}
const byId = <T extends { readonly id: string }>(nodes: readonly T[]) => [...nodes].sort((a, b) => (a.id < b.id ? -1 : 1));

const ONE = {
  proc: '7@1',
  fd: 3,
  path: '/tmp/a',
  to: '/tmp/b',
  mode: 'w',
  created: true,
  bytes: 80,
  pause: 5,
  next: false,
} as const;

describe('an open and its close', () => {
  it('are one record when nothing keeps them apart', () => {
    const records = recorded(
      [
        { ...ONE, what: 'open' },
        { ...ONE, what: 'close' },
      ],
      new Redactor(),
      false,
    );
    expect(records.slice(1)).toMatchObject([
      { kind: 'file-open', path: '/tmp/a', created: true, openFor: 5, read: 80, written: 10, req: 'r0' },
    ]);
  });

  it('stay two when the request ended between them', () => {
    const events = [
      { ...ONE, what: 'open' as const },
      { ...ONE, what: 'close' as const, next: true },
    ];
    // The ring is read at the boundary, before the close.
    const places = recorded(events, new Redactor(), false).filter((r) => r.kind.startsWith('file-'));
    expect(places).toMatchObject([
      { kind: 'file-open', req: 'r0' },
      { kind: 'file-close', req: 'r1' },
    ]);
  });

  it('give the same graph as one record as they do as two', () => {
    let joined = 0;
    fc.assert(
      fc.property(fc.array(event, { minLength: 20, maxLength: 60 }), (events) => {
        const redactor = new Redactor();
        const together = recorded(events, redactor, false);
        const apart = recorded(events, redactor, true);
        for (const record of together) expect(recordProblem(record)).toBeUndefined();
        joined += apart.length - together.length;
        expect(graphOf(together)).toEqual(graphOf(apart));
      }),
      { numRuns: 200 },
    );
    expect(joined).toBeGreaterThan(100);
  });
});

it('makes the same lines about files as about everything else', () => {
  const of = fc.constantFrom('file-open' as const, 'file-close' as const, 'file-change' as const).chain(observation);
  const redactor = new Redactor({ env: { DB_PASSWORD: 'hunter22' } });
  const lines = new FileLines((path) => redactor.name(path));
  const secret = fc.constantFrom('/tmp/hunter22', '/tmp/token=abcdefgh1234', '/tmp/\u2028"\\', '/tmp/plain');
  let made = 0;
  fc.assert(
    fc.property(of, processId, fc.option(secret, { nil: undefined }), (wild, proc, path) => {
      const o = { ...wild, proc, ...(path === undefined ? {} : { path }) } as Parameters<FileLines['line']>[2];
      const line = lines.line(5, '"req":null,"phase":"init"', o);
      if (line === undefined) return;
      made++;
      const slow = fitRecord({ seq: 5, req: null, phase: 'init', ...redactor.observation(o) });
      expect(JSON.parse(line)).toEqual(JSON.parse(slow.line ?? 'null'));
    }),
    { numRuns: 500 },
  );
  expect(made).toBeGreaterThan(400);
});
