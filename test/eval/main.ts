/** `npm run eval`: how good are the answers? docs/evaluation.md */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Progress } from '../../cli/progress.ts';
import { type SiteOptions, withDesk } from './desk/site.ts';
import { WHOLE } from './desk/truth.ts';
import { investigate, wholeGraph } from './investigate.ts';
import { type EvalOptions, HELP, readOptions } from './options.ts';
import { asJson, meetsGoals, type Row, stories, table } from './report.ts';
import type { Scenario } from './scenario.ts';
import { scenarios } from './scenarios/index.ts';
import { evaluateShop, shopAttacks } from './shop.ts';

const names = [...shopAttacks.keys(), ...scenarios.map(({ name }) => name)];

async function evaluateDesk(chosen: readonly Scenario[], options: SiteOptions): Promise<Row[]> {
  return withDesk(chosen, options, async (api, carried) => {
    options.note('desk: ask');
    const whole = await wholeGraph(api);
    const rows: Row[] = [];
    for (const { scenario, ...rest } of carried) {
      const { name, what } = scenario;
      if ('error' in rest) {
        rows.push({ scenario: name, what, error: `the attack did not work: ${rest.error}` });
        continue;
      }
      const { fact, entries, steps } = rest.outcome;
      try {
        rows.push({ scenario: name, what, judged: await investigate(api, fact, entries, steps, WHOLE), whole });
      } catch (error) {
        rows.push({ scenario: name, what, error: error instanceof Error ? error.message : String(error) });
      }
    }
    return rows;
  });
}

async function evaluate({ only, seed, visitors, log }: EvalOptions, signal: AbortSignal): Promise<Row[]> {
  const folder = mkdtempSync(join(tmpdir(), 'alastor-eval-'));
  const progress = new Progress();
  const chosen = (name: string) => only === undefined || only.includes(name);
  try {
    const options = { folder, seed, visitors, log, signal };
    const rows: Row[] = [];
    const ofShop = [...shopAttacks.keys()].filter(chosen);
    const ofDesk = scenarios.filter(({ name }) => chosen(name));
    if (ofShop.length > 0)
      rows.push(...(await progress.stage('attack the shop', (note) => evaluateShop(ofShop, { ...options, note }))));
    if (ofDesk.length > 0)
      rows.push(...(await progress.stage('attack the desk', (note) => evaluateDesk(ofDesk, { ...options, note }))));
    signal.throwIfAborted();
    return rows;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

async function main(argv: readonly string[]): Promise<number> {
  let options: EvalOptions | undefined;
  try {
    options = readOptions(argv, names);
  } catch (error) {
    process.stderr.write(`eval: ${error instanceof Error ? error.message : String(error)}\n\n${HELP}`);
    return 2;
  }
  if (options === undefined || options.list) {
    const list = [...shopAttacks]
      .map(([name, { what }]) => ({ name, what }))
      .concat(scenarios.map(({ name, what }) => ({ name, what })));
    process.stdout.write(
      options === undefined ? HELP : `${list.map(({ name, what }) => `${name.padEnd(22)}${what}`).join('\n')}\n`,
    );
    return 0;
  }
  const stop = new AbortController();
  const interrupted = () => stop.abort();
  process.on('SIGINT', interrupted).on('SIGTERM', interrupted);
  try {
    const rows = await evaluate(options, stop.signal);
    if (options.json) process.stdout.write(`${JSON.stringify(asJson(rows, options.seed))}\n`);
    else
      process.stdout.write(
        `\n${table(rows)}\n${options.stories ? `\n${stories(rows)}` : ''}random choices: --seed ${options.seed}\n`,
      );
    return rows.every(meetsGoals) ? 0 : 1;
  } catch (error) {
    if (!stop.signal.aborted) throw error;
    process.stderr.write('Stopped; nothing is left running.\n');
    return 130;
  }
}

process.exitCode = await main(process.argv.slice(2));
