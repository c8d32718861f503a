import { randomBytes } from 'node:crypto';
import { closeSync, constants, mkdirSync, openSync, renameSync, rmSync, write, writeSync } from 'node:fs';
import { dirname } from 'node:path';
import { DATA_AT, EVENT_MAX, RING_MAGIC, RING_VERSION, TAIL_AT } from './ring-layout.ts';

/** The file of a ring, open. */
export interface RingFile {
  readonly path: string;
  readonly fd: number;
  /** Bytes of room for events. */
  readonly capacity: number;
  readonly key: bigint;
}

/** Room for events unless somebody wants more or less. */
const RING_BYTES = 8 << 20;
/** Written at a time. */
const CHUNK = 1 << 20;

/**
 * Makes the file, whole before its name appears, so that no process maps a half-made one. `bytes`: room for events, a power
 * of two from 16 KiB to 1 GiB. All blocks are written: a full disk must not kill the processes that map the file (SIGBUS).
 * @throws the file system's error when the file cannot be made; RangeError for other sizes.
 */
export function makeRing(path: string, bytes: number = RING_BYTES): RingFile {
  const made = begin(path, bytes);
  try {
    const zeros = Buffer.alloc(Math.min(bytes, CHUNK));
    for (let at = 0; at < bytes; at += zeros.length) writeAll(made.fd, zeros, DATA_AT + at);
    return finish(made, path);
  } catch (error) {
    throw givenUp(made, error);
  }
}

/** The same, but its blocks are written by other threads, beside what else there is to do at start. */
export async function makeRingBeside(path: string, bytes: number = RING_BYTES): Promise<RingFile> {
  const made = begin(path, bytes);
  try {
    const zeros = Buffer.alloc(Math.min(bytes, CHUNK));
    const places = Array.from({ length: bytes / zeros.length }, (_, i) => DATA_AT + i * zeros.length);
    // Until all of them are over: a thread must not write to a descriptor that is closed and perhaps another file's.
    const written = await Promise.allSettled(places.map((at) => writeAllBeside(made.fd, zeros, at)));
    for (const one of written) if (one.status === 'rejected') throw one.reason;
    return finish(made, path);
  } catch (error) {
    throw givenUp(made, error);
  }
}

/** A ring with a head and no room yet, under a name of its own until it is whole. */
function begin(path: string, bytes: number): RingFile {
  if (bytes < 2 * EVENT_MAX || bytes > 1 << 30 || (bytes & (bytes - 1)) !== 0) {
    throw new RangeError(`ring ${path}: ${bytes} bytes is not a power of two from 16 KiB to 1 GiB`);
  }
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
  const temporary = `${path}.${process.pid}.new`;
  const fd = openSync(temporary, constants.O_RDWR | constants.O_CREAT | constants.O_TRUNC | constants.O_NOFOLLOW, 0o600);
  const made = { path: temporary, fd, capacity: bytes, key: randomBytes(8).readBigUInt64LE() };
  const head = Buffer.alloc(DATA_AT);
  head.writeBigUInt64LE(RING_MAGIC, 0);
  head.writeUInt32LE(RING_VERSION, 8);
  head.writeBigUInt64LE(BigInt(bytes), 16);
  head.writeBigUInt64LE(made.key, 24);
  // The recorder's first sign of life, see `Ring.beat`.
  head.writeBigUInt64LE(process.hrtime.bigint() / 1000n, TAIL_AT + 8);
  try {
    writeAll(fd, head, 0);
    return made;
  } catch (error) {
    throw givenUp(made, error);
  }
}

function finish(made: RingFile, path: string): RingFile {
  renameSync(made.path, path);
  return { ...made, path };
}

/** Half a ring must not take the last of a full disk from the function; open, it would even without its name. */
function givenUp({ fd, path }: RingFile, error: unknown): unknown {
  closeSync(fd);
  rmSync(path, { force: true });
  return error;
}

/** A disk that becomes full takes a part of what it is given before it refuses. */
function writeAll(fd: number, bytes: Buffer, position: number): void {
  for (let done = 0; done < bytes.length; ) done += writeSync(fd, bytes, done, bytes.length - done, position + done);
}

function writeAllBeside(fd: number, bytes: Buffer, position: number): Promise<void> {
  return new Promise((resolve, reject) => {
    const more = (done: number): void => {
      write(fd, bytes, done, bytes.length - done, position + done, (error, count) => {
        if (error !== null) reject(error);
        else if (done + count === bytes.length) resolve();
        else more(done + count);
      });
    };
    more(0);
  });
}
