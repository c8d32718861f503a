/** `alastor demo`: the whole system end to end on one machine. */
import { createWriteStream, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Engine, startEngine } from '../../cdk/local/engine.ts';
import { synthesise } from '../../cdk/local/synth.ts';
import * as attack1 from '../../examples/hello-retail/attack/attack1.ts';
import * as attack2 from '../../examples/hello-retail/attack/attack2.ts';
import type { GroundTruth } from '../../examples/hello-retail/attack/ground-truth.ts';
import { type Internet, startInternet } from '../../examples/hello-retail/attack/hosts.ts';
import { type Random, seededRandom } from '../../examples/hello-retail/attack/random.ts';
import type { ShopAnswer } from '../../examples/hello-retail/attack/shop.ts';
import { sendTraffic, visitors } from '../../examples/hello-retail/attack/traffic.ts';
import { seed } from '../../examples/hello-retail/seed.ts';
import { announce } from '../local-engine.ts';
import { Progress } from '../progress.ts';
import { Api, type Stats } from './api.ts';
import { type Explained, explain, type GraphSize, graphSizes } from './ask.ts';
import { attackReport, keepReport, sizesReport, totalsReport } from './report.ts';

/** How long everything may stand still until it is given up; a busy machine is slow, and gets on all the same. */
const PATIENCE_MS = 120_000;

/** What the recorder says in the log when S3 does not answer in time (layers/capture/shipper.ts). */
const LATE = '"alastor":"storing segment ';
/** How often it is asked, with visitors between. */
const MOST_ROUNDS = 4;

interface Result {
  readonly stats: Stats;
  readonly attacks: readonly Explained[];
  readonly graphs: readonly GraphSize[];
}

export interface DemoOptions {
  readonly json: boolean;
  readonly keep: boolean;
  readonly disorder: boolean;
  readonly visitors: number;
  readonly seed: number;
  readonly log: string | undefined;
}

export class Demo {
  readonly #options: DemoOptions;
  readonly #progress = new Progress();
  readonly #random: Random;
  readonly #stop = new AbortController();
  readonly #folder = mkdtempSync(join(tmpdir(), 'alastor-demo-'));
  /** An instance has said that it could not ship in time. */
  #late = false;
  #engine: Engine | undefined;
  #internet: Internet | undefined;

  constructor(options: DemoOptions) {
    this.#options = options;
    this.#random = seededRandom(options.seed);
  }

  /** Resolves to the exit code that command.ts tells. */
  async run(): Promise<number> {
    const interrupted = () => {
      this.#stop.abort();
      // Requests under way fail at once, so that the stages end and the clean-up below runs.
      void this.#engine?.stop();
    };
    process.on('SIGINT', interrupted).on('SIGTERM', interrupted);
    try {
      const { engine, internet } = await this.#start();
      const { truths, benign } = await this.#traffic(engine, internet);
      const api = new Api(engine.apiUrl('AlastorQueryUrl'));
      const result = await this.#ask(engine, api, truths, benign);
      process.stdout.write(this.#options.json ? `${JSON.stringify(this.#json(result))}\n` : this.#report(result));
      if (this.#options.keep) await this.#keep(result);
      const lacking = lacks(result);
      if (lacking.length > 0) process.stderr.write(`alastor demo: not complete: ${lacking.join('; ')}\n`);
      return lacking.length === 0 ? 0 : 1;
    } catch (error) {
      if (this.#stop.signal.aborted) {
        process.stderr.write('Stopped; nothing is left running.\n');
        return 130;
      }
      throw error;
    } finally {
      await this.#engine?.stop();
      await this.#internet?.stop();
      rmSync(this.#folder, { recursive: true, force: true });
      process.off('SIGINT', interrupted).off('SIGTERM', interrupted);
    }
  }

  async #start(): Promise<{ engine: Engine; internet: Internet }> {
    const { signal } = this.#stop;
    const assembly = join(this.#folder, 'cdk.out');
    await this.#progress.stage('synthesise the sample with Alastor', () =>
      synthesise(`${JSON.stringify(process.execPath)} examples/hello-retail/app.ts`, assembly, signal),
    );
    return this.#progress.stage('deploy on this machine', async (note) => {
      const internet = await startInternet(this.#random);
      this.#internet = internet;
      const { log, disorder } = this.#options;
      const file = log === undefined ? undefined : createWriteStream(log);
      const engine = await startEngine({
        assembly,
        hosts: internet.hosts,
        trustedCaPem: internet.caPem,
        stateDir: join(this.#folder, 'engine'),
        log: (line) => {
          if (line.includes(LATE)) this.#late = true;
          file?.write(`${line}\n`);
        },
        ...(disorder && {
          notifications: { duplicate: 0.5, delayMs: [0, 2000], reorder: true, seed: this.#options.seed },
        }),
      });
      this.#engine = engine;
      signal.throwIfAborted();
      await seed({
        endpoint: engine.endpoint,
        region: engine.region,
        credentials: { accessKeyId: 'local', secretAccessKey: 'local' },
      });
      note(engine.endpoint);
      return { engine, internet };
    });
  }

  /** Ordinary visitors before, between and after the attacks, which come in random order. */
  async #traffic(engine: Engine, internet: Internet): Promise<{ truths: GroundTruth[]; benign: string }> {
    const apiUrl = engine.apiUrl('ApiUrl');
    return this.#progress.stage('send visitors and attacks', async (note) => {
      const settled = () => engine.idle(PATIENCE_MS);
      const all = visitors(this.#random, this.#options.visitors);
      const third = Math.ceil(all.length / 3);
      const answers: ShopAnswer[] = [];
      const visit = async (from: number) =>
        void answers.push(...(await sendTraffic(apiUrl, all.slice(from, from + third), (line) => note(line), settled)));
      const truths: GroundTruth[] = [];
      await visit(0);
      for (const attack of this.#random.shuffle([attack1, attack2])) {
        const context = {
          ...{ apiUrl, attacker: internet.attacker, random: this.#random, log: (line: string) => note(line) },
          settled,
        };
        truths.push(await attack.run(context));
        await visit(third * truths.length);
      }
      note(`${all.length} visitors, ${truths.length} attacks`);
      const bought = answers.find(({ status }) => status === 201);
      if (bought === undefined) throw new Error('No visitor bought anything: there is no benign purchase to show.');
      return { truths: truths.sort((a, b) => (a.name < b.name ? -1 : 1)), benign: bought.requestId };
    });
  }

  async #ask(engine: Engine, api: Api, truths: readonly GroundTruth[], benign: string): Promise<Result> {
    await this.#progress.stage('stitch what is left', async () => engine.idle(PATIENCE_MS));
    return this.#progress.stage('ask', async (note) => {
      for (let round = 1; ; round++) {
        const found = await answers(api, truths, benign, note).catch((error: unknown) => error as Error);
        // A gap stays one.
        const whole = !(found instanceof Error) && wrongSteps(found).length === 0;
        note('');
        if (!whole && this.#late && round < MOST_ROUNDS) {
          await this.#wake(engine, note);
          continue;
        }
        if (found instanceof Error) throw found;
        return found;
      }
    });
  }

  /** On a busy machine an instance may be frozen before all was shipped; it ships the rest with the next request that it serves. */
  async #wake(engine: Engine, note: (text: string) => void): Promise<void> {
    const settled = () => engine.idle(PATIENCE_MS);
    note('not all could be shipped in time: more visitors');
    await sendTraffic(engine.apiUrl('ApiUrl'), visitors(this.#random, 6), (line) => note(line), settled);
    await settled();
  }

  #report({ stats, attacks, graphs }: Result): string {
    return `\n${attacks.map(attackReport).join('\n')}\n${sizesReport(graphs)}\n${totalsReport(stats, this.#progress.times, this.#options.seed)}`;
  }

  #json({ stats, attacks, graphs }: Result): object {
    const { requests, records, segments, gaps } = stats;
    return {
      ...{ requests, records, segments, gaps },
      attacks: attacks.map(({ truth, entries, paths, forward }) => ({
        name: truth.name,
        entryRequestId: entries[0],
        entryRequestIds: entries,
        path: paths.flatMap(({ answer }) =>
          answer.steps.map(({ node, kind, label, requestId, instanceId, at }) => ({
            node,
            kind,
            label,
            requestId,
            instanceId,
            at,
          })),
        ),
        handOvers: forward?.handOvers ?? [],
        groundTruth: {
          steps: sum(paths.map(({ verdict }) => verdict.steps)),
          found: sum(paths.map(({ verdict }) => verdict.found)),
          missed: sum(paths.map(({ verdict }) => verdict.missed.length)),
          extra: sum(paths.map(({ verdict }) => verdict.extra.length)),
        },
      })),
      graphs,
      stages: this.#progress.times,
      seed: this.#options.seed,
    };
  }

  async #keep({ attacks }: Result): Promise<void> {
    const host = attacks[0]?.paths[0]?.host ?? '';
    const entry = attacks[0]?.entries[0] ?? '';
    const instance = attacks[0]?.paths[0]?.answer.instances[0] ?? '';
    const asked = [`search ${host}`, `story ${host}`, `trace ${host}`, `graph ${entry}`, `reuse ${instance}`, 'requests'];
    const forget = this.#engine && announce(this.#engine);
    process.stderr.write(`\n${keepReport(asked.map((one) => `npm run -s alastor -- ${one}`))}`);
    const { signal } = this.#stop;
    if (!signal.aborted) await new Promise<void>((done) => signal.addEventListener('abort', () => done(), { once: true }));
    forget?.();
  }
}

const sum = (numbers: readonly number[]): number => numbers.reduce((total, one) => total + one, 0);

async function answers(
  api: Api,
  truths: readonly GroundTruth[],
  benign: string,
  note: (text: string) => void,
): Promise<Result> {
  const attacks: Explained[] = [];
  for (const truth of truths) {
    note(truth.name);
    attacks.push(await explain(api, truth));
  }
  const graphs = await graphSizes(api, 'benign', [await api.entryRequest(benign)]);
  for (const [index, { entries }] of attacks.entries()) graphs.push(...(await graphSizes(api, `attack ${index + 1}`, entries)));
  return { stats: await api.get<Stats>('stats'), attacks, graphs };
}

/** What keeps the demonstration from being complete, one line each. */
function lacks(found: Result): readonly string[] {
  const { gaps } = found.stats;
  const told = gaps === 0 ? [] : [`instances tell of ${gaps} gaps, which \`alastor gaps\` lists (with --keep)`];
  return [...told, ...wrongSteps(found)];
}

function wrongSteps({ attacks }: Result): readonly string[] {
  return attacks.flatMap(({ truth, paths }) =>
    paths.flatMap(({ host, verdict }) => [
      ...verdict.missed.map((what) => `${truth.name}, ${host}: missed ${what}`),
      ...verdict.extra.map((what) => `${truth.name}, ${host}: ${what} is too much`),
    ]),
  );
}
