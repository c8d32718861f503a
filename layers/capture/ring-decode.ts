import { constants } from 'node:fs';
import { posix } from 'node:path';
import type { FileChangeObservation, Observation, Peer, ProcessId, ProcessStartObservation } from '../record/types.ts';
import type { EventReader, RingEvent } from './ring-event.ts';

/** What an event says, without time and process, which are the same for all. */
type Said<T = Observation> = T extends unknown ? Omit<T, 't' | 'proc'> : never;
/** How a process came to be that reports itself from a new program image: only the history of its id and its parent's tells. */
export type ImageOrigin = (proc: ProcessId, parent: ProcessId | null) => ProcessStartObservation['how'];

/** Order as in `enum change_op` of layers/shim/path.h. */
const CHANGES: readonly FileChangeObservation['op'][] = [
  'unlink',
  'rename',
  'link',
  'symlink',
  'mkdir',
  'rmdir',
  'chmod',
  'chown',
  'truncate',
];
const UNOBSERVED = ['program', 'process'] as const;
const PROTOCOLS = ['tcp', 'udp', 'unix'] as const;

/** Bytes that are no UTF-8 become U+FFFD; there is no other form in which a record could carry them. */
function text(bytes: Buffer | undefined): string {
  return bytes === undefined ? '' : bytes.toString('utf8');
}

/** The name as the application gave it, without `.`, `..` and doubled slashes. Symbolic links are not followed. */
function path(bytes: Buffer | undefined): string {
  return normal(text(bytes));
}

function normal(name: string): string {
  if (!name.startsWith('/') || !/\/(\.{0,2}(\/|$))/.test(name)) return name;
  const clean = posix.normalize(name);
  return clean.length > 1 && clean.endsWith('/') ? clean.slice(0, -1) : clean;
}

/** RFC 5952 text for 16 bytes; a mapped IPv4 address is written as IPv4, under which the rest of the record knows it. */
function address6(bytes: Buffer): string {
  if (bytes.subarray(0, 10).every((b) => b === 0) && bytes.readUInt16BE(10) === 0xffff)
    return [...bytes.subarray(12)].join('.');
  const groups = Array.from({ length: 8 }, (_, i) => bytes.readUInt16BE(2 * i));
  let best = { at: 0, run: 0 };
  for (let at = 0, run = 0; at < 8; at++) {
    run = groups[at] === 0 ? run + 1 : 0;
    if (run > best.run) best = { at: at - run + 1, run };
  }
  const hex = groups.map((g) => g.toString(16));
  if (best.run < 2) return hex.join(':');
  return `${hex.slice(0, best.at).join(':')}::${hex.slice(best.at + best.run).join(':')}`;
}

function address(bytes: Buffer): string | undefined {
  if (bytes.length === 4) return [...bytes].join('.');
  return bytes.length === 16 ? address6(bytes) : undefined;
}

function peer(family: number, protocol: number, port: number, bytes: Buffer | undefined): Peer | undefined {
  const proto = PROTOCOLS[protocol - 1];
  if (bytes === undefined || proto === undefined) return undefined;
  if (family === 1) {
    /* Abstract names (unix(7)) begin with NUL; `@` is how ss and netstat show it. */
    return { addr: bytes[0] === 0 ? `@${text(bytes.subarray(1))}` : text(bytes), port: 0, proto };
  }
  const addr = bytes.length === family || (family === 6 && bytes.length === 16) ? address(bytes) : undefined;
  return addr === undefined ? undefined : { addr, port: port & 0xffff, proto };
}

/** `family` 4 or 6, as `enum family` of layers/shim/socket.h. */
export function addressPeer(family: number, port: number, bytes: Buffer | undefined): Peer | undefined {
  return family === 4 || family === 6 ? peer(family, 1, port, bytes) : undefined;
}

function decodeSocket(e: RingEvent): Said | undefined {
  const [fd, second, third, fourth] = e.numbers;
  if (e.type === 10) {
    const to = peer(Math.floor(third / 0x1000000), (third >> 16) & 0xff, third & 0xffff, e.strings[0]);
    return to && { kind: 'socket-close', peer: to, fd, received: second, sent: fourth };
  }
  const to = peer(third >> 8, third & 0xff, Math.floor(fourth / 0x10000), e.strings[0]);
  if (!to) return undefined;
  const localPort = (second >> 8) & 0xffff;
  const errno = fourth & 0xffff;
  if (e.type === 8) return { kind: 'socket-accept', peer: to, fd, localPort };
  if (e.type === 9) return { kind: 'socket-bind', peer: to, fd };
  /* By a tap inside the process, or teed by the shim: either way what goes over it is told without the proxy. */
  const tapped = (second & 6) !== 0 ? { tapped: true } : {};
  return {
    kind: 'socket-connect',
    peer: to,
    fd,
    localPort,
    steered: (second & 1) === 1,
    ...tapped,
    ...(errno ? { errno } : {}),
  };
}

/** An open or a close of a file, which is what nearly all events are about, understood where it lies. `undefined`: nonsense. */
export function decodeOpenClose(e: EventReader, at: number, length: number): Observation | undefined {
  const name = normal(e.onlyText(at, length) ?? '');
  if (name === '') return undefined;
  const [t, proc] = [e.time(at), e.proc(at)];
  const [first, second, third] = [e.number(at, 0), e.number(at, 1), e.number(at, 2)];
  if (e.type(at) === 5) return { t, proc, kind: 'file-close', path: name, fd: first, read: second, written: third };
  const access = second & 3;
  return {
    t,
    proc,
    kind: 'file-open',
    path: name,
    mode: access === constants.O_RDONLY ? 'r' : access === constants.O_WRONLY ? 'w' : 'rw',
    created: third === 1,
    truncated: (second & constants.O_TRUNC) !== 0 && third !== 1,
    fd: first | 0,
  };
}

function decodeFileChange(e: RingEvent): Said | undefined {
  const [first, second] = e.numbers;
  const name = path(e.strings[0]);
  if (name === '') return undefined;
  const op = CHANGES[first - 1];
  if (op === undefined) return undefined;
  const to = e.strings.length > 1 ? path(e.strings[1]) : undefined;
  return {
    kind: 'file-change',
    op,
    /* The text of a symbolic link counts from the folder of the link. */
    path: op === 'symlink' && to?.startsWith('/') ? posix.resolve(posix.dirname(to), name) : name,
    ...(to === undefined ? {} : { to }),
    ...(second > 0 ? { mode: second - 1 } : {}),
  };
}

function decodeProcess(e: RingEvent, origin: ImageOrigin): Said | undefined {
  const [first, second, third] = e.numbers;
  if (e.type === 1) {
    const parent = first > 0 ? `${first}@${second}` : null;
    const how = third === 1 ? 'fork' : third === 2 ? 'vfork' : origin(e.proc, parent);
    return { kind: 'process-start', parent, exe: path(e.strings[0]), how };
  }
  if (e.type === 2) {
    const cwd = text(e.strings[1]);
    return {
      kind: 'process-exec',
      path: path(e.strings[0]),
      argv: e.strings.slice(2).map(text),
      ...(cwd === '' ? {} : { cwd }),
      ok: second === 1,
      ...(first > 0 ? { child: first } : {}),
    };
  }
  return {
    kind: 'process-exit',
    ...(first > 0 ? { code: (first - 1) & 0xff } : {}),
    ...(second > 0 ? { signal: second & 0x7f } : {}),
    ...(third > 0 ? { child: third } : {}),
  };
}

function decodeOther(e: RingEvent): Said | undefined {
  if (e.type === 11) {
    const addrs = e.strings.slice(1).flatMap((bytes) => address(bytes) ?? []);
    return { kind: 'dns', name: text(e.strings[0]), addrs };
  }
  const what = UNOBSERVED[e.numbers[0] - 1];
  return what && { kind: 'unobserved', what, detail: text(e.strings[0]) };
}

/** Understands one event other than those of {@link decodeOpenClose}; the numbers of `type` are those of `enum event_type` in layers/shim/ring.h. `undefined`: nonsense. */
export function decode(e: RingEvent, origin: ImageOrigin): Observation | undefined {
  let said: Said | undefined;
  if (e.type >= 1 && e.type <= 3) said = decodeProcess(e, origin);
  else if (e.type === 6) said = decodeFileChange(e);
  else if (e.type <= 10) said = decodeSocket(e);
  else if (e.type <= 12) said = decodeOther(e);
  return said && ({ t: e.t, proc: e.proc, ...said } as Observation);
}
