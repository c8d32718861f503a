import { closeSync, openSync, readSync } from 'node:fs';
import type { InstanceId } from './types.ts';

/**
 * A new UUIDv7 (RFC 9562, 5.7). The random part comes straight from the kernel: after a SnapStart restore the state of a
 * user-space generator would be the same in every instance made from one snapshot.
 */
export function newInstanceId(nowMs: number = Date.now()): InstanceId {
  const bytes = Buffer.alloc(16);
  const source = openSync('/dev/urandom', 'r');
  try {
    readSync(source, bytes, 6, 10, null);
  } finally {
    closeSync(source);
  }
  bytes.writeUIntBE(nowMs, 0, 6);
  bytes[6] = ((bytes[6] ?? 0) & 0x0f) | 0x70;
  bytes[8] = ((bytes[8] ?? 0) & 0x3f) | 0x80;
  const hex = bytes.toString('hex');
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}`;
}
