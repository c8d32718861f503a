import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { buildLayer } from '../../layers/build.ts';

let dir: string;
beforeAll(() => {
  dir = mkdtempSync('/tmp/alastor-test-');
});
afterAll(() => rmSync(dir, { recursive: true, force: true }));

function digests(layer: string): Record<string, string> {
  const files = readdirSync(layer, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
  return Object.fromEntries(
    files.map(({ parentPath, name }) => {
      const path = join(parentPath, name);
      const mode = statSync(path).mode.toString(8).slice(-3);
      return [path.slice(layer.length + 1), `${mode} ${createHash('sha256').update(readFileSync(path)).digest('hex')}`];
    }),
  );
}

it('builds what the platform expects under /opt, the same bytes from the same sources', async () => {
  const one = await buildLayer({ out: join(dir, 'one') });
  const two = await buildLayer({ out: join(dir, 'two') });
  const files = digests(one);
  expect(files).toEqual(digests(two));
  expect(Object.keys(files).sort()).toEqual([
    'alastor/build-id',
    'alastor/libalastor.so',
    'alastor/network.mjs',
    'alastor/probe',
    'alastor/recorder.cjs',
    'alastor/standby',
    'alastor/tap.cjs',
    'alastor/wrapper',
    'extensions/alastor',
  ]);
  for (const program of ['extensions/alastor', 'alastor/wrapper', 'alastor/probe']) expect(files[program]).toMatch(/^755/);
  expect(readFileSync(join(one, 'alastor/recorder.cjs'), 'utf8')).not.toContain(process.cwd());
});

it('does nothing when nothing has changed, and everything when the build is not of these sources', async () => {
  const out = join(dir, 'one');
  const built = statSync(out).ino;
  await buildLayer({ out });
  expect(statSync(out).ino).toBe(built);
  writeFileSync(join(out, 'alastor/build-id'), 'something else\n');
  await buildLayer({ out });
  expect(statSync(out).ino).not.toBe(built);
  expect(readdirSync(dir).sort()).toEqual(['one', 'two']);
});

it('brings a Node for runtimes without one', async () => {
  const out = await buildLayer({ out: join(dir, 'with-node'), withNode: true });
  expect(execFileSync(join(out, 'alastor/node'), ['--version'], { encoding: 'utf8' })).toMatch(/^v\d+/);
});

it('probes the kernel without failing', async () => {
  const probe = join(await buildLayer({ out: join(dir, 'one') }), 'alastor/probe');
  expect(execFileSync(probe, { encoding: 'utf8' })).toMatch(/^ptrace=[01]\nseccomp=[01]\nuserns=[01]\n$/);
});
