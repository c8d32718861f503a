import type { Functions, Inventory } from './answers.ts';
import { apiOptions, connect } from './api.ts';
import { command } from './command.ts';
import { listOptions, pages, wantedOf } from './lists.ts';
import { formOptions, show, warn } from './print.ts';
import { safe, screenOf } from './screen.ts';
import { type Column, table } from './table.ts';

type Seen = Functions['functions'][number];

interface Row {
  /** As it is recorded, and as `--function` takes it; of one that never was recorded, as the inventory names it. */
  readonly function: string;
  /** Other names under which the same function was recorded: with and without account and region. */
  readonly also?: readonly string[];
  /** Days (UTC) on which it was seen; none of a function that is known by the account's inventory alone. */
  readonly firstDay?: string;
  readonly lastDay?: string;
  /** As the inventory has it, where there is one. */
  readonly audited?: boolean;
}

export default command({
  usage: ['[options]'],
  options: { ...listOptions, ...formOptions, ...apiOptions },
  text: `Those that left a record, by name, and with --all those that only the inventory of the account knows. A function that reports
to another account or region is recorded as <account>.<region>.<name>; one that was recorded under both names is listed once.
AUDITED is what the inventory says of how a function is configured now.`,
  examples: ['', '--all --ndjson | jq -r "select(.audited == false).function"'],
  async run(values) {
    const page = { wanted: wantedOf(values), cursor: values.cursor, most: 1000 };
    const api = await connect(values);
    const seen = await pages<Functions, 'functions'>(api, 'functions', 'functions', {}, page);
    const inventory = await api.get<Inventory>('inventory', {}, ['functions', 'cut']);
    const { recorded, others } = matched(seen.functions, inventory.functions);
    const rows = values.all ? [...recorded, ...others] : recorded;
    const answer = { ...seen, functions: rows, cut: [...seen.cut, ...inventory.cut] };
    if (inventory.seen === undefined)
      warn('functions', ['whether they are audited is not known: the inventory, which looks every hour, has not looked yet']);
    const screen = screenOf(process.stdout);
    return await show('functions', values, {
      answer,
      items: rows,
      lines: () => table(screen, rows, columns),
    });
  },
});

/** `<account>.<region>.<name>` of the function that an ARN names. */
function qualified(arn: string): string {
  const [, , , region, account, , name] = arn.split(':');
  return `${account}.${region}.${name}`;
}

/** What was recorded, each function once, and what only the inventory knows. */
function matched(seen: readonly Seen[], configured: Inventory['functions']) {
  const known = new Map(configured.flatMap((one) => [one.name, qualified(one.arn)].map((name) => [name, one] as const)));
  const groups = Map.groupBy(seen, (one) => known.get(one.function)?.arn ?? one.function);
  const recorded = [...groups.values()].flatMap((names): readonly Row[] => {
    // The name by which it goes now first.
    const [one, ...others] = [...names].sort((a, b) => (a.lastDay < b.lastDay ? 1 : -1));
    if (one === undefined) return [];
    const audited = known.get(one.function)?.audited;
    const [firstDay = one.firstDay] = names.map((each) => each.firstDay).sort();
    const also = others.length === 0 ? {} : { also: others.map((other) => other.function) };
    return [{ ...one, firstDay, ...also, ...(audited === undefined ? {} : { audited }) }];
  });
  const others = configured
    .filter(({ arn }) => !groups.has(arn))
    .map((one): Row => ({ function: one.name, audited: one.audited }));
  return { recorded, others };
}

const columns: readonly Column<Row>[] = [
  { title: 'FUNCTION', of: (one) => safe(one.function), least: 20, style: () => 'cyan' },
  { title: 'ALSO', of: ({ also }) => also?.map((name) => safe(name)).join(', '), drop: 2 },
  { title: 'FIRST DAY', of: ({ firstDay }) => safe(firstDay ?? 'never seen'), drop: 1 },
  { title: 'LAST DAY', of: ({ lastDay }) => safe(lastDay ?? 'never seen') },
  {
    title: 'AUDITED',
    of: ({ audited }) => (audited === undefined ? undefined : audited ? 'yes' : 'no'),
    style: ({ audited }) => (audited === false ? 'red' : undefined),
  },
];
