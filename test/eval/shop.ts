/** The two attacks of the demo, on the shop of examples/hello-retail, as scenarios. */
import { createWriteStream } from 'node:fs';
import { join } from 'node:path';
import { type Engine, startEngine } from '../../cdk/local/engine.ts';
import { synthesise } from '../../cdk/local/synth.ts';
import { Api } from '../../cli/demo/api.ts';
import * as attack1 from '../../examples/hello-retail/attack/attack1.ts';
import * as attack2 from '../../examples/hello-retail/attack/attack2.ts';
import type { AttackContext, GroundTruth } from '../../examples/hello-retail/attack/ground-truth.ts';
import { startInternet } from '../../examples/hello-retail/attack/hosts.ts';
import { seededRandom } from '../../examples/hello-retail/attack/random.ts';
import { sendTraffic, visitors } from '../../examples/hello-retail/attack/traffic.ts';
import { seed } from '../../examples/hello-retail/seed.ts';
import type { SiteOptions } from './desk/site.ts';
import { investigate, wholeGraph } from './investigate.ts';
import type { Row } from './report.ts';

type Attack = (context: AttackContext) => Promise<GroundTruth>;

/** By name, as `--only` takes it. */
export const shopAttacks: ReadonlyMap<string, { readonly what: string; readonly run: Attack }> = new Map([
  ['container-reuse', { what: 'a tool left in a container steals cards in the request of somebody else', run: attack1.run }],
  [
    'business-logic',
    { what: 'orders ship unpaid, past the authorisation and by a process that was left behind', run: attack2.run },
  ],
]);

/** Attacks the shop among its visitors and asks for each host that received something. Nothing is left running. */
export async function evaluateShop(names: readonly string[], options: SiteOptions): Promise<Row[]> {
  const random = seededRandom(options.seed);
  const internet = await startInternet(random);
  let engine: Engine | undefined;
  try {
    options.note('shop: synthesise and deploy');
    const assembly = join(options.folder, 'shop.out');
    await synthesise(`${JSON.stringify(process.execPath)} examples/hello-retail/app.ts`, assembly, options.signal);
    const file = options.log === undefined ? undefined : createWriteStream(options.log, { flags: 'a' });
    engine = await startEngine({
      ...{ assembly, hosts: internet.hosts, trustedCaPem: internet.caPem, stateDir: join(options.folder, 'shop') },
      log: (line) => void file?.write(`${line}\n`),
    });
    options.signal.addEventListener('abort', () => void engine?.stop(), { once: true });
    options.signal.throwIfAborted();
    const { endpoint, region } = engine;
    await seed({ endpoint, region, credentials: { accessKeyId: 'local', secretAccessKey: 'local' } });
    const apiUrl = engine.apiUrl('ApiUrl');
    const log = (line: string) => options.note(`shop: ${line}`);
    const settled = async () => void (await engine?.idle(120_000));
    const left = visitors(random, options.visitors);
    const some = async () => void (await sendTraffic(apiUrl, left.splice(0, random.between(0, left.length)), log, settled));
    const truths: { readonly name: string; readonly truth: GroundTruth | Error }[] = [];
    for (const name of random.shuffle(names)) {
      await some();
      const run = shopAttacks.get(name)?.run;
      const truth = await run?.({ apiUrl, attacker: internet.attacker, random, log, settled }).catch((error: unknown) =>
        asError(error),
      );
      options.signal.throwIfAborted();
      truths.push({ name, truth: truth ?? new Error(`there is no attack ${name}`) });
    }
    await sendTraffic(apiUrl, left, log, settled);
    options.note('shop: ask');
    await engine.idle(120_000);
    return await ask(new Api(engine.apiUrl('AlastorQueryUrl')), truths);
  } finally {
    await engine?.stop();
    await internet.stop();
  }
}

async function ask(
  api: Api,
  truths: readonly { readonly name: string; readonly truth: GroundTruth | Error }[],
): Promise<Row[]> {
  const whole = await wholeGraph(api);
  const rows: Row[] = [];
  for (const { name, truth } of truths) {
    const what = shopAttacks.get(name)?.what ?? name;
    if (truth instanceof Error) {
      rows.push({ scenario: name, what, error: truth.message });
      continue;
    }
    for (const [i, host] of truth.exfilHosts.entries()) {
      const scenario = truth.exfilHosts.length > 1 ? `${name} (${i + 1} of ${truth.exfilHosts.length} hosts)` : name;
      try {
        const fact = { what: 'domain', q: host } as const;
        const judged = await investigate(api, fact, truth.entryRequestApiIds, truth.steps, host);
        rows.push({ scenario, what, judged, whole });
      } catch (error) {
        rows.push({ scenario, what, error: asError(error).message });
      }
    }
  }
  return rows.sort((a, b) => (a.scenario < b.scenario ? 1 : -1));
}

const asError = (error: unknown) => (error instanceof Error ? error : new Error(String(error)));
