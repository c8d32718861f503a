import type { Functions, Inventory } from './answers.ts';
import { apiOptions, connect } from './api.ts';
import { command } from './command.ts';
import { listOptions, pages, wantedOf } from './lists.ts';
import { formOptions, show } from './print.ts';
import { safe, screenOf } from './screen.ts';
import { type Column, table } from './table.ts';

interface Row {
  readonly function: string;
  /** Days (UTC) on which it was seen; none of a function that is known by the account's inventory alone. */
  readonly firstDay?: string;
  readonly lastDay?: string;
  /** As the inventory has it, where there is one. */
  readonly audited?: boolean;
}

export default command({
  usage: ['[options]'],
  options: { ...listOptions, ...formOptions, ...apiOptions },
  text: `Those that left a record, by name, and with --all those that only the inventory of the account knows. AUDITED is what the
inventory says of how a function is configured now.`,
  examples: ['', '--all --ndjson | jq -r "select(.audited == false).function"'],
  async run(values) {
    const page = { wanted: wantedOf(values), cursor: values.cursor, most: 1000 };
    const api = await connect(values);
    const seen = await pages<Functions, 'functions'>(api, 'functions', 'functions', {}, page);
    const inventory = await api.get<Inventory>('inventory', {}, ['functions', 'cut']);
    const known = new Map(inventory.functions.map(({ name, audited }) => [name, audited]));
    const rows: Row[] = seen.functions.map((one) => {
      const audited = known.get(one.function);
      known.delete(one.function);
      return { ...one, ...(audited === undefined ? {} : { audited }) };
    });
    if (values.all) for (const [name, audited] of known) rows.push({ function: name, audited });
    const answer = { ...seen, functions: rows, cut: [...seen.cut, ...inventory.cut] };
    const screen = screenOf(process.stdout);
    return await show('functions', values, {
      answer,
      items: rows,
      lines: () => table(screen, rows, columns),
    });
  },
});

const columns: readonly Column<Row>[] = [
  { title: 'FUNCTION', of: (one) => safe(one.function), least: 20, style: () => 'cyan' },
  { title: 'FIRST DAY', of: ({ firstDay }) => safe(firstDay ?? 'never seen'), drop: 1 },
  { title: 'LAST DAY', of: ({ lastDay }) => safe(lastDay ?? 'never seen') },
  {
    title: 'AUDITED',
    of: ({ audited }) => (audited === undefined ? undefined : audited ? 'yes' : 'no'),
    style: ({ audited }) => (audited === false ? 'red' : undefined),
  },
];
