/** The process of one variant: an engine with its stack, and the client that measures. */
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { startEngine } from '../../cdk/local/engine.ts';
import { customers, products } from '../../examples/hello-retail/catalog.ts';
import { seed } from '../../examples/hello-retail/seed.ts';
import { coldStart } from './cold.ts';
import { EvidenceBucket, EvidenceFiles } from './evidence.ts';
import type { Answer, Batch, Order, WorldOptions } from './orders.ts';
import { startPartner } from './partner.ts';
import { cpuMs, firstOfEach, memoryKb, sandboxed, tmpKb } from './process-tree.ts';
import { VARIANTS } from './variants.ts';
import { ORDER, WORKS, type Work } from './works.ts';

const options = JSON.parse(process.argv[2] ?? '{}') as WorldOptions;
const variant = VARIANTS.find(({ name }) => name === options.variant)!;
let serviceLatencyMs = 0;
const latency = () => serviceLatencyMs;
const partner = await startPartner(options.partnerAddress, options.partnerPort, latency);
const started = performance.now();
mkdirSync(options.stateDir, { recursive: true });
const network = { hosts: partner.hosts, trustedCaPem: partner.caPem, traceable: variant.traceable };
const engine = await startEngine({
  ...network,
  assembly: options.assembly,
  stack: variant.name,
  stateDir: options.stateDir,
  serviceLatencyMs: latency,
  log: (line) => {
    if (process.env.BENCH_LOG) process.stderr.write(`[${variant.name}] ${line}\n`);
  },
});
const deployed = performance.now() - started;
const { endpoint, region } = engine;
await seed({ endpoint, region, credentials: { accessKeyId: 'local', secretAccessKey: 'local' } });
const bucketName = engine.outputs.EvidenceBucket ?? '';
const bucket = new EvidenceBucket(endpoint, region, bucketName);
const files = new EvidenceFiles(variant.logs);
let purchases = 0;
let coldStarts = 0;

process.on('message', (order: Order) => {
  answer(order).then(
    (said) => process.send?.(said),
    (error: unknown) => process.send?.({ error: error instanceof Error ? (error.stack ?? error.message) : String(error) }),
  );
});
process.send?.({ ready: deployed } satisfies Answer);

async function answer(order: Order): Promise<Answer> {
  if (order.do === 'stop') {
    await engine.stop();
    await partner.stop();
    setImmediate(() => process.disconnect());
    return { ready: 0 };
  }
  if (order.do === 'cold') {
    const stateDir = join(options.stateDir, `cold-${++coldStarts}`);
    return { cold: await coldStart(variant, { ...network, stateDir, endpoint, log: () => {} }, bucketName) };
  }
  const work = WORKS.find(({ name }) => name === order.work)!;
  serviceLatencyMs = order.serviceLatencyMs;
  return { batch: await batch(work, order.requests) };
}

async function batch(work: Work, requests: number): Promise<Batch> {
  // While this process was stopped, connections that were kept may have come to their end at both sides.
  await timed(work).catch(() => timed(work));
  for (let i = 1; i < work.warmUp; i++) await timed(work);
  await engine.idle();
  await evidence();
  const before = cpuMs(sandboxed());
  const latencies: number[] = [];
  for (let i = 0; i < requests; i++) latencies.push(await timed(work));
  await engine.idle();
  const pids = sandboxed();
  const used = cpuMs(pids) - before;
  const memory = memoryKb(pids, variant.name === 'paper' ? 'mitmdump' : 'recorder.cjs');
  return {
    latencies,
    cpuMs: used / requests,
    evidence: await evidence(),
    rssKb: Math.max(0, ...memory.map(({ rss }) => rss)),
    pssKb: Math.max(0, ...memory.map(({ pss }) => pss)),
    tmpKb: tmpKb(firstOfEach(pids)),
  };
}

async function evidence() {
  const latencyBefore = serviceLatencyMs;
  serviceLatencyMs = 0;
  try {
    return variant.ships ? await bucket.since() : files.since(firstOfEach(sandboxed()));
  } finally {
    serviceLatencyMs = latencyBefore;
  }
}

/** One request; ms from sending it to having read the answer. */
async function timed(work: Work): Promise<number> {
  const [url, body, expected] =
    work.name === 'purchase'
      ? [`${engine.apiUrl('ApiUrl')}purchase`, JSON.stringify(purchase()), 201]
      : [`${engine.apiUrl('BenchUrl')}${work.name}`, work.name === 'json' ? ORDER : '{}', 200];
  const from = performance.now();
  const response = await fetch(url, { method: 'POST', headers: { 'content-type': 'application/json' }, body });
  const text = await response.text();
  const ms = performance.now() - from;
  if (response.status !== expected) throw new Error(`${variant.name}, ${work.name}: ${response.status} ${text.slice(0, 300)}`);
  await sleep(work.pauseMs);
  return ms;
}

function purchase(): object {
  const n = purchases++;
  return {
    idempotencyKey: `bench-${process.pid}-${n}`,
    // Both within every issuer's limit.
    product: products[n % 2]!.product,
    quantity: 1,
    user: customers[n % customers.length]!.user,
  };
}
