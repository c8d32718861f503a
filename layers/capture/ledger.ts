import { closeSync, constants, openSync, readFileSync, readSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { INSTANCE_ID } from '../record/key.ts';
import type { InstanceId } from '../record/types.ts';
import { readU64 } from './ring-event.ts';
import {
  CELL,
  DATA_AT,
  DROPPED_AT,
  EVENT_HEAD,
  EVENT_MAX,
  HEAD_AT,
  RING_HEAD_BYTES,
  RING_MAGIC,
  TAIL_AT,
} from './ring-layout.ts';

const LEDGER = 'ledger';
const FIELD = 16;

/** What a recorder has done so far. Every number counts from 0. */
export interface Account {
  readonly instanceId: InstanceId;
  readonly recorded: number;
  readonly stored: number;
  /** Events dropped by a full ring that a gap was recorded for. */
  readonly dropped: number;
  /** It finished: nothing comes after. */
  readonly ended: boolean;
}

/**
 * Kept beside the ring, so that when a recorder is killed the one that the platform starts in its place, in the same /tmp, can say
 * how much its predecessor had not shipped. No more trustworthy than anything else in the instance: it can only add to what is
 * known to be missing.
 */
export class Ledger {
  readonly #fd: number;
  #last = '';

  /** @throws the file system's error */
  constructor(dir: string) {
    this.#fd = openSync(
      join(dir, LEDGER),
      constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW,
      0o600,
    );
  }

  /** One write of less than a page, and none when nothing is new. Never throws: a full disk must not stop the recording. */
  write({ instanceId, recorded, stored, dropped, ended }: Account): void {
    const numbers = [recorded, stored, dropped, ended ? 1 : 0].map((n) => String(n).padStart(FIELD));
    const line = `${instanceId}${numbers.join('')}\n`;
    if (line === this.#last) return;
    this.#last = line;
    try {
      writeSync(this.#fd, line, 0);
    } catch {
      // What it said before stands.
    }
  }
}

/** What a recorder that is no more has left in its directory. */
export interface LeftBehind {
  readonly instanceId: InstanceId;
  /** Records it had made and not stored, and events that it had not read. */
  readonly lost: number;
  readonly ended: boolean;
}

/** Undefined when there was none, or when it finished with everything stored. Never throws. */
export function leftBehind(dir: string): LeftBehind | undefined {
  try {
    const line = readFileSync(join(dir, LEDGER), 'latin1').slice(0, 256);
    const instanceId = line.slice(0, 36);
    const numbers = Array.from({ length: 4 }, (_, i) => Number(line.slice(36 + i * FIELD, 36 + (i + 1) * FIELD)));
    const [recorded = 0, stored = 0, dropped = 0, ended = 0] = numbers;
    if (!INSTANCE_ID.test(instanceId) || !numbers.every((n) => Number.isSafeInteger(n) && n >= 0)) return undefined;
    const unread = ended === 1 ? 0 : unreadEvents(join(dir, 'ring'), dropped);
    const lost = Math.max(0, recorded - stored) + unread;
    return ended === 1 && lost === 0 ? undefined : { instanceId, lost, ended: ended === 1 };
  } catch {
    return undefined;
  }
}

/** Whole events between tail and head of a ring that nobody reads any more, and those that it had no room for. */
function unreadEvents(path: string, droppedBefore: number): number {
  const fd = openSync(path, constants.O_RDONLY | constants.O_NOFOLLOW);
  try {
    const head = Buffer.alloc(RING_HEAD_BYTES);
    readSync(fd, head, 0, head.length, 0);
    const capacity = readU64(head, 16);
    if (head.readBigUInt64LE(0) !== RING_MAGIC || capacity < CELL || capacity > 1 << 30 || capacity % CELL !== 0) return 0;
    const key = head.readBigUInt64LE(24);
    const [from, to] = [readU64(head, TAIL_AT), readU64(head, HEAD_AT)];
    const bytes = Buffer.alloc(capacity);
    readSync(fd, bytes, 0, capacity, DATA_AT);
    let events = 0;
    for (let at = from; at < to && at - from < capacity; ) {
      const cell = at % capacity;
      const size = bytes.readUInt32LE(cell + 8);
      const whole = bytes.readBigUInt64LE(cell) === BigInt.asUintN(64, key + BigInt(at) + 1n);
      if (whole && size >= EVENT_HEAD && size <= EVENT_MAX) {
        events++;
        at += Math.ceil(size / CELL) * CELL;
      } else at += CELL;
    }
    return events + Math.max(0, readU64(head, DROPPED_AT) - droppedBefore);
  } finally {
    closeSync(fd);
  }
}
