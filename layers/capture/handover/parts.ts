import { createHash } from 'node:crypto';

/**
 * Content-defined parts of a body: the same run of bytes is cut in the same way wherever it stands, so a body that was taken
 * over as a part of a larger one is recognised by the parts they share.
 *
 * Cut as in FastCDC/Gear (Xia et al., USENIX ATC 2016): a rolling hash over the last bytes says where a part ends. Of all parts
 * the {@link MOST} with the smallest hash stand for the body (bottom-k sketch). If a share f of a body is another one whole, about
 * 16·f of its digests are the other's too, and always the other's smallest: so an index needs only those.
 */

/** Bytes of a body that is cut: shorter ones have too few parts, and are recognised whole; longer ones would cost too long. */
const LEAST_BODY = 4096;
const MOST_BODY = 1 << 20;
const MIN_PART = 256;
const MAX_PART = 4096;
/** A part ends where these bits of the rolling hash are 0: about every 512 bytes beyond the least. High bits depend on more bytes. */
const END_MASK = 0xff80_0000;
const MOST = 16;
/** 64 bits: enough that two parts never share a digest by chance. */
const DIGEST_LENGTH = 16;
/** Fewer different bytes than that are padding or a table of zeros, which everybody has. */
const LEAST_VARIETY = 8;

/** One random number for each byte value, the same in every instance and version: digests are compared between them. */
const GEAR = new Uint32Array(256);
for (let i = 0; i < 256; i++) GEAR[i] = createHash('sha256').update(`alastor gear ${i}`).digest().readUInt32BE();

interface Part {
  readonly start: number;
  readonly end: number;
  readonly rank: number;
}

function cut(body: Uint8Array): Part[] {
  const smallest: Part[] = [];
  const seen = new Set<number>();
  let worst = 0xffff_ffff;
  let start = 0;
  let gear = 0;
  let sum = 0x811c_9dc5;
  const size = body.length;
  for (let i = 0; i < size; i++) {
    const byte = body[i] as number;
    gear = ((gear << 1) + (GEAR[byte] as number)) | 0;
    // FNV-1a over the part: its rank. Chosen parts are digested properly.
    sum = Math.imul(sum ^ byte, 0x0100_0193);
    const length = i + 1 - start;
    if (i + 1 < size && (length < MIN_PART || ((gear & END_MASK) !== 0 && length < MAX_PART))) continue;
    // The low bits of FNV are its weakest.
    const rank = Math.imul(sum ^ (sum >>> 15), 0x2c1b_3c6d) >>> 0;
    if (length >= MIN_PART && (smallest.length < MOST || rank < worst) && !seen.has(rank) && varied(body, start, i + 1)) {
      seen.add(rank);
      smallest.push({ start, end: i + 1, rank });
      smallest.sort((a, b) => a.rank - b.rank);
      if (smallest.length > MOST) smallest.pop();
      worst = smallest.at(-1)?.rank ?? worst;
    }
    start = i + 1;
    sum = 0x811c_9dc5;
  }
  return smallest;
}

function varied(body: Uint8Array, start: number, end: number): boolean {
  const values = new Set<number>();
  for (let i = start; i < end && values.size < LEAST_VARIETY; i++) values.add(body[i] as number);
  return values.size >= LEAST_VARIETY;
}

/** Digests (16 hex digits, at most 16) of the parts that stand for a body, smallest rank first; undefined for none. */
export function partsOf(body: Uint8Array | undefined): string[] | undefined {
  if (body === undefined || body.length < LEAST_BODY || body.length > MOST_BODY) return undefined;
  const parts = cut(body).map(({ start, end }) =>
    createHash('sha256').update(body.subarray(start, end)).digest('hex').slice(0, DIGEST_LENGTH),
  );
  return parts.length === 0 ? undefined : parts;
}
