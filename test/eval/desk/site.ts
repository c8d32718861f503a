/** The desk, running on this machine with Alastor, its visitors and the attackers. */
import { createWriteStream } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { type Engine, startEngine } from '../../../cdk/local/engine.ts';
import { synthesise } from '../../../cdk/local/synth.ts';
import { Api } from '../../../cli/demo/api.ts';
import { hostFor, type Internet, startInternet } from '../../../examples/hello-retail/attack/hosts.ts';
import { seededRandom } from '../../../examples/hello-retail/attack/random.ts';
import { call } from '../../../examples/hello-retail/attack/shop.ts';
import type { Converted, Outcome, Scenario, World } from '../scenario.ts';
import { interleave } from '../turns.ts';
import { seed } from './seed.ts';
import { noteConverted, visitors } from './visitors.ts';

export interface SiteOptions {
  readonly folder: string;
  readonly seed: number;
  readonly visitors: number;
  readonly log: string | undefined;
  readonly signal: AbortSignal;
  readonly note: (text: string) => void;
}

/** What the services may take to bring something to the function behind them, cold starts included. */
const PATIENCE_MS = 30_000;

/** What became of an attack: what it did, or why it did not work. */
export type Carried = { readonly scenario: Scenario } & ({ readonly outcome: Outcome } | { readonly error: string });

/**
 * Deploys the desk, lets the scenarios and the visitors loose on it, waits until everything is stitched and calls `ask`. Nothing
 * is left running.
 */
export async function withDesk<T>(
  scenarios: readonly Scenario[],
  options: SiteOptions,
  ask: (api: Api, carried: readonly Carried[]) => Promise<T>,
): Promise<T> {
  const random = seededRandom(options.seed);
  const roles = scenarios.flatMap(({ name, hosts }) => hosts.map((role) => `${name}/${role}`));
  const internet = await startInternet(random, ['partner', ...roles]);
  const ends: (() => Promise<void>)[] = [];
  let engine: Engine | undefined;
  try {
    engine = await deploy(internet, options);
    // Requests under way fail at once, so that what goes on comes to its end.
    options.signal.addEventListener('abort', () => void engine?.stop(), { once: true });
    options.signal.throwIfAborted();
    const carried = await traffic(scenarios, engine, internet, options, ends);
    await engine.idle(120_000);
    return await ask(new Api(engine.apiUrl('AlastorQueryUrl')), carried);
  } finally {
    await engine?.stop();
    for (const end of ends) await end();
    await internet.stop();
  }
}

async function deploy(internet: Internet, { folder, log, note, signal }: SiteOptions): Promise<Engine> {
  note('synthesise');
  const assembly = join(folder, 'desk.out');
  const collector = internet.attacker.hosts.find(({ role }) => role.endsWith('/collector'));
  const variables = collector === undefined ? '' : `COLLECTOR=${collector.url} `;
  const app = join(import.meta.dirname, 'app.ts');
  await synthesise(`${variables}${JSON.stringify(process.execPath)} ${JSON.stringify(app)}`, assembly, signal);
  note('deploy');
  const file = log === undefined ? undefined : createWriteStream(log, { flags: 'a' });
  const engine = await startEngine({
    ...{ assembly, hosts: internet.hosts, trustedCaPem: internet.caPem, stateDir: join(folder, 'desk') },
    log: (line) => void file?.write(`${line}\n`),
  });
  await seed(engine.endpoint, engine.region, engine.outputs.Bucket ?? '');
  return engine;
}

async function traffic(
  scenarios: readonly Scenario[],
  engine: Engine,
  internet: Internet,
  { seed: number, visitors: count, note, signal }: SiteOptions,
  ends: (() => Promise<void>)[],
): Promise<Carried[]> {
  const api = engine.apiUrl('ApiUrl');
  const inner = engine.apiUrl('InnerUrl');
  const random = seededRandom(number + 1);
  const carried: Carried[] = [];
  const converted: Converted[] = [];
  const attacks = scenarios.map((scenario) => async (turn: () => Promise<void>) => {
    const own = seededRandom(number ^ [...scenario.name].reduce((sum, sign) => (sum * 31 + sign.charCodeAt(0)) | 0, 7));
    const hostOf = (role: string) => hostFor(internet.attacker, `${scenario.name}/${role}`);
    const world: World = {
      ...{ random: own, bucket: engine.outputs.Bucket ?? '', innerUrl: inner, host: hostOf },
      serve: (role, path, content) => internet.attacker.serve(hostOf(role).host, path, content),
      visits: (role) => internet.attacker.visits.filter(({ host }) => host === hostOf(role).host),
      address: () => internet.address(),
      agent: () => `${own.pick(['okhttp', 'python-requests', 'Go-http-client', 'curl'])}/${own.between(1, 9)}.${own.word(6)}`,
      call: async (method, path, { body, agent }) => {
        const content = body === undefined ? undefined : JSON.stringify(body);
        const answer = await call(api, method, path, { userAgent: agent, ...(content !== undefined && { body: content }) });
        noteConverted(converted, path, body, answer, agent);
        return answer;
      },
      converted: () => converted,
      turn: async () => {
        await turn();
        signal.throwIfAborted();
      },
      until: async (happened) => {
        for (const end = Date.now() + PATIENCE_MS; !happened() && Date.now() < end; await sleep(50)) await world.turn();
      },
      atEnd: (stop) => void ends.push(stop),
      log: (line) => note(`${scenario.name}: ${line}`),
    };
    try {
      carried.push({ scenario, outcome: await scenario.run(world) });
    } catch (error) {
      carried.push({ scenario, error: error instanceof Error ? error.message : String(error) });
    }
    note(`${carried.length} of ${scenarios.length} attacks`);
  });
  const partner = hostFor(internet.attacker, 'partner').url;
  const visits = visitors(random, count).map((visit) => () => visit({ api, inner, partner, converted }));
  await interleave(attacks, visits, random);
  return carried.sort((a, b) => scenarios.indexOf(a.scenario) - scenarios.indexOf(b.scenario));
}
