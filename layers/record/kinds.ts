import { FUNCTION_NAME, INSTANCE_ID } from './key.ts';
import { bool, type Check, hex, id, int, like, list, nullOr, object, oneOf, optional, type Shape, text } from './shape.ts';
import type {
  AuditRecord,
  BodyDigest,
  Capabilities,
  JoinKey,
  Observation,
  Peer,
  ResourceRef,
  SegmentHeader,
  Trigger,
} from './types.ts';
import { FORMAT_VERSION } from './version.ts';

const count = int(0);
const sha256 = hex(64, 'a SHA-256 in lower-case hex');
const port = int(0, 65_535);
const fd = int(-1, 0x7fff_ffff);
const pid = int(0, 0x7fff_ffff);
const status = int(-0x8000_0000, 0x7fff_ffff);
/** `<pid>@<start>`. */
const processId = like(/^\d{1,10}@\d{1,20}$/, 'a process id (pid@start)');
const requestId = like(/^[\x21-\x7e]{1,128}$/, 'a request id');
const instanceId = like(INSTANCE_ID, 'an instance id (UUIDv7)');
const functionName = like(FUNCTION_NAME, 'a function name');

const parts = list(hex(16, 'a 64-bit digest in lower-case hex'));
const digest = object<BodyDigest>({
  bytes: count,
  sha256: optional(sha256),
  parts: optional(parts),
  text: optional(text),
});
const peer = object<Peer>({ addr: text, port, proto: oneOf('tcp', 'udp', 'unix') });
const keys = list(object<JoinKey>({ key: id, sure: oneOf('exact', 'inferred') }));
const resources = list(
  object<ResourceRef>({
    type: oneOf('s3-object', 'table-item', 'table', 'queue', 'bucket', 'event-bus', 'topic', 'stream', 'function', 'other'),
    id,
    access: oneOf('read', 'write', 'call'),
  }),
);
const trigger = object<Trigger>({
  type: oneOf('http', 'sqs', 'sns', 's3', 'dynamodb', 'eventbridge', 'kinesis', 'stepfunctions', 'alb', 'invoke'),
  sourceIp: optional(text),
  userAgent: optional(text),
  method: optional(text),
  path: optional(text),
  source: optional(text),
});
const capabilities = object<Capabilities>({
  shim: bool,
  runtimeProxy: bool,
  runtimeTap: optional(bool),
  networkProxy: bool,
  ptrace: bool,
  seccomp: bool,
  userNamespaces: bool,
});

type Kind = Observation['kind'];
type Own<K extends Kind> = Omit<Extract<Observation, { kind: K }>, 't' | 'proc' | 'kind'>;
/** Own fields of every kind; t, proc, seq, req, phase and kind are added below. */
const OWN: { readonly [K in Kind]: Shape<Own<K>> } = {
  init: {
    fn: id,
    version: id,
    region: text,
    runtime: text,
    memoryMb: count,
    initType: text,
    caps: capabilities,
  },
  restore: { previous: instanceId },
  shutdown: { reason: text },
  gap: {
    why: oneOf(
      'shim-lost',
      'ring-full',
      'ring-damaged',
      'buffer-full',
      'ship-failed',
      'oversize',
      'proxy-lost',
      'recorder-lost',
    ),
    lost: count,
    detail: optional(text),
  },
  unobserved: { what: oneOf('socket', 'program', 'tls', 'process'), detail: text },
  warning: { what: oneOf('setting'), detail: text },
  'request-begin': {
    deadlineMs: count,
    fnArn: id,
    traceId: optional(text),
    event: digest,
    trigger,
    keys,
    resources,
    runtime: optional(list(processId)),
  },
  'request-end': {
    status: oneOf('ok', 'error', 'init-error', 'timeout', 'crash'),
    errorType: optional(text),
    response: digest,
    keys: optional(keys),
  },
  'process-start': {
    parent: nullOr(processId),
    exe: text,
    how: oneOf('runtime', 'fork', 'vfork', 'spawn', 'exec'),
  },
  'process-exec': { path: text, argv: list(text), cwd: optional(text), ok: bool, child: optional(pid) },
  'process-exit': { code: optional(status), signal: optional(status), child: optional(pid) },
  'file-open': {
    path: text,
    mode: oneOf('r', 'w', 'rw'),
    created: bool,
    truncated: bool,
    fd,
    openFor: optional(count),
    read: optional(count),
    written: optional(count),
  },
  'file-close': { path: text, fd, read: count, written: count },
  'file-change': {
    op: oneOf('unlink', 'rename', 'link', 'symlink', 'mkdir', 'rmdir', 'chmod', 'chown', 'truncate'),
    path: text,
    to: optional(text),
    mode: optional(count),
  },
  'socket-connect': { peer, fd, localPort: port, steered: bool, tapped: optional(bool), errno: optional(status) },
  'socket-accept': { peer, fd, localPort: port },
  'socket-bind': { peer, fd },
  'socket-close': { peer, fd, received: count, sent: count },
  dns: { name: text, addrs: list(text) },
  exchange: {
    id,
    seenBy: optional(oneOf('tap')),
    from: count,
    to: count,
    answered: optional(count),
    method: text,
    scheme: oneOf('http', 'https'),
    host: text,
    port,
    addr: optional(text),
    path: text,
    query: optional(list(text)),
    status: optional(count),
    request: digest,
    response: digest,
    error: optional(text),
    aws: optional(object<{ service: string; operation: string }>({ service: id, operation: id })),
    keys,
    resources,
  },
  tunnel: {
    from: count,
    to: count,
    peer,
    sni: optional(text),
    why: oneOf('not-http', 'client-rejects-ca', 'server-untrusted', 'proxy-not-ready', 'excluded', 'unreadable'),
    sent: count,
    received: count,
  },
};

const PLACE: Shape<Pick<AuditRecord, 't' | 'proc' | 'seq' | 'req' | 'phase' | 'kind'>> = {
  seq: count,
  req: nullOr(requestId),
  phase: oneOf('init', 'invoke', 'after', 'idle', 'shutdown'),
  // Known, or it would not be this check that is asked.
  kind: () => undefined,
  t: count,
  proc: optional(processId),
};

const RECORDS = new Map<unknown, Check>(
  Object.entries(OWN).map(([kind, own]) => [kind, object({ ...PLACE, ...own } as unknown as Shape<Record<string, unknown>>)]),
);

/** Every record kind of this version of the format. */
export const KINDS: readonly Kind[] = Object.keys(OWN) as Kind[];

/**
 * What is wrong with a parsed record, or undefined. `unknown` tells a newer kind from a broken record.
 * @param plain no text in it has a lone surrogate or a control character
 */
export function recordProblem(value: unknown, plain = false): { readonly unknown: boolean; readonly what: string } | undefined {
  const kind = (value as { readonly kind?: unknown } | null | undefined)?.kind;
  const check = RECORDS.get(kind);
  if (check === undefined) {
    if (typeof kind === 'string') return { unknown: true, what: `unknown record kind ${JSON.stringify(kind.slice(0, 64))}` };
    return { unknown: false, what: 'record without a kind' };
  }
  const problem = check(value, plain);
  return problem === undefined ? undefined : { unknown: false, what: `${String(kind)} record ${problem}` };
}

const checkHeader = object<SegmentHeader>({
  v: int(1, FORMAT_VERSION),
  fn: functionName,
  version: id,
  instanceId,
  first: count,
  last: count,
  count: int(1),
  prev: nullOr(sha256),
  caps: capabilities,
});

/** The same of a segment header. */
export function headerProblem(value: unknown, plain = false): string | undefined {
  const problem = checkHeader(value, plain);
  if (problem !== undefined) return `header ${problem}`;
  const header = value as SegmentHeader;
  if (header.first > header.last) return 'header ends before it begins';
  if (header.count !== header.last - header.first + 1) return 'header count differs from its range';
  return undefined;
}
