import { encodeSegment } from '../../layers/record/codec.ts';
import { newInstanceId } from '../../layers/record/instance-id.ts';
import { segmentDigest, segmentKey } from '../../layers/record/key.ts';
import type {
  AuditRecord,
  Capabilities,
  ExchangeObservation,
  InstanceId,
  JoinKey,
  Observation,
  Phase,
  ProcessId,
  ResourceRef,
  Segment,
  Trigger,
} from '../../layers/record/types.ts';

export const START = 1_772_000_000_000_000;
const CAPS: Capabilities = {
  shim: true,
  runtimeProxy: true,
  networkProxy: true,
  ptrace: false,
  seccomp: false,
  userNamespaces: false,
};

export interface Stored {
  readonly key: string;
  readonly segment: Segment;
  readonly bytes: Uint8Array;
}

type Own<T> = T extends unknown ? Omit<T, 't' | 'proc'> : never;

/** One clock for all instances of a scenario: every call of it is a millisecond later. */
export class Clock {
  now = START;
  tick(): number {
    this.now += 1000;
    return this.now;
  }
}

/** What one instance would record; tells the story of a function in the words of the record format. */
export class Recorded {
  readonly records: AuditRecord[] = [];
  readonly id: InstanceId;
  readonly fn: string;
  readonly clock: Clock;
  readonly runtime: ProcessId;
  #req: string | null = null;
  #phase: Phase = 'init';
  #exchanges = 0;

  constructor(fn: string, clock: Clock, id: InstanceId = newInstanceId()) {
    this.fn = fn;
    this.clock = clock;
    this.id = id;
    this.runtime = `7@${1000 + Math.floor(clock.now % 977)}` as ProcessId;
    this.add(undefined, {
      ...{ kind: 'init', fn, version: '$LATEST', region: 'eu-west-1', runtime: 'nodejs24.x', memoryMb: 512 },
      ...{ initType: 'on-demand', caps: CAPS },
    });
    this.add(this.runtime, { kind: 'process-start', parent: null, exe: '/var/lang/bin/node', how: 'runtime' });
    this.read(this.runtime, '/var/task/index.js');
  }

  add(proc: ProcessId | undefined, observation: Own<Observation>, t = this.clock.tick()): AuditRecord {
    const record = {
      ...{ seq: this.records.length, t, req: this.#req, phase: this.#phase, ...(proc === undefined ? {} : { proc }) },
      ...observation,
    } as AuditRecord;
    this.records.push(record);
    return record;
  }

  begin(
    req: string,
    trigger: Trigger = { type: 'invoke' },
    keys: readonly JoinKey[] = [],
    resources: readonly ResourceRef[] = [],
  ): string {
    this.#req = req;
    this.#phase = 'invoke';
    const fnArn = `arn:aws:lambda:eu-west-1:1:function:${this.fn}`;
    const all = [{ key: `lambda:${req}`, sure: 'exact' } as const, ...keys];
    this.add(undefined, {
      kind: 'request-begin',
      deadlineMs: 3000,
      fnArn,
      event: { bytes: 10 },
      trigger,
      keys: all,
      resources,
    });
    this.read(this.runtime, '/var/task/handler.js');
    return req;
  }

  /** `keys`: by what its result is recognised when a service hands it on. */
  end(keys?: readonly JoinKey[]): void {
    this.add(undefined, {
      kind: 'request-end',
      status: 'ok',
      response: { bytes: 20 },
      ...(keys === undefined ? {} : { keys }),
    });
    this.#phase = 'after';
  }

  idle(): void {
    this.#req = null;
    this.#phase = 'idle';
  }

  spawn(parent: ProcessId, pid: number, argv: readonly string[]): ProcessId {
    const child = `${pid}@${5000 + this.records.length}` as ProcessId;
    const path = argv[0]?.startsWith('/') ? argv[0] : `/usr/bin/${argv[0]}`;
    this.add(child, { kind: 'process-start', parent, exe: '/var/lang/bin/node', how: 'fork' });
    this.add(child, { kind: 'process-exec', path, argv, ok: true });
    this.add(child, { kind: 'process-start', parent, exe: path, how: 'exec' });
    return child;
  }

  exit(proc: ProcessId): void {
    this.add(proc, { kind: 'process-exit', code: 0 });
  }

  write(proc: ProcessId, path: string, bytes = 100): void {
    this.add(proc, { kind: 'file-open', path, mode: 'w', created: true, truncated: true, fd: 9 });
    this.add(proc, { kind: 'file-close', path, fd: 9, read: 0, written: bytes });
  }

  read(proc: ProcessId, path: string, bytes = 100): void {
    this.add(proc, { kind: 'file-open', path, mode: 'r', created: false, truncated: false, fd: 8 });
    this.add(proc, { kind: 'file-close', path, fd: 8, read: bytes, written: 0 });
  }

  exchange(proc: ProcessId, fields: Partial<Omit<ExchangeObservation, 'kind' | 'id'>>): string {
    const id = `x${++this.#exchanges}`;
    const from = this.clock.tick();
    const to = fields.to ?? this.clock.tick();
    const host = fields.host ?? 'example.com';
    this.add(proc, {
      ...{ kind: 'exchange', id, from, to, method: 'GET', scheme: 'https', host, port: 443, path: '/', status: 200 },
      ...{ request: { bytes: 0 }, response: { bytes: 200 }, keys: [], resources: [] },
      ...fields,
    });
    return id;
  }

  /** A call of an AWS service. */
  aws(
    proc: ProcessId,
    service: string,
    operation: string,
    keys: readonly string[],
    resources: readonly ResourceRef[] = [],
    status = 200,
  ) {
    return this.exchange(proc, {
      ...{ host: `${service}.eu-west-1.amazonaws.com`, method: 'POST', aws: { service, operation }, status, resources },
      ...{ request: { bytes: 50 }, response: { bytes: 80 }, keys: keys.map((key) => ({ key, sure: 'exact' as const })) },
    });
  }

  /** Stored segments; cut after each of the seqs given. */
  segments(cuts: readonly number[] = []): readonly Stored[] {
    const stored: Stored[] = [];
    let prev: string | null = null;
    let first = 0;
    const ends = [...new Set([...cuts, this.records.length - 1])]
      .filter((cut) => cut < this.records.length)
      .sort((a, b) => a - b);
    for (const last of ends) {
      const records = this.records.slice(first, last + 1);
      const fields = { fn: this.fn, version: '$LATEST', instanceId: this.id, prev, caps: CAPS };
      const bytes = encodeSegment(fields, records);
      const header = { v: 1, ...fields, first, last, count: records.length } as const;
      stored.push({ key: segmentKey({ fn: this.fn, instanceId: this.id, first, last }), segment: { header, records }, bytes });
      prev = segmentDigest(bytes);
      first = last + 1;
    }
    return stored;
  }
}
