import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  cpSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  realpathSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
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

it('builds what the platform expects under /opt', async () => {
  const one = await buildLayer({ out: join(dir, 'one') });
  const files = digests(one);
  expect(Object.keys(files).sort()).toEqual([
    'alastor/NOTICES.txt',
    'alastor/build-id',
    'alastor/libalastor.so',
    'alastor/network.mjs',
    'alastor/probe',
    'alastor/recorder.cjs',
    'alastor/sbom.cdx.json',
    'alastor/standby',
    'alastor/tap.cjs',
    'alastor/wrapper',
    'extensions/alastor',
  ]);
  for (const program of ['extensions/alastor', 'alastor/wrapper', 'alastor/probe']) expect(files[program]).toMatch(/^755/);
  expect(readFileSync(join(one, 'alastor/recorder.cjs'), 'utf8')).not.toContain(process.cwd());
});

it('does nothing when nothing has changed, and everything when the build is not of these sources: then the same bytes', async () => {
  const out = join(dir, 'one');
  const before = digests(out);
  const built = statSync(out).ino;
  await buildLayer({ out });
  expect(statSync(out).ino).toBe(built);
  writeFileSync(join(out, 'alastor/build-id'), 'something else\n');
  await buildLayer({ out });
  expect(statSync(out).ino).not.toBe(built);
  expect(digests(out)).toEqual(before);
  expect(readdirSync(dir)).toEqual(['one']);
});

it('brings a Node for runtimes without one', async () => {
  const out = await buildLayer({ out: join(dir, 'with-node'), withNode: true });
  expect(execFileSync(join(out, 'alastor/node'), ['--version'], { encoding: 'utf8' })).toMatch(/^v\d+/);
});

it('probes the kernel without failing', async () => {
  const probe = join(await buildLayer({ out: join(dir, 'one') }), 'alastor/probe');
  expect(execFileSync(probe, { encoding: 'utf8' })).toMatch(/^ptrace=[01]\nseccomp=[01]\nuserns=[01]\n$/);
});

it('says what of others it contains, and under which licence', async () => {
  const layer = join(await buildLayer({ out: join(dir, 'one') }), 'alastor');
  const { components, ...bom } = JSON.parse(readFileSync(join(layer, 'sbom.cdx.json'), 'utf8'));
  expect(bom).toMatchObject({ bomFormat: 'CycloneDX', specVersion: '1.6' });
  const purls: string[] = components.map(({ purl }: { purl: string }) => purl);
  const { version } = JSON.parse(readFileSync('node_modules/mockttp/package.json', 'utf8'));
  expect(purls).toContain(`pkg:npm/mockttp@${version}`);
  expect(purls).toContainEqual(expect.stringMatching(/^pkg:generic\/glibc@\d+\.\d+$/));
  expect(new Set(purls).size).toBe(purls.length);
  // Of every module in the bundle that came from a package there is an entry: none is bundled from elsewhere.
  const notices = readFileSync(join(layer, 'NOTICES.txt'), 'utf8');
  for (const { group, name, version: of, licenses } of components) {
    expect(notices).toContain(`\n${group === undefined ? name : `${group}/${name}`} ${of} (`);
    // What an auditor of licences would stop at; glibc is linked as its licence allows.
    expect(name === 'glibc' || !/GPL|SSPL|BUSL/.test(JSON.stringify(licenses))).toBe(true);
  }
});

it('gives the same bytes wherever the sources lie, and names no path of this machine', async () => {
  const elsewhere = join(dir, 'elsewhere');
  cpSync('layers', join(elsewhere, 'layers'), { recursive: true });
  for (const file of ['package.json', 'package-lock.json']) cpSync(file, join(elsewhere, file));
  symlinkSync(realpathSync('node_modules'), join(elsewhere, 'node_modules'));
  execFileSync(process.execPath, [join(elsewhere, 'layers/build.ts')], { stdio: 'pipe' });
  const here = await buildLayer({ out: join(dir, 'one') });
  const there = join(elsewhere, 'build/layer');
  expect(digests(there)).toEqual(digests(here));
  for (const file of Object.keys(digests(there))) {
    const bytes = readFileSync(join(there, file));
    for (const path of [elsewhere, process.cwd(), realpathSync('node_modules')])
      expect([file, bytes.includes(path)]).toEqual([file, false]);
  }
}, 120_000);
