import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { LambdaService } from '../../cdk/local/lambda/index.ts';
import { buildLayer } from '../../layers/build.ts';
import { decodeSegment } from '../../layers/record/codec.ts';
import { startBucket } from '../layers/capture/bucket.ts';

/**
 * What the shipping strategies cost: billed time and puts per request, and how many requests' records an instance still holds after
 * one (what a kill would take). All strategies, and the function without audit, take turns in every round, under the local engine,
 * with a bucket that takes `--put-ms` for a PUT.
 *
 *     node test/bench/shipping.ts [--rounds 5] [--requests 10] [--put-ms 20] [--json]
 */
const { values } = parseArgs({
  options: {
    rounds: { type: 'string', default: '5' },
    requests: { type: 'string', default: '10' },
    'put-ms': { type: 'string', default: '20' },
    json: { type: 'boolean', default: false },
  },
});
const [rounds, requests, putMs] = [Number(values.rounds), Number(values.requests), Number(values['put-ms'])];

const STRATEGIES = {
  unaudited: undefined,
  end: 'end',
  'interval-1s': 'interval:1000',
  'interval-5s': 'interval:5000',
  'size-64k': 'size:65536',
};
type Name = keyof typeof STRATEGIES;

/** An event-driven function that reads, writes and starts a program. */
const CODE = `
  import { spawnSync } from 'node:child_process';
  import { readFileSync, writeFileSync } from 'node:fs';
  export const handler = async ({ n }) => {
    for (let i = 0; i < 20; i++) readFileSync('/var/task/index.mjs');
    writeFileSync('/tmp/result-' + (n % 10), String(n));
    spawnSync('/bin/true');
    return n;
  };`;

const dir = mkdtempSync(join(tmpdir(), 'alastor-bench-'));
const bucket = await startBucket();
bucket.delayMs = putMs;
const service = new LambdaService({ stateDir: join(dir, 'state'), endpoint: bucket.url, hosts: {}, log: () => {} });
const ends = new Map<string, number>();
const measured = new Map<Name, { billed: number[]; held: number[] }>();
const names = Object.keys(STRATEGIES) as Name[];

try {
  const layer = await buildLayer();
  const codeDir = join(dir, 'task');
  mkdirSync(codeDir);
  writeFileSync(join(codeDir, 'index.mjs'), CODE);
  for (const name of names) {
    const ship = STRATEGIES[name];
    measured.set(name, { billed: [], held: [] });
    await service.add({
      name,
      arn: `arn:aws:lambda:eu-central-1:111122223333:function:${name}`,
      runtime: 'nodejs24.x',
      handler: 'index.handler',
      codeDir,
      layerDirs: ship === undefined ? [] : [layer],
      environment:
        ship === undefined
          ? {}
          : { AWS_LAMBDA_EXEC_WRAPPER: '/opt/alastor/wrapper', ALASTOR_BUCKET: bucket.name, ALASTOR_SHIP: ship },
      memoryMb: 512,
      timeoutMs: 30_000,
      region: 'eu-central-1',
      accountId: '111122223333',
    });
    // Cold start, not counted.
    await invoke(name, 0);
  }
  const before = new Map(names.map((name) => [name, puts(name)]));
  for (let round = 0; round < rounds; round++) {
    for (const name of names) {
      for (let i = 0; i < requests; i++) {
        const billed = await invoke(name, i);
        const one = measured.get(name);
        one?.billed.push(billed);
        one?.held.push(1 + (one?.billed.length ?? 0) - stored(name));
      }
    }
  }
  const report = names.map((name) => {
    const { billed = [], held = [] } = measured.get(name) ?? {};
    const ship = STRATEGIES[name];
    return {
      strategy: ship ?? 'not audited',
      billedMsMedian: quantile(billed, 0.5),
      billedMsP95: quantile(billed, 0.95),
      putsPerRequest: Math.round(((puts(name) - (before.get(name) ?? 0)) / billed.length) * 100) / 100,
      requestsHeldMost: ship === undefined ? 0 : Math.max(...held),
    };
  });
  if (values.json) process.stdout.write(`${JSON.stringify({ rounds, requests, putMs, report }, null, 2)}\n`);
  else console.table(report);
} finally {
  await service.stop();
  await bucket.close();
  rmSync(dir, { recursive: true, force: true });
}

/** Milliseconds until function and extension were done with the request: what is billed, before rounding. */
async function invoke(name: Name, n: number): Promise<number> {
  const {
    functionError,
    logTail = '',
    payload,
  } = await service.invoke(name, Buffer.from(JSON.stringify({ n })), {
    type: 'RequestResponse',
    logType: 'Tail',
  });
  const [, duration] = /\tDuration: ([\d.]+) ms/.exec(logTail) ?? [];
  if (functionError !== undefined || duration === undefined)
    throw new Error(`${name} failed: ${payload.toString().slice(0, 500)}`);
  return Number(duration);
}

function puts(name: Name): number {
  return bucket.attempts.filter((key) => key.startsWith(`segments/${name}/`)).length;
}

/** Requests whose end is in the bucket. */
function stored(name: Name): number {
  const segments = [...bucket.objects].filter(([key]) => key.startsWith(`segments/${name}/`));
  return segments.reduce((sum, [key, bytes]) => sum + endsIn(key, bytes), 0);
}

function endsIn(key: string, bytes: Buffer): number {
  ends.set(key, ends.get(key) ?? decodeSegment(bytes, key).records.filter(({ kind }) => kind === 'request-end').length);
  return ends.get(key) ?? 0;
}

function quantile(numbers: readonly number[], q: number): number {
  const sorted = [...numbers].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * q))] ?? 0;
}
