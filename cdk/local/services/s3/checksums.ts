import { createHash } from 'node:crypto';
import { crc32 } from 'node:zlib';

/** Running checksum as S3 defines it; `digest` is base64 of the big-endian value. */
export interface Checksum {
  update(bytes: Buffer): void;
  digest(): Buffer;
}

/** The `x-amz-checksum-*` algorithms by the end of their header name. */
export type ChecksumName = 'crc32' | 'crc32c' | 'crc64nvme' | 'sha1' | 'sha256';
export const CHECKSUM_NAMES: readonly ChecksumName[] = ['crc32', 'crc32c', 'crc64nvme', 'sha1', 'sha256'];

/** Reflected polynomial of CRC-32C (Castagnoli). */
const CRC32C_TABLE = Uint32Array.from({ length: 256 }, (_, index) => {
  let value = index;
  for (let bit = 0; bit < 8; bit++) value = value & 1 ? (value >>> 1) ^ 0x82f63b78 : value >>> 1;
  return value;
});

/** Table of CRC-64/NVME (reflected polynomial 9A6C9329AC4BC9B5), as two 32-bit halves because BigInt is far slower. */
const CRC64_LOW = new Uint32Array(256);
const CRC64_HIGH = new Uint32Array(256);
for (let index = 0; index < 256; index++) {
  let value = BigInt(index);
  for (let bit = 0; bit < 8; bit++) value = value & 1n ? (value >> 1n) ^ 0x9a6c9329ac4bc9b5n : value >> 1n;
  CRC64_LOW[index] = Number(value & 0xffffffffn);
  CRC64_HIGH[index] = Number(value >> 32n);
}

function word(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value >>> 0);
  return bytes;
}

function crc32Checksum(): Checksum {
  let value = 0;
  return {
    update: (bytes) => {
      value = crc32(bytes, value);
    },
    digest: () => word(value),
  };
}

function crc32cChecksum(): Checksum {
  let value = 0xffffffff;
  return {
    update: (bytes) => {
      for (const byte of bytes) value = (value >>> 8) ^ (CRC32C_TABLE[(value ^ byte) & 255] ?? 0);
    },
    digest: () => word(~value),
  };
}

function crc64Checksum(): Checksum {
  let low = 0xffffffff;
  let high = 0xffffffff;
  return {
    update: (bytes) => {
      for (const byte of bytes) {
        const index = (low ^ byte) & 255;
        low = ((low >>> 8) | (high << 24)) ^ (CRC64_LOW[index] ?? 0);
        high = (high >>> 8) ^ (CRC64_HIGH[index] ?? 0);
      }
    },
    digest: () => Buffer.concat([word(~high), word(~low)]),
  };
}

function hashChecksum(algorithm: string): Checksum {
  const hash = createHash(algorithm);
  return { update: (bytes) => void hash.update(bytes), digest: () => hash.digest() };
}

export function checksum(name: ChecksumName): Checksum {
  switch (name) {
    case 'crc32':
      return crc32Checksum();
    case 'crc32c':
      return crc32cChecksum();
    case 'crc64nvme':
      return crc64Checksum();
    default:
      return hashChecksum(name);
  }
}

/** `CRC32C`, `x-amz-checksum-crc32c` and the like → the name used here; null for anything else. */
export function checksumName(text: string | undefined): ChecksumName | null {
  const short = text?.toLowerCase().replace('x-amz-checksum-', '');
  return CHECKSUM_NAMES.find((name) => name === short) ?? null;
}
