import type { Requests } from './answers.ts';
import { apiOptions, connect } from './api.ts';
import { command } from './command.ts';
import { listOptions, pages, rangeOf, rangeOptions, wantedOf } from './lists.ts';
import { formOptions, show } from './print.ts';
import { duration, safe, screenOf } from './screen.ts';
import { type Column, table, timeColumn } from './table.ts';

type Request = Requests['requests'][number];

export default command({
  usage: ['[options]'],
  options: {
    function: { type: 'string', value: 'name', says: 'of this function only' },
    ...rangeOptions,
    status: {
      type: 'string',
      value: 'status',
      says: 'that ended so; unknown: no end is recorded',
      choices: ['ok', 'error', 'init-error', 'timeout', 'crash', 'unknown'],
    },
    trigger: { type: 'string', value: 'kind', says: 'that were set off so, e.g. http, sqs, s3, event, direct' },
    ...listOptions,
    ...formOptions,
    ...apiOptions,
  },
  text: `Newest first. A mark ! before the function says that nothing configured explains how it was invoked.`,
  examples: ['--since 36h --status error', '--function checkout --all --ndjson | jq -r .requestId'],
  async run(values) {
    const { function: fn, status, trigger } = values;
    const query = { function: fn, status, trigger, ...rangeOf(values) };
    const page = { wanted: wantedOf(values), cursor: values.cursor, most: 500 };
    const api = await connect(values);
    const answer = await pages<Requests, 'requests'>(api, 'requests', 'requests', query, page);
    const screen = screenOf(process.stdout);
    const time = timeColumn<Request>(screen, ({ at }) => at);
    return await show('requests', values, {
      answer,
      items: answer.requests,
      lines: () => table(screen, answer.requests, [time.column, ...columns], time.heading),
    });
  },
});

const columns: readonly Column<Request>[] = [
  { title: 'FUNCTION', of: (one) => (one.unexplained ? '! ' : '') + safe(one.function), least: 12, style: () => 'cyan' },
  {
    title: 'STATUS',
    of: ({ status }) => safe(status ?? 'unknown'),
    style: ({ status }) => (status === 'ok' ? 'green' : 'red'),
  },
  {
    title: 'TRIGGER',
    of: ({ trigger, source }) => safe(source === undefined ? trigger : `${trigger} ${source}`),
    least: 8,
    drop: 1,
  },
  { title: 'REQUEST', of: ({ requestId }) => safe(requestId), style: () => 'bold' },
  { title: 'INSTANCE', of: ({ instanceId }) => safe(instanceId), drop: 3 },
  { title: 'TOOK', of: ({ at, end }) => (end === undefined ? undefined : duration(end - at)), drop: 2 },
];
