import { zstdCompressSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { BOUNDS } from '../../../layers/record/bounds.ts';
import { decodeSegment, encodeSegment } from '../../../layers/record/codec.ts';
import { SegmentError, type SegmentErrorCode } from '../../../layers/record/errors.ts';

const INSTANCE = '01890a5d-ac96-774b-bcce-b302099a8057';
const KEY = `segments/purchase/${INSTANCE}/000000000000-000000000001.ndjson.zst`;
const CAPS = { shim: true, runtimeProxy: true, networkProxy: true, ptrace: false, seccomp: false, userNamespaces: false };
const HEADER = {
  v: 1,
  fn: 'purchase',
  version: '1',
  instanceId: INSTANCE,
  first: 0,
  last: 1,
  count: 2,
  prev: null,
  caps: CAPS,
};
const OPEN = {
  seq: 0,
  t: 1_700_000_000_000_000,
  req: 'r-1',
  phase: 'invoke',
  proc: '7@900',
  kind: 'file-open',
  path: '/tmp/x',
  mode: 'r',
  created: false,
  truncated: false,
  fd: 3,
};
const SECOND = { ...OPEN, seq: 1 };

/** The error a segment of these lines gives; strings are taken as they are. */
function refused(...lines: readonly unknown[]): SegmentError {
  return refusedBytes(Buffer.from(lines.map((line) => `${typeof line === 'string' ? line : JSON.stringify(line)}\n`).join('')));
}
function refusedBytes(body: Uint8Array): SegmentError {
  try {
    decodeSegment(zstdCompressSync(body), KEY);
  } catch (error) {
    if (error instanceof SegmentError) return error;
    throw error;
  }
  throw new Error('the segment was accepted');
}
const raw = (record: object, from: string, to: string) => JSON.stringify(record).replace(from, to);

it('accepts the segment all the others are made from', () => {
  const body = [HEADER, OPEN, SECOND].map((line) => `${JSON.stringify(line)}\n`).join('');
  expect(decodeSegment(zstdCompressSync(Buffer.from(body)), KEY).records).toHaveLength(2);
});

describe('names segment, line and reason', () => {
  const cases: readonly (readonly [string, SegmentErrorCode, number | undefined, () => SegmentError])[] = [
    ['a line that is not JSON', 'malformed', 2, () => refused(HEADER, '{"seq":0,', SECOND)],
    ['NaN', 'malformed', 2, () => refused(HEADER, raw(OPEN, '"fd":3', '"fd":NaN'), SECOND)],
    ['null instead of a number', 'malformed', 2, () => refused(HEADER, { ...OPEN, fd: null }, SECOND)],
    ['a fraction', 'malformed', 2, () => refused(HEADER, { ...OPEN, fd: 3.5 }, SECOND)],
    [
      'an integer beyond 2^53',
      'malformed',
      2,
      () => refused(HEADER, raw(OPEN, '1700000000000000', '90071992547409930'), SECOND),
    ],
    ['an exponent beyond a double', 'malformed', 2, () => refused(HEADER, raw(OPEN, '"fd":3', '"fd":1e999'), SECOND)],
    ['minus zero', 'malformed', 2, () => refused(HEADER, raw(OPEN, '"fd":3', '"fd":-0'), SECOND)],
    ['a negative number', 'malformed', 3, () => refused(HEADER, OPEN, { ...SECOND, t: -1 })],
    ['a lone surrogate', 'malformed', 2, () => refused(HEADER, raw(OPEN, '/tmp/x', '/tmp/\\ud800'), SECOND)],
    ['__proto__ as a field', 'malformed', 2, () => refused(HEADER, raw(OPEN, '"fd":3', '"fd":3,"__proto__":{"x":1}'), SECOND)],
    ['constructor as a field', 'malformed', 2, () => refused(HEADER, { ...OPEN, constructor: 1 }, SECOND)],
    ['__proto__ as a kind', 'unknown-kind', 2, () => refused(HEADER, { ...OPEN, kind: '__proto__' }, SECOND)],
    ['a kind of a later version', 'unknown-kind', 3, () => refused(HEADER, OPEN, { ...SECOND, kind: 'teleport' })],
    ['no kind', 'malformed', 2, () => refused(HEADER, { seq: 0 }, SECOND)],
    ['a record that is a list', 'malformed', 2, () => refused(HEADER, [], SECOND)],
    ['a record that is null', 'malformed', 2, () => refused(HEADER, null, SECOND)],
    ['a missing field', 'malformed', 2, () => refused(HEADER, { ...OPEN, path: undefined }, SECOND)],
    ['an unknown field', 'malformed', 2, () => refused(HEADER, { ...OPEN, extra: 1 }, SECOND)],
    ['a wrong enumeration value', 'malformed', 2, () => refused(HEADER, { ...OPEN, mode: 'x' }, SECOND)],
    ['a control character in an id', 'malformed', 2, () => refused(HEADER, { ...OPEN, req: 'r\n1' }, SECOND)],
    ['an escaped control character in an id', 'header', 1, () => refused(raw(HEADER, '"1"', '"1\\u0085"'), OPEN, SECOND)],
    ['DEL as it is in an id', 'header', 1, () => refused(raw(HEADER, '"version":"1"', '"version":"1\u007f"'), OPEN, SECOND)],
    ['a control character beyond ASCII in an id', 'header', 1, () => refused({ ...HEADER, version: '1\u2028' }, OPEN, SECOND)],
    ['a process id of another form', 'malformed', 2, () => refused(HEADER, { ...OPEN, proc: '7' }, SECOND)],
    ['text beyond its bound', 'malformed', 2, () => refused(HEADER, { ...OPEN, path: 'x'.repeat(BOUNDS.text + 1) }, SECOND)],
    [
      'a list beyond its bound',
      'malformed',
      2,
      () => refused(HEADER, { ...place(OPEN), kind: 'dns', name: 'n', addrs: Array(BOUNDS.list + 1).fill('a') }, SECOND),
    ],
    ['a line beyond its bound', 'oversized', 2, () => refused(HEADER, ' '.repeat(BOUNDS.line + 1), SECOND)],
    ['a line beyond its bound in bytes', 'oversized', 2, () => refused(HEADER, '€'.repeat(BOUNDS.line / 3 + 1), SECOND)],
    ['nesting', 'too-deep', 2, () => refused(HEADER, raw(OPEN, '"fd":3', `"fd":${'['.repeat(9)}${']'.repeat(9)}`), SECOND)],
    ['very deep nesting', 'too-deep', 2, () => refused(HEADER, `${'['.repeat(30_000)}${']'.repeat(30_000)}`, SECOND)],
    ['deep nesting in the header', 'too-deep', 1, () => refused(`{"v":${'['.repeat(30_000)}${']'.repeat(30_000)}}`)],
    ['a number twice', 'seq', 3, () => refused(HEADER, OPEN, OPEN)],
    ['a hole', 'seq', 3, () => refused(HEADER, OPEN, { ...SECOND, seq: 2 })],
    ['fewer records than announced', 'truncated', 2, () => refused(HEADER, OPEN)],
    ['more records than announced', 'seq', 4, () => refused(HEADER, OPEN, SECOND, { ...OPEN, seq: 2 })],
    ['nothing', 'truncated', undefined, () => refusedBytes(Buffer.alloc(0))],
    ['an empty line for a header', 'malformed', 1, () => refusedBytes(Buffer.from('\n'))],
    ['a cut last line', 'truncated', undefined, () => refusedBytes(Buffer.from(`${JSON.stringify(HEADER)}\n{"seq":`))],
    ['bytes that are not UTF-8', 'encoding', undefined, () => refusedBytes(Buffer.from([0xff, 0xfe, 0x0a]))],
    ['a later version', 'version', 1, () => refused({ ...HEADER, v: 2, more: [] }, { later: true })],
    ['no version', 'header', 1, () => refused({ ...HEADER, v: '1' }, OPEN, SECOND)],
    ['a version that never was', 'header', 1, () => refused({ ...HEADER, v: 0 }, OPEN, SECOND)],
    ['a header with a field too many', 'header', 1, () => refused({ ...HEADER, admin: true }, OPEN, SECOND)],
    ['a header whose count is wrong', 'header', 1, () => refused({ ...HEADER, count: 1e9 }, OPEN, SECOND)],
    ['a header that ends before it begins', 'header', 1, () => refused({ ...HEADER, first: 2, count: 0 }, OPEN, SECOND)],
    ['another function in the header', 'header', 1, () => refused({ ...HEADER, fn: 'other' }, OPEN, SECOND)],
    [
      'another instance in the header',
      'header',
      1,
      () => refused({ ...HEADER, instanceId: INSTANCE.replace('0189', '0190') }, OPEN, SECOND),
    ],
    ['another range in the header', 'header', 1, () => refused({ ...HEADER, last: 2, count: 3 }, OPEN, SECOND)],
    ['a byte-order mark', 'malformed', 1, () => refusedBytes(Buffer.from(`\ufeff${JSON.stringify(HEADER)}\n`))],
  ];
  it.each(cases)('%s: %s', (_what, code, line, attempt) => {
    const error = attempt();
    expect({ code: error.code, line: error.line, segment: error.segment }).toEqual({ code, line, segment: KEY });
    expect(error.message).toContain(KEY);
  });
});

describe('spends no memory on', () => {
  const code = (bytes: Uint8Array) => {
    try {
      decodeSegment(bytes);
    } catch (error) {
      return error instanceof SegmentError ? error.code : String(error);
    }
    return 'accepted';
  };

  it('a zstd bomb', () => {
    const bomb = zstdCompressSync(Buffer.alloc(256 * 1024 * 1024));
    expect(bomb.length).toBeLessThan(BOUNDS.compressed);
    const before = process.memoryUsage().arrayBuffers;
    expect(code(bomb)).toBe('oversized');
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(4 * BOUNDS.decompressed);
  });

  it('an object larger than a segment may be', () => {
    expect(code(Buffer.alloc(BOUNDS.compressed + 1))).toBe('oversized');
  });

  it('more lines than a segment may have', () => {
    expect(code(zstdCompressSync(Buffer.alloc(BOUNDS.records + 2, '\n')))).toBe('oversized');
  });

  it('bytes that are not zstd, or come after it', () => {
    expect(code(Buffer.from('{"v":1}\n'))).toBe('encoding');
    const good = encodeSegment({ fn: 'f', version: '1', instanceId: INSTANCE, prev: null, caps: CAPS }, [
      { seq: 0, t: 1, req: null, phase: 'init', kind: 'shutdown', reason: 'x' },
    ]);
    expect(code(good)).toBe('accepted');
    expect(code(Buffer.concat([good, Buffer.from('hidden')]))).toBe('encoding');
    expect(code(Buffer.concat([good, good]))).toBe('encoding');
  });
});

describe('the writer', () => {
  it('refuses records that a reader would refuse', () => {
    const fields = { fn: 'f', version: '1', instanceId: INSTANCE, prev: null, caps: CAPS };
    const record = { seq: 0, t: Number.NaN, req: null, phase: 'init' as const, kind: 'shutdown' as const, reason: 'x' };
    expect(() => encodeSegment(fields, [record])).toThrow(/\.t is not a whole number/);
    expect(() => encodeSegment(fields, [])).toThrow(/no records/);
    expect(() => encodeSegment({ ...fields, instanceId: 'x' }, [{ ...record, t: 1 }])).toThrow(/instanceId/);
  });
});

function place(record: typeof OPEN) {
  const { seq, t, req, phase } = record;
  return { seq, t, req, phase };
}
