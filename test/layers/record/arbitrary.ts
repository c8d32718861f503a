import fc from 'fast-check';
import type { AuditRecord, Capabilities, Observation, SegmentHeader } from '../../../layers/record/types.ts';

/** Generators of every record kind; also used to try what reads segments. */

const text = fc.string({ unit: 'grapheme', maxLength: 40 });
const id = fc.stringMatching(/^[!-~][ -~]{0,30}$/);
const count = fc.maxSafeNat();
const port = fc.nat(65_535);
const fd = fc.integer({ min: -1, max: 70_000 });
const pid = fc.nat(0x7fff_ffff);
const status = fc.integer({ min: -0x8000_0000, max: 0x7fff_ffff });
export const processId = fc.tuple(pid, fc.maxSafeNat()).map(([p, s]) => `${p}@${s}`);
export const requestId = fc.uuid();
export const instanceId = fc.uuid({ version: 7 });
const sha256 = fc.stringMatching(/^[0-9a-f]{64}$/);
const parts = fc.array(fc.stringMatching(/^[0-9a-f]{16}$/), { maxLength: 4 });
const digest = fc.record({ bytes: count, sha256, parts, text }, { requiredKeys: ['bytes'] });
const peer = fc.record({
  addr: fc.oneof(fc.ipV4(), fc.ipV6(), text),
  port,
  proto: fc.constantFrom('tcp' as const, 'udp' as const, 'unix' as const),
});
const keys = fc.array(fc.record({ key: id, sure: fc.constantFrom('exact' as const, 'inferred' as const) }), { maxLength: 4 });
const resources = fc.array(
  fc.record({
    type: fc.constantFrom('s3-object' as const, 'table-item' as const, 'queue' as const, 'other' as const),
    id,
    access: fc.constantFrom('read' as const, 'write' as const, 'call' as const),
  }),
  { maxLength: 4 },
);
const trigger = fc.record(
  {
    type: fc.constantFrom('http' as const, 'sqs' as const, 'invoke' as const),
    sourceIp: text,
    userAgent: text,
    method: text,
    path: text,
    source: text,
  },
  { requiredKeys: ['type'] },
);
export const capabilities: fc.Arbitrary<Capabilities> = fc.record({
  shim: fc.boolean(),
  runtimeProxy: fc.boolean(),
  runtimeTap: fc.boolean(),
  networkProxy: fc.boolean(),
  ptrace: fc.boolean(),
  seccomp: fc.boolean(),
  userNamespaces: fc.boolean(),
});

type Kind = Observation['kind'];
type Own<K extends Kind> = Omit<Extract<Observation, { kind: K }>, 't' | 'proc' | 'kind'>;
type ByKind = { readonly [K in Kind]: fc.Arbitrary<Own<K>> };

const BY_KIND: ByKind = {
  init: fc.record({ fn: id, version: id, region: text, runtime: text, memoryMb: count, initType: text, caps: capabilities }),
  restore: fc.record({ previous: instanceId }),
  shutdown: fc.record({ reason: text }),
  gap: fc.record(
    { why: fc.constantFrom('shim-lost', 'ring-full', 'oversize', 'recorder-lost'), lost: count, detail: text },
    { requiredKeys: ['why', 'lost'] },
  ),
  unobserved: fc.record({ what: fc.constantFrom('socket', 'program', 'tls', 'process'), detail: text }),
  warning: fc.record({ what: fc.constant('setting' as const), detail: text }),
  'request-begin': fc.record(
    { deadlineMs: count, fnArn: id, traceId: text, event: digest, trigger, keys, resources, runtime: fc.array(processId) },
    { requiredKeys: ['deadlineMs', 'fnArn', 'event', 'trigger', 'keys', 'resources'] },
  ),
  'request-end': fc.record(
    { status: fc.constantFrom('ok', 'error', 'init-error', 'timeout', 'crash'), errorType: text, response: digest, keys },
    { requiredKeys: ['status', 'response'] },
  ),
  'process-start': fc.record({
    parent: fc.option(processId),
    exe: text,
    how: fc.constantFrom('runtime', 'fork', 'vfork', 'spawn', 'exec'),
  }),
  'process-exec': fc.record(
    { path: text, argv: fc.array(text, { maxLength: 6 }), cwd: text, ok: fc.boolean(), child: pid },
    { requiredKeys: ['path', 'argv', 'ok'] },
  ),
  'process-exit': fc.record({ code: status, signal: status, child: pid }, { requiredKeys: [] }),
  'file-open': fc.record({
    path: text,
    mode: fc.constantFrom('r', 'w', 'rw'),
    created: fc.boolean(),
    truncated: fc.boolean(),
    fd,
  }),
  'file-close': fc.record({ path: text, fd, read: count, written: count }),
  'file-change': fc.record(
    { op: fc.constantFrom('unlink', 'rename', 'link', 'chmod'), path: text, to: text, mode: count },
    { requiredKeys: ['op', 'path'] },
  ),
  'socket-connect': fc.record(
    { peer, fd, localPort: port, steered: fc.boolean(), errno: status },
    { requiredKeys: ['peer', 'fd', 'localPort', 'steered'] },
  ),
  'socket-accept': fc.record({ peer, fd, localPort: port }),
  'socket-bind': fc.record({ peer, fd }),
  'socket-close': fc.record({ peer, fd, received: count, sent: count }),
  dns: fc.record({ name: text, addrs: fc.array(text, { maxLength: 4 }) }),
  exchange: fc.record(
    {
      id,
      from: count,
      to: count,
      answered: count,
      method: text,
      scheme: fc.constantFrom('http', 'https'),
      host: text,
      port,
      addr: text,
      path: text,
      query: fc.array(text, { maxLength: 4 }),
      status: count,
      request: digest,
      response: digest,
      error: text,
      aws: fc.record({ service: id, operation: id }),
      keys,
      resources,
    },
    {
      requiredKeys: [
        'id',
        'from',
        'to',
        'method',
        'scheme',
        'host',
        'port',
        'path',
        'request',
        'response',
        'keys',
        'resources',
      ],
    },
  ),
  tunnel: fc.record(
    {
      from: count,
      to: count,
      peer,
      sni: text,
      why: fc.constantFrom('not-http', 'client-rejects-ca', 'server-untrusted', 'proxy-not-ready', 'excluded'),
      sent: count,
      received: count,
    },
    { requiredKeys: ['from', 'to', 'peer', 'why', 'sent', 'received'] },
  ),
};

export const ALL_KINDS = Object.keys(BY_KIND) as Kind[];

/** An observation of the given kind. */
export function observation(kind: Kind): fc.Arbitrary<Observation> {
  const place = fc.record({ t: count, proc: processId }, { requiredKeys: ['t'] });
  return fc.tuple(place, BY_KIND[kind]).map(([p, own]) => ({ ...p, kind, ...own }) as Observation);
}

const placed = fc.tuple(
  fc.constantFrom(...ALL_KINDS).chain(observation),
  fc.option(requestId),
  fc.constantFrom('init' as const, 'invoke' as const, 'after' as const, 'idle' as const, 'shutdown' as const),
);

/** One record of every kind in a random order, then more: dense from a random number. */
export const records: fc.Arbitrary<readonly AuditRecord[]> = fc
  .tuple(fc.nat(1_000_000), fc.array(placed, { minLength: 1, maxLength: 40 }))
  .map(([first, list]) => list.map(([o, req, phase], i) => ({ ...o, seq: first + i, req, phase })));

export const fields: fc.Arbitrary<Pick<SegmentHeader, 'fn' | 'version' | 'instanceId' | 'prev' | 'caps'>> = fc.record({
  fn: fc.stringMatching(/^[A-Za-z0-9_][A-Za-z0-9_-]{0,40}$/),
  version: fc.constantFrom('$LATEST', '7'),
  instanceId,
  prev: fc.option(sha256),
  caps: capabilities,
});
