import { GAP_KINDS } from '../functions/store/gap.ts';
import type { Gaps } from './answers.ts';
import { apiOptions, connect } from './api.ts';
import { command } from './command.ts';
import { listOptions, micros, pages, wantedOf } from './lists.ts';
import { formOptions, jsonOf, show } from './print.ts';
import { iso, safe, screenOf } from './screen.ts';
import { type Column, table, timeColumn } from './table.ts';

type Gap = Gaps['gaps'][number];

export default command({
  usage: ['[options]'],
  options: {
    kind: {
      ...{ type: 'string', value: 'kind', says: 'of this kind only, see below' },
      choices: GAP_KINDS,
    },
    function: { type: 'string', value: 'name', says: 'of this function only' },
    since: { type: 'string', value: 'time', says: 'from then on: ISO 8601, or a span back from now (default: 7d)' },
    ...listOptions,
    ...formOptions,
    ...apiOptions,
  },
  text: `silenced: the platform tells of an invocation that left no record. unexplained: nothing configured explains how a request was
invoked. unaudited: a function without Alastor. records, chain: a hole in an instance's record, or one that does not continue what
was before. tampered: the daily verification found it altered, forged or taken away (alastor verify). gap: what capture itself said it had lost.
forgotten: somebody deleted it on purpose (alastor forget). unrecorded: an instance started without the recorder. witness: what witnesses said and nobody could take.`,
  examples: ['--since 24h', '--kind silenced --all --ndjson'],
  async run(values) {
    const query = { kind: values.kind, function: values.function, since: micros('--since', values.since) };
    const page = { wanted: wantedOf(values), cursor: values.cursor, most: 500 };
    const api = await connect(values);
    const answer = await pages<Gaps, 'gaps'>(api, 'gaps', 'gaps', query, page);
    const screen = screenOf(process.stdout);
    const time = timeColumn<Gap>(screen, ({ at }) => at);
    return await show('gaps', values, {
      answer,
      items: answer.gaps,
      lines: () => table(screen, answer.gaps, [time.column, ...columns], time.heading),
    });
  },
});

const text = (value: unknown): string => safe(typeof value === 'string' ? value : jsonOf(value));

const columns: readonly Column<Gap>[] = [
  { title: 'KIND', of: ({ kind }) => kind, style: () => 'red' },
  {
    title: 'FUNCTION',
    of: (gap) => (gap.function === undefined ? undefined : text(gap.function)),
    least: 12,
    style: () => 'cyan',
  },
  {
    title: 'WHAT',
    least: 20,
    of: ({ kind: _, at: __, function: ___, ...rest }) =>
      Object.entries(rest)
        // Where the time that an instance claims is odd, that of S3 stands beside it.
        .map(([name, value]) => `${safe(name)} ${name === 'received' && typeof value === 'number' ? iso(value) : text(value)}`)
        .join(', '),
  },
];
