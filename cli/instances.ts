import type { Instance, Instances } from './answers.ts';
import { apiOptions, connect } from './api.ts';
import { command, type Values } from './command.ts';
import { listOptions, pages, rangeOf, rangeOptions, wantedOf } from './lists.ts';
import { formOptions, show } from './print.ts';
import { duration, iso, line, type Screen, safe, screenOf } from './screen.ts';
import { type Column, table, timeColumn } from './table.ts';
import { tree } from './tree.ts';

const options = {
  function: { type: 'string', value: 'name', says: 'of this function only' },
  ...rangeOptions,
  ...listOptions,
  ...formOptions,
  ...apiOptions,
} as const;

export default command({
  usage: ['[options]', '<instance id> [options]'],
  positionals: [0, 1],
  options,
  text: 'Last seen first, with the requests that each served in order. Given an instance: all of its requests, and what is missing.',
  examples: ['--function checkout --since 36h', '01a2026d-1f30-7be1-9c88-ffd6222cf724'],
  async run(values, [id]) {
    return id === undefined ? await all(values) : await one(id.replace(/^instance:/, ''), values);
  },
});

async function all(values: Values<typeof options>): Promise<number> {
  const query = { function: values.function, ...rangeOf(values) };
  const page = { wanted: wantedOf(values), cursor: values.cursor, most: 100 };
  const api = await connect(values);
  const answer = await pages<Instances, 'instances'>(api, 'instances', 'instances', query, page);
  const screen = screenOf(process.stdout);
  const branches = answer.instances.map((instance) => {
    const { instanceId, function: fn, counts, last, requests } = instance;
    const missing = counts.missing > 0 ? [{ text: `  ${counts.missing} holes in its record`, style: 'red' as const }] : [];
    const seen = last === undefined ? '' : `  last seen ${iso(last)}`;
    return {
      pieces: [
        { text: safe(instanceId), style: 'bold' as const },
        '  ',
        { text: safe(fn), style: 'cyan' as const },
        seen,
        ...missing,
      ],
      below: [
        ...requests.map((request) => ({ pieces: [servedLine(screen, request)], below: [] })),
        ...instance.cut.map((text) => ({ pieces: [{ text: safe(text), style: 'dim' as const }], below: [] })),
      ],
    };
  });
  return await show('instances', values, { answer, items: answer.instances, lines: () => tree(screen, branches) });
}

type Served = Instance['requests'][number];

const servedLine = (screen: Screen, { at, requestId, status, trigger }: Served): string =>
  [at === undefined ? '' : screen.terminal ? iso(at).slice(11, 23) : iso(at), requestId, status ?? 'unknown', trigger ?? '']
    .map((text) => safe(text))
    .join('  ')
    .trim();

async function one(id: string, values: Values<typeof options>): Promise<number> {
  const api = await connect(values);
  const answer = await api.get<Instance>(`instances/${encodeURIComponent(id)}`, {}, ['requests', 'segments', 'missing', 'cut']);
  const screen = screenOf(process.stdout);
  const { function: fn, version, runtime, initType, requests, segments, missing } = answer;
  const facts = [version && `version ${version}`, runtime, initType].flatMap((text) => (text ? [safe(text)] : []));
  const gaps = segments.reduce((sum, segment) => sum + segment.gaps, 0);
  const time = timeColumn<Served>(screen, ({ at }) => at);
  return await show('instances', values, {
    answer,
    items: requests,
    lines: () => [
      line(screen, { text: safe(id), style: 'bold' }, '  ', { text: safe(fn), style: 'cyan' }, `  ${facts.join(', ')}`),
      line(screen, `${segments.length} segments, ${gaps} gaps recorded, ${missing.length} holes`),
      ...missing.map(({ kind, from, to }) => {
        const what = kind === 'chain' ? 'the hash chain breaks' : 'records are missing';
        return line(screen, { text: `${what}: ${from} to ${to}`, style: 'red' });
      }),
      '',
      ...table(screen, requests, [time.column, ...columns], time.heading),
    ],
  });
}

const columns: readonly Column<Served>[] = [
  { title: 'REQUEST', of: ({ requestId }) => safe(requestId), style: () => 'bold' },
  {
    title: 'STATUS',
    of: ({ status }) => safe(status ?? 'unknown'),
    style: ({ status }) => (status === 'ok' ? 'green' : 'red'),
  },
  { title: 'TRIGGER', of: ({ trigger }) => trigger && safe(trigger), drop: 1 },
  { title: 'TOOK', of: ({ at, end }) => (at === undefined || end === undefined ? undefined : duration(end - at)), drop: 2 },
];
