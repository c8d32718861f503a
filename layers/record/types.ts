/**
 * The record format, version 1: what an audited instance says about itself.
 *
 * This is the contract between `layers/` (which writes records) and `functions/` (which reads them). It imports nothing.
 * Whoever reads it must treat it as hostile input: the function that wrote it may have been compromised.
 */

declare const brand: unique symbol;
type Branded<T, B extends string> = T & { readonly [brand]?: B };

/** UUIDv7 made by the recorder at init. A SnapStart restore makes a new one. */
export type InstanceId = Branded<string, 'InstanceId'>;
/** `Lambda-Runtime-Aws-Request-Id` as the platform gave it. Unique per invocation, repeated when an async invoke is retried. */
export type RequestId = Branded<string, 'RequestId'>;
/** `<pid>@<start>`: pid and start time in clock ticks since boot (field 22 of /proc/pid/stat), so that pid reuse shows. */
export type ProcessId = Branded<string, 'ProcessId'>;

/** Where in the life of an instance an observation was made. `after`: the answer is out, the environment not yet frozen. */
export type Phase = 'init' | 'invoke' | 'after' | 'idle' | 'shutdown';

/**
 * What is recorded of a body, as ALASTOR_BODIES allows. `sha256` (hex) is absent when the body was not read to its end, or with
 * `none`. `text`: the redacted beginning of a body that is text, at most 2048 characters; only with `redacted`. `parts`: digests
 * (64 bits in hex) of at most 16 content-defined parts of an HTTP body of 4 KB to 1 MB, without its content encoding; two bodies
 * that share one share a run of at least 256 bytes. Those most likely to be met elsewhere come first.
 */
export interface BodyDigest {
  readonly bytes: number;
  readonly sha256?: string;
  readonly parts?: readonly string[];
  readonly text?: string;
}

/**
 * A name under which two functions can recognise one hand-over, e.g. `sqs:<MessageId>`.
 * `exact`: made of an identifier that the service issued. `inferred`: content or time had to be compared.
 */
export interface JoinKey {
  readonly key: string;
  readonly sure: 'exact' | 'inferred';
}

/** Something outside the instance that outlives it: an S3 object, a table item, a queue message. */
export interface ResourceRef {
  readonly type:
    | 's3-object'
    | 'table-item'
    | 'table'
    | 'queue'
    | 'bucket'
    | 'event-bus'
    | 'topic'
    | 'stream'
    | 'function'
    | 'other';
  /** E.g. `s3://bucket/key@version`, `ddb:table/keyhash`, `ddb:table@statehash`, `sqs:queue-name`, `lambda:function-name`. */
  readonly id: string;
  readonly access: 'read' | 'write' | 'call';
}

export interface Peer {
  /** Numeric address; for a Unix socket its path. */
  readonly addr: string;
  /** 0 for Unix sockets. */
  readonly port: number;
  readonly proto: 'tcp' | 'udp' | 'unix';
}

/** Instance life cycle. */
export interface InitObservation {
  readonly kind: 'init';
  readonly fn: string;
  readonly version: string;
  readonly region: string;
  readonly runtime: string;
  readonly memoryMb: number;
  /** `on-demand`, `provisioned-concurrency`, `snap-start`, `lambda-managed-instances` (AWS_LAMBDA_INITIALIZATION_TYPE). */
  readonly initType: string;
  readonly caps: Capabilities;
}
export interface RestoreObservation {
  readonly kind: 'restore';
  readonly previous: InstanceId;
}
export interface ShutdownObservation {
  readonly kind: 'shutdown';
  readonly reason: string;
}
/**
 * Something was lost or withheld. `lost` counts records or events; 0 means that their number is not known, or, for `oversize`,
 * that a record was only shortened. `recorder-lost`: a recorder before this one, in the same environment, ended without finishing.
 */
export interface GapObservation {
  readonly kind: 'gap';
  readonly why:
    | 'shim-lost'
    | 'ring-full'
    | 'ring-damaged'
    | 'buffer-full'
    | 'ship-failed'
    | 'oversize'
    | 'proxy-lost'
    | 'recorder-lost';
  readonly lost: number;
  readonly detail?: string;
}
/** Known to have happened, not seen from inside: a socket no shim reported, a statically linked program, an undecrypted client. */
export interface UnobservedObservation {
  readonly kind: 'unobserved';
  readonly what: 'socket' | 'program' | 'tls' | 'process';
  readonly detail: string;
}

/** Something about the capture itself that its owner should look at, without anything being lost: a setting that is not valid. */
export interface WarningObservation {
  readonly kind: 'warning';
  readonly what: 'setting';
  readonly detail: string;
}

/** Request boundaries, seen on the runtime's connection to the Runtime API or by the proxy before it. */
export interface RequestBeginObservation {
  readonly kind: 'request-begin';
  readonly deadlineMs: number;
  readonly fnArn: string;
  readonly traceId?: string;
  readonly event: BodyDigest;
  /** What invoked it, read from the event's shape. */
  readonly trigger: Trigger;
  /** Effect side of the join keys, one per batch entry. */
  readonly keys: readonly JoinKey[];
  readonly resources: readonly ResourceRef[];
  /** Processes that started during init and live: they serve every request alike. Absent when unknown or more than 16. */
  readonly runtime?: readonly ProcessId[];
}
export interface RequestEndObservation {
  readonly kind: 'request-end';
  readonly status: 'ok' | 'error' | 'init-error' | 'timeout' | 'crash';
  readonly errorType?: string;
  readonly response: BodyDigest;
  /** Cause side: by what whoever is given this result can be recognised. */
  readonly keys?: readonly JoinKey[];
}
export interface Trigger {
  readonly type: 'http' | 'sqs' | 'sns' | 's3' | 'dynamodb' | 'eventbridge' | 'kinesis' | 'stepfunctions' | 'alb' | 'invoke';
  /** For HTTP: the caller's address, agent, method and path (query string removed). */
  readonly sourceIp?: string;
  readonly userAgent?: string;
  readonly method?: string;
  readonly path?: string;
  /** For the others: queue, topic, bucket, table or bus name. */
  readonly source?: string;
}

/** Processes. `start` is written by the process itself, `exec` just before the image is replaced (`ok: false` if that failed). */
export interface ProcessStartObservation {
  readonly kind: 'process-start';
  readonly parent: ProcessId | null;
  readonly exe: string;
  /** `runtime` = first process the wrapper started; all others descend from it. */
  readonly how: 'runtime' | 'fork' | 'vfork' | 'spawn' | 'exec';
}
export interface ProcessExecObservation {
  readonly kind: 'process-exec';
  readonly path: string;
  readonly argv: readonly string[];
  readonly cwd?: string;
  readonly ok: boolean;
  /** The child, when the caller is the parent (posix_spawn, system, popen). */
  readonly child?: number;
}
export interface ProcessExitObservation {
  readonly kind: 'process-exit';
  readonly code?: number;
  readonly signal?: number;
  /** Set when a parent reports the end of a child that could not report its own. */
  readonly child?: number;
}

/**
 * Files. Totals per descriptor are told at close; a write never closed shows through its `file-open`. Where open and close are
 * near each other, the open tells both: `openFor` is the time between them in µs, `read` and `written` are the totals.
 */
export interface FileOpenObservation {
  readonly kind: 'file-open';
  readonly path: string;
  readonly mode: 'r' | 'w' | 'rw';
  readonly created: boolean;
  readonly truncated: boolean;
  readonly fd: number;
  readonly openFor?: number;
  readonly read?: number;
  readonly written?: number;
}
export interface FileCloseObservation {
  readonly kind: 'file-close';
  readonly path: string;
  readonly fd: number;
  readonly read: number;
  readonly written: number;
}
export interface FileChangeObservation {
  readonly kind: 'file-change';
  readonly op: 'unlink' | 'rename' | 'link' | 'symlink' | 'mkdir' | 'rmdir' | 'chmod' | 'chown' | 'truncate';
  readonly path: string;
  /** New name (rename, link, symlink). */
  readonly to?: string;
  readonly mode?: number;
}

/** Sockets. */
export interface SocketConnectObservation {
  readonly kind: 'socket-connect';
  readonly peer: Peer;
  readonly fd: number;
  /** Local port; names the connection to the network proxy. 0 when unknown. */
  readonly localPort: number;
  /** The connection was led through the network proxy: exchanges follow. */
  readonly steered: boolean;
  /** A tap inside the process observes it instead: exchanges follow if HTTP is spoken. */
  readonly tapped?: boolean;
  readonly errno?: number;
}
export interface SocketAcceptObservation {
  readonly kind: 'socket-accept';
  readonly peer: Peer;
  readonly fd: number;
  readonly localPort: number;
}
export interface SocketBindObservation {
  readonly kind: 'socket-bind';
  readonly peer: Peer;
  readonly fd: number;
}
export interface SocketCloseObservation {
  readonly kind: 'socket-close';
  readonly peer: Peer;
  readonly fd: number;
  readonly received: number;
  readonly sent: number;
}
export interface DnsObservation {
  readonly kind: 'dns';
  readonly name: string;
  readonly addrs: readonly string[];
}

/**
 * One HTTP request and its response, seen by the network proxy or a tap; written when it ends or fails. `from`, `to`: µs since 1970.
 * `answered`: when the head of the response was passed on, before which nothing of it can have had an effect.
 */
export interface ExchangeObservation {
  readonly kind: 'exchange';
  readonly id: string;
  /** What saw it; the network proxy when absent. */
  readonly seenBy?: 'tap';
  readonly from: number;
  readonly to: number;
  readonly answered?: number;
  readonly method: string;
  readonly scheme: 'http' | 'https';
  readonly host: string;
  readonly port: number;
  readonly addr?: string;
  /** Path without query string; secrets redacted. */
  readonly path: string;
  /** Names of the query parameters, values never. */
  readonly query?: readonly string[];
  readonly status?: number;
  readonly request: BodyDigest;
  readonly response: BodyDigest;
  readonly error?: string;
  /** Set when the exchange is a call of an AWS service. */
  readonly aws?: { readonly service: string; readonly operation: string };
  /** Cause side of the join keys, one per batch entry. */
  readonly keys: readonly JoinKey[];
  readonly resources: readonly ResourceRef[];
}
/**
 * A connection that was passed through unread: not HTTP, or TLS whose client or server would not have accepted our certificate.
 * `unreadable`: a part of one that a tap could not understand, because bytes of it are missing, could mean several things or
 * are TLS of a kind that it cannot look into; `from`, `sent` and `received` count from there on.
 */
export interface TunnelObservation {
  readonly kind: 'tunnel';
  readonly from: number;
  readonly to: number;
  readonly peer: Peer;
  /** TLS server name, when the client sent one. */
  readonly sni?: string;
  /** `excluded`: what the proxy cannot stand in for: TLS that names no server, h2c, requests to a forward proxy. */
  readonly why: 'not-http' | 'client-rejects-ca' | 'server-untrusted' | 'proxy-not-ready' | 'excluded' | 'unreadable';
  readonly sent: number;
  readonly received: number;
}

export type Observation = {
  /** CLOCK_REALTIME in whole microseconds since 1970: exact in a double until 2255. Never used for order inside an instance. */
  readonly t: number;
  /** Process it happened in; absent for what the recorder itself observed. */
  readonly proc?: ProcessId;
} & (
  | InitObservation
  | RestoreObservation
  | ShutdownObservation
  | GapObservation
  | UnobservedObservation
  | WarningObservation
  | RequestBeginObservation
  | RequestEndObservation
  | ProcessStartObservation
  | ProcessExecObservation
  | ProcessExitObservation
  | FileOpenObservation
  | FileCloseObservation
  | FileChangeObservation
  | SocketConnectObservation
  | SocketAcceptObservation
  | SocketBindObservation
  | SocketCloseObservation
  | DnsObservation
  | ExchangeObservation
  | TunnelObservation
);

/** An observation in its place: `seq` is dense per instance from 0, so a hole is a gap. `req`: the request during which it happened. */
export type AuditRecord = Observation & {
  readonly seq: number;
  readonly req: RequestId | null;
  readonly phase: Phase;
};

/** What the probe found at init: what can be seen here, and by what. */
export interface Capabilities {
  readonly shim: boolean;
  /** A proxy stands before the Runtime API, at least for runtimes that cannot be tapped. */
  readonly runtimeProxy: boolean;
  /** The shim leads the runtime past that proxy and tells what it says to the Runtime API. */
  readonly runtimeTap?: boolean;
  readonly networkProxy: boolean;
  readonly ptrace: boolean;
  readonly seccomp: boolean;
  readonly userNamespaces: boolean;
}

/** First line of every segment. `prev`: SHA-256 (hex) of the bytes of the segment before it as stored, null for the first. */
export interface SegmentHeader {
  readonly v: 1;
  readonly fn: string;
  readonly version: string;
  readonly instanceId: InstanceId;
  readonly first: number;
  readonly last: number;
  readonly count: number;
  readonly prev: string | null;
  readonly caps: Capabilities;
}

export interface Segment {
  readonly header: SegmentHeader;
  readonly records: readonly AuditRecord[];
}
