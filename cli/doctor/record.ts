import type { z } from 'zod';
import type { functionsAnswer, inventoryAnswer, poisonAnswer, statsAnswer } from '../../functions/query/answers.ts';
import type { Api } from '../api.ts';
import { plural } from '../screen.ts';
import { type Finding, ok, unknown, warning, wrong } from './finding.ts';

type Stats = z.infer<typeof statsAnswer>;
type Functions = z.infer<typeof functionsAnswer>;
type Inventory = z.infer<typeof inventoryAnswer>;
type Poison = z.infer<typeof poisonAnswer>;

/** The inventory looks once an hour. */
const STALE_MS = 3 * 3_600_000;

/** What the query API says of the record: whether it answers, and what is missing. */
export async function recordChecks(open: () => Promise<Api>, audited: readonly string[]): Promise<readonly Finding[]> {
  let api: Api;
  let stats: Stats;
  try {
    api = await open();
    stats = await api.get<Stats>('stats', {}, ['cut']);
  } catch (error) {
    const says = error instanceof Error ? error.message : String(error);
    const asked = says.startsWith('whom to ask?');
    const finding = asked ? unknown : wrong;
    return [
      finding(
        'query API',
        asked ? 'not checked: its address is not known' : says,
        'give --query-url, the stack output <id>QueryUrl',
      ),
    ];
  }
  const { segments, requests, poison, gaps, silenced } = stats;
  const says = `${api.endpoint} answers: ${plural(requests, 'request')} in ${plural(segments, 'segment')}`;
  return [
    segments === 0
      ? warning('query API', `${says}: nothing is recorded yet`, 'invoke an audited function once')
      : ok('query API', says),
    ...(await setAside(api, poison)),
    gaps === 0
      ? ok('gaps', 'none')
      : warning('gaps', `${plural(gaps, 'place')} where something is missing`, 'alastor gaps; docs/operations.md#gaps'),
    silenced === 0
      ? ok('silenced', 'no invocation of the last day without a record')
      : wrong(
          'silenced',
          `${plural(silenced, 'invocation')} of the last day without a record`,
          'docs/operations.md#silencedinvocations',
        ),
    ...(await seen(api, audited)),
  ];
}

async function setAside(api: Api, count: number): Promise<readonly Finding[]> {
  const what = 'set aside';
  if (count === 0) return [ok(what, 'no segment')];
  const { segments } = await api.get<Poison>('segments/poison', { limit: 100 }, ['segments']);
  const codes = Map.groupBy(segments, ({ code }) => code);
  const told = [...codes].map(([code, some]) => `${some.length} ${code}`).join(', ');
  const onlyNew = [...codes.keys()].every((code) => code === 'version' || code === 'unknown-kind');
  const says = `${plural(count, 'segment')} that cannot be read: ${told}`;
  if (onlyNew) return [warning(what, says, 'newer than the stitcher: upgrade it, then `alastor restitch`')];
  return [wrong(what, says, 'the recorder writes no such segments: docs/operations.md#setaside')];
}

/** What the inventory remembers, and which audited functions never left a record. */
async function seen(api: Api, audited: readonly string[]): Promise<readonly Finding[]> {
  const [inventory, known] = await Promise.all([
    api.get<Inventory>('inventory', {}, ['functions']),
    api.get<Functions>('functions', { limit: 1000 }, ['functions']),
  ]);
  const newest = Math.max(0, ...inventory.functions.map((one) => one.seen));
  const age = Date.now() - newest / 1000;
  const lost = inventory.functions.filter((one) => !one.audited && one.auditedAt !== undefined);
  const recorded = new Set(known.functions.map((one) => one.function));
  const silent = known.cut.length > 0 ? [] : audited.filter((name) => !recorded.has(name));
  const names = (all: readonly string[]) => `${all.slice(0, 10).join(', ')}${all.length > 10 ? ', …' : ''}`;
  return [
    newest === 0
      ? unknown('inventory', 'has not looked yet', 'it looks once an hour; switched off, drift is not noticed')
      : age > STALE_MS
        ? wrong(
            'inventory',
            `looked last ${Math.round(age / 3_600_000)} hours ago`,
            'is its schedule enabled? its log says why it fails',
          )
        : ok('inventory', `looked ${Math.round(age / 60_000)} minutes ago: ${plural(inventory.functions.length, 'function')}`),
    ...lost.map(({ name }) =>
      wrong(
        `function ${name}`,
        'was audited and is so no more',
        'docs/operations.md#functionsdrifted; `/v1/changes` tells who changed it',
      ),
    ),
    ...(known.cut.length > 0
      ? [unknown('silent functions', `not checked: ${known.cut.join('; ')}`, 'alastor functions --all lists them')]
      : []),
    ...(silent.length === 0
      ? []
      : [
          warning(
            'silent functions',
            `${plural(silent.length, 'audited function')} never left a record: ${names(silent)}`,
            'never invoked? else its role, or S3 in its VPC, refuses: its log says `alastor`',
          ),
        ]),
  ];
}
