import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join, normalize, sep } from 'node:path';
import { inflateRawSync } from 'node:zlib';

const END = 0x06054b50;
const ENTRY = 0x02014b50;
/** End record without comment, and the longest comment there can be. */
const END_SIZE = 22;
const MAX_COMMENT = 65_535;

/**
 * Unpacks a zip file (stored and deflated entries, no encryption, no zip64) into `target`. Modes are kept.
 * Throws, naming the file and entry, on anything else, and on entries that point out of `target`.
 * Format: https://pkware.cachefly.net/webdocs/casestudies/APPNOTE.TXT
 */
export function unzip(file: string, target: string): void {
  const bytes = readFileSync(file);
  let end = bytes.length - END_SIZE;
  while (end >= 0 && end >= bytes.length - END_SIZE - MAX_COMMENT && bytes.readUInt32LE(end) !== END) end--;
  if (end < 0 || bytes.readUInt32LE(end) !== END) throw new Error(`${file} is no zip file.`);
  let at = bytes.readUInt32LE(end + 16);
  for (let left = bytes.readUInt16LE(end + 10); left > 0; left--) {
    if (at + 46 > bytes.length || bytes.readUInt32LE(at) !== ENTRY) throw new Error(`${file}: its directory is damaged.`);
    const lengths = [bytes.readUInt16LE(at + 28), bytes.readUInt16LE(at + 30), bytes.readUInt16LE(at + 32)] as const;
    const name = bytes.toString('utf8', at + 46, at + 46 + lengths[0]);
    const path = normalize(join(target, name));
    if (path !== target && !path.startsWith(target + sep)) throw new Error(`${file}: entry ${name} points out of the archive.`);
    if (name.endsWith('/')) mkdirSync(path, { recursive: true });
    else {
      mkdirSync(dirname(path), { recursive: true });
      const mode = (bytes.readUInt32LE(at + 38) >>> 16) & 0o777;
      writeFileSync(path, content(bytes, at, `${file}: entry ${name}`), { mode: mode === 0 ? 0o644 : mode });
    }
    at += 46 + lengths[0] + lengths[1] + lengths[2];
  }
}

function content(bytes: Buffer, at: number, what: string): Buffer {
  const method = bytes.readUInt16LE(at + 10);
  const packed = bytes.readUInt32LE(at + 20);
  const local = bytes.readUInt32LE(at + 42);
  const start = local + 30 + bytes.readUInt16LE(local + 26) + bytes.readUInt16LE(local + 28);
  const data = bytes.subarray(start, start + packed);
  if (method === 0) return data;
  if (method === 8) return inflateRawSync(data);
  throw new Error(`${what}: compression method ${method} is not supported; use deflate.`);
}
