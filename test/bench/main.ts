/** `npm run bench`: measures all variants, interleaved, and prints what each costs. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { synthesise } from '../../cdk/local/synth.ts';
import { type BenchOptions, HELP, readOptions } from './options.ts';
import type { Batch, Cold } from './orders.ts';
import { report, summary } from './report.ts';
import { layerSizes } from './size.ts';
import { prepareTracers } from './tracers/prepare.ts';
import { VARIANTS } from './variants.ts';
import { WORKS, type Work } from './works.ts';
import { World } from './world-process.ts';

/** Batches of one work with one service latency: by variant, one per round. */
export interface Series {
  readonly work: Work;
  readonly serviceLatencyMs: number;
  readonly batches: ReadonlyMap<string, Batch[]>;
}

/** Port of the partners: the assembly names it. Each variant's partner has an address of its own. */
const PARTNER_PORT = 20_000 + (process.pid % 20_000);
/** Cold starts of each variant in a round. */
const COLD_STARTS = 2;
const say = (line: string): void => void process.stderr.write(`bench: ${line}\n`);

let options: BenchOptions | undefined;
try {
  options = readOptions(process.argv.slice(2));
} catch (error) {
  process.stderr.write(`bench: ${(error as Error).message}\n\n${HELP}`);
  process.exit(2);
}
if (options === undefined) process.stdout.write(HELP);
else await run(options);

async function run({ rounds, only, servicesMs, requests, json }: BenchOptions): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'alastor-bench-'));
  const worlds: World[] = [];
  const interrupted = new AbortController();
  process.once('SIGINT', () => interrupted.abort()).once('SIGTERM', () => interrupted.abort());
  try {
    say('building the layers');
    const layers = await layerSizes();
    const obstacles = prepareTracers();
    for (const [name, why] of obstacles) say(`skipping ${name}: ${why}`);
    const variants = VARIANTS.filter(({ name }) => !obstacles.has(name));
    say(`synthesising ${variants.length} stacks`);
    process.env.BENCH_VARIANTS = variants.map(({ name }) => name).join(',');
    process.env.BENCH_PARTNER = `https://partner.example:${PARTNER_PORT}`;
    const assembly = join(folder, 'cdk.out');
    const app = `${JSON.stringify(process.execPath)} ${JSON.stringify(join(import.meta.dirname, 'app.ts'))}`;
    await synthesise(app, assembly, interrupted.signal);
    for (const [index, variant] of variants.entries()) {
      say(`deploying ${variant.title}`);
      const stateDir = join(folder, variant.name);
      const partner = { partnerAddress: `127.83.0.${7 + index}`, partnerPort: PARTNER_PORT };
      worlds.push(await World.start(variant, { variant: variant.name, assembly, stateDir, ...partner }));
    }

    const series: Series[] = WORKS.filter(({ name }) => only.has(name)).flatMap((work) =>
      (work.callsServices && servicesMs > 0 ? [0, servicesMs] : [0]).map((serviceLatencyMs) => {
        return { work, serviceLatencyMs, batches: new Map(worlds.map(({ variant }) => [variant.name, []])) };
      }),
    );
    const cold = new Map<string, Cold[]>(worlds.map(({ variant }) => [variant.name, []]));
    let done = 0;
    for (; done < rounds && !interrupted.signal.aborted; done++) {
      // Each round begins with another variant, so that none is always the first after a pause.
      const order = worlds.map((_, i) => worlds[(i + done) % worlds.length]!);
      const where = `round ${done + 1} of ${rounds}`;
      const complete = await round(order, series, only.has('cold'), { where, requests, signal: interrupted.signal });
      if (complete === undefined) break;
      for (const keep of complete) keep(cold);
    }
    if (done === 0) throw new Error('interrupted before the first round was complete');
    const result = summary(series, cold, layers, done);
    process.stdout.write(json ? `${JSON.stringify(result)}\n` : report(result));
  } finally {
    await Promise.all(worlds.map((world) => world.stop()));
    rmSync(folder, { recursive: true, force: true });
  }
}

interface RoundOptions {
  readonly where: string;
  readonly requests: number | undefined;
  readonly signal: AbortSignal;
}

/** What was measured, to be kept when the round is complete; undefined when it was interrupted. */
type Kept = (cold: ReadonlyMap<string, Cold[]>) => void;

async function round(
  order: readonly World[],
  series: readonly Series[],
  withCold: boolean,
  { where, requests, signal }: RoundOptions,
): Promise<Kept[] | undefined> {
  const kept: Kept[] = [];
  for (const { work, serviceLatencyMs, batches } of series) {
    say(`${where}: ${work.name}${serviceLatencyMs > 0 ? `, services ${serviceLatencyMs} ms` : ''}`);
    for (const world of order) {
      if (signal.aborted) return undefined;
      const batch = await world.batch(work, requests ?? work.requests, serviceLatencyMs);
      kept.push(() => batches.get(world.variant.name)?.push(batch));
    }
  }
  if (withCold) say(`${where}: cold starts`);
  for (let repeat = 0; withCold && repeat < COLD_STARTS; repeat++) {
    for (const world of order) {
      if (signal.aborted) return undefined;
      const one = await world.cold();
      kept.push((cold) => cold.get(world.variant.name)?.push(one));
    }
  }
  return kept;
}
