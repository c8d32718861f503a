import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import http from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { build } from 'esbuild';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { networkBundlePlugins } from '../../../layers/capture/network/bundle.ts';

const run = promisify(execFile);
const folder = mkdtempSync(join(tmpdir(), 'alastor-bundle-'));
const sources = join(import.meta.dirname, '../../../layers/capture/network');
const origin = http.createServer((q, r) => q.pipe(r));

beforeAll(async () => {
  const options = { bundle: true, platform: 'node', format: 'esm', target: 'node20', minify: true } as const;
  await build({ ...options, entryPoints: [join(sources, 'front.ts')], outfile: join(folder, 'recorder.mjs') });
  await build({
    ...options,
    entryPoints: [join(sources, 'main.ts')],
    outfile: join(folder, 'network.mjs'),
    plugins: [...networkBundlePlugins],
  });
  await new Promise<void>((resolve) => origin.listen(0, '127.83.0.1', () => resolve()));
});
afterAll(async () => {
  await new Promise((resolve) => origin.close(resolve));
  rmSync(folder, { recursive: true });
});

it('works as the two bundles of the layer, quietly, and lets the process end once stopped', async () => {
  const { port } = origin.address() as AddressInfo;
  const probe = join(folder, 'probe.mjs');
  writeFileSync(
    probe,
    `import http from 'node:http';
    import { startFront } from './recorder.mjs';
    const seen = [];
    const front = await startFront({
      steerExtra: [],
      lookup: async () => ({ proc: '1@1', peer: { addr: '127.83.0.1', port: ${port}, proto: 'tcp' }, t: 0 }),
      observe: (observation) => seen.push(observation),
      log: (line) => seen.push(line),
    });
    const sent = http.request({ port: front.port, method: 'POST', path: '/x', headers: { host: 'b.example' } });
    const [answer] = await Promise.all([new Promise((resolve) => sent.on('response', resolve)), sent.end('body')]);
    let text = '';
    for await (const chunk of answer) text += chunk;
    while (seen.length === 0) await new Promise((resolve) => setTimeout(resolve, 5));
    await front.stop();
    process.stdout.write(JSON.stringify({ text, seen }));`,
  );
  const { stdout, stderr } = await run(process.execPath, [probe], { timeout: 20_000 });
  expect(stderr).toBe('');
  const { text, seen } = JSON.parse(stdout);
  expect(text).toBe('body');
  expect(seen).toMatchObject([{ kind: 'exchange', method: 'POST', host: 'b.example', status: 200, proc: '1@1' }]);
  // What is left out must stay out: with all of mockttp's dependencies it is four times as much.
  expect(statSync(join(folder, 'network.mjs')).size).toBeLessThan(1_200_000);
  expect(statSync(join(folder, 'recorder.mjs')).size).toBeLessThan(60_000);
});
