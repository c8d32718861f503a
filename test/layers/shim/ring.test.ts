import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { closeSync, openSync, readSync, writeFileSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { Ring } from '../../../layers/capture/ring.ts';
import type { Observation } from '../../../layers/record/types.ts';
import { Watched } from './watched.ts';

const watched = new Watched();
afterAll(() => watched.close());

async function leave(ring: Ring, script: string): Promise<void> {
  const child = watched.start('/bin/sh', ['-c', script], watched.env(ring));
  await once(child, 'close');
}
function overwrite(ring: Ring, at: number, bytes: Buffer): void {
  const fd = openSync(ring.path, 'r+');
  writeSync(fd, bytes, 0, bytes.length, at);
  closeSync(fd);
}
function peek(ring: Ring, at: number, length: number): Buffer {
  const bytes = Buffer.alloc(length);
  const fd = openSync(ring.path, 'r');
  readSync(fd, bytes, 0, length, at);
  closeSync(fd);
  return bytes;
}
async function drainUntil(ring: Ring, done: (seen: Observation[]) => boolean): Promise<Observation[]> {
  const seen: Observation[] = [];
  for (let tries = 0; tries < 400 && !done(seen); tries++) {
    seen.push(...ring.drain());
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  return seen;
}
const isGap = (o: Observation) => o.kind === 'gap';

describe('ring', () => {
  it('refuses a size it could not use', () => {
    expect(() => Ring.create(join(watched.dir, 'odd'), 100_000)).toThrow(/power of two/);
  });

  it('counts what did not fit, and takes up again', async () => {
    const ring = watched.ring(16384);
    await leave(ring, 'i=0; while [ $i -lt 300 ]; do : > f$i; i=$((i+1)); done');
    const first = ring.drain();
    const kept = first.filter((o) => o.kind === 'file-open').length;
    const [gap] = first.filter(isGap);
    expect(gap).toMatchObject({ kind: 'gap', why: 'ring-full' });
    /* The files kept and those lost must add up; the exit is lost as well. */
    expect(kept + (gap as { lost: number }).lost).toBe(301);
    await leave(ring, ': > again');
    expect(ring.drain().filter((o) => o.kind === 'file-open' || isGap(o))).toHaveLength(1);
  });

  it('goes round many times without losing anything', async () => {
    const ring = watched.ring(16384);
    const seen: Observation[] = [];
    for (let round = 0; round < 30; round++) {
      await leave(ring, 'for i in 1 2 3 4 5 6 7; do for k in 1 2 3 4 5 6 7; do : > around$i; done; done');
      seen.push(...ring.drain());
    }
    expect(seen.filter(isGap)).toEqual([]);
    expect(seen.filter((o) => o.kind === 'file-open' && o.path.includes('/around'))).toHaveLength(30 * 49);
  });

  it('passes over an event whose writer died, and says that one is missing', async () => {
    const ring = watched.ring();
    await leave(ring, ': > one; : > two; : > three');
    /* Event 0 is the start, 1 the first file: unstamped, as if its writer had been killed before the last store. */
    const startLength = peek(ring, 4096 + 8, 4).readUInt32LE();
    overwrite(ring, 4096 + Math.ceil(startLength / 64) * 64, Buffer.alloc(8));
    expect(ring.drain().map((o) => o.kind)).toEqual(['process-start']);
    const later = await drainUntil(ring, (seen) => seen.some((o) => o.kind === 'process-exit'));
    expect(later.filter((o) => o.kind === 'file-open')).toHaveLength(2);
    expect(later.filter(isGap)).toEqual([expect.objectContaining({ why: 'shim-lost', lost: 1 })]);
    for (let i = 0; i < 120; i++) {
      expect(ring.drain()).toEqual([]);
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
  });

  it('does not deliver an event that was tampered with', async () => {
    const ring = watched.ring();
    await leave(ring, ': > one; : > two');
    overwrite(ring, 4096 + 82, Buffer.from('/bin/innocent'));
    const seen = await drainUntil(ring, (all) => all.some((o) => o.kind === 'process-exit'));
    expect(seen.filter((o) => o.kind === 'process-start')).toEqual([]);
    expect(seen.filter(isGap)).toContainEqual(expect.objectContaining({ why: 'ring-damaged', lost: 1 }));
    expect(seen.filter((o) => o.kind === 'file-open')).toHaveLength(2);
  });

  it('survives any bytes in its file and records again afterwards', async () => {
    const ring = watched.ring(1 << 15);
    const noise = createHash('shake256', { outputLength: 1 << 15 })
      .update('noise')
      .digest();
    for (const head of [1n << 60n, 3n, 1n << 14n]) {
      const at = Buffer.alloc(8);
      at.writeBigUInt64LE(head);
      overwrite(ring, 64, at);
      overwrite(ring, 4096, noise);
      const seen = await drainUntil(ring, (all) => all.some(isGap));
      expect(seen.every(isGap)).toBe(true);
    }
    await leave(ring, ': > one');
    expect(
      (await drainUntil(ring, (all) => all.some((o) => o.kind === 'process-exit'))).filter((o) => o.kind === 'file-open'),
    ).toHaveLength(1);
  });

  it('loses nothing but the killed when processes are killed while they write', async () => {
    /* Small, so that the writers spend their time in the ring and the reader keeps up. */
    const ring = watched.ring(1 << 16);
    writeFileSync(join(watched.dir, 'busy.sh'), 'while :; do : > k; done');
    const children = Array.from({ length: 3 }, () => watched.start('/bin/sh', ['busy.sh'], watched.env(ring)));
    const ends = children.map((child) => once(child, 'close'));
    const seen: Observation[] = [];
    for (let i = 0; i < 20; i++) {
      seen.push(...ring.drain());
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
    for (const child of children) child.kill('SIGKILL');
    await Promise.all(ends);
    seen.push(...ring.drain());
    await leave(ring, ': > after');
    seen.push(...(await drainUntil(ring, (all) => all.some((o) => o.kind === 'file-open' && o.path.endsWith('/after')))));
    const lost = seen.filter(isGap);
    expect(lost.filter((o) => o.kind === 'gap' && o.why === 'shim-lost').length).toBeLessThanOrEqual(3);
    expect(lost.filter((o) => o.kind === 'gap' && o.why === 'ring-damaged')).toEqual([]);
    expect(seen.filter((o) => o.kind === 'file-open').length).toBeGreaterThan(50);
  });
});
