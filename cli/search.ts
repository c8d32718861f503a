import type { Search } from './answers.ts';
import { type Api, apiOptions, connect, type Query } from './api.ts';
import { command } from './command.ts';
import { listOptions, rangeOf, rangeOptions, wantedOf } from './lists.ts';
import { formOptions, show } from './print.ts';
import { type Hit, lookOf, seek } from './resolve.ts';
import { iso, line, type Screen, safe, screenOf, wrap } from './screen.ts';
import { UsageError } from './usage.ts';

export default command({
  usage: ['<what> [options]', '--cursor <cursor>'],
  positionals: [0, 1],
  options: {
    as: {
      type: 'string',
      value: 'kind',
      says: 'look for it as this only, as a part of the text where that makes sense',
      choices: ['address', 'host', 'url', 'path', 'process', 'hash', 'resource', 'id'],
    },
    scan: {
      type: 'string',
      value: 'when',
      says: 'look through the graphs of the time range (default: when the index knows nothing, or cannot)',
      choices: ['auto', 'always', 'never'],
    },
    function: { type: 'string', value: 'name', says: 'when looking through graphs: of this function only' },
    ...rangeOptions,
    ...listOptions,
    ...formOptions,
    ...apiOptions,
  },
  text: `What may be looked for: an address or a range (203.0.113.7, 203.0.113.0/24), a host with or without its subdomains
(evil.example, *.evil.example), a URL, a path or a pattern of one (/tmp/*.js), a program or an argument (--as process), a digest, a
resource, the id of a request, an instance, a message or a trace. What is found is named as the other commands take it.`,
  examples: ['203.0.113.7', '"*.evil.example" --since 30d', 'curl --as process', '/tmp/x.js --json'],
  async run(values, [text]) {
    if ((text === undefined) === (values.cursor === undefined)) throw new UsageError('give what to look for, or --cursor');
    const { as, scan, function: fn, cursor } = values;
    const query = { as, scan, function: fn, ...rangeOf(values) };
    const wanted = wantedOf(values);
    const answer = await found(await connect(values), text ?? '', query, wanted, cursor);
    const screen = screenOf(process.stdout);
    const heading = text === undefined ? [] : [`${safe(text)}: looked for as ${as ?? lookOf(text)}`];
    return await show('search', values, {
      answer,
      items: answer.results,
      lines: () => [
        ...heading.map((one) => line(screen, { text: one, style: 'dim' })),
        ...answer.results.flatMap((hit) => shown(screen, hit)),
      ],
    });
  },
});

/** As many as are wanted. A page may name again what an earlier one has named. */
async function found(api: Api, text: string, query: Query, wanted: number, cursor: string | undefined): Promise<Search> {
  const hits = new Map<string, Hit>();
  const asked = { limit: Math.min(PAGE, wanted) };
  const next = (place: string) => {
    const said = `looking through graphs, ${hits.size} found so far`;
    return api.get<Search>('search', { cursor: place, ...asked }, ['results', 'cut'], said);
  };
  let page = cursor === undefined ? await seek(api, text, { ...query, ...asked }) : await next(cursor);
  const left = new Set<string>();
  for (;;) {
    // That there is another page is no cut when it is read.
    for (const one of page.cut) if (!one.endsWith('with cursor')) left.add(one);
    for (const hit of page.results) if (!hits.has(hit.node)) hits.set(hit.node, hit);
    if (page.cursor === undefined || hits.size >= wanted) break;
    page = await next(page.cursor);
  }
  const results = [...hits.values()];
  const surplus = results.length - wanted;
  const cut = [...new Set([...left, ...page.cut])].map(ours);
  if (surplus <= 0) return { ...page, results, cut };
  // Behind these, the cursor would skip the others.
  const more = [...cut.filter((one) => !one.endsWith('with cursor')), `${surplus} more: --limit <n>, or --all`];
  return { ...page, cursor: undefined, results: results.slice(0, wanted), cut: more };
}

/** The API's advice, in the words of this command. */
const ours = (line: string): string =>
  line.startsWith('scan: only the index')
    ? 'only the index was asked; --scan always finds programs, arguments, subdomains, parts of URLs and small bodies too'
    : line;

const PAGE = 500;

function shown(screen: Screen, { node, kind, label, count, seen, last }: Hit): readonly string[] {
  const [latest] = seen;
  const where = latest === undefined ? '' : ` in ${safe(latest.function)}, request ${safe(latest.requestId)}`;
  const times = count > 1 ? `${count} times, last` : 'once';
  return [
    line(screen, { text: kind.padEnd(9), style: 'cyan' }, ' ', { text: safe(label), style: 'bold' }),
    // Whole, however long: other commands take it.
    ...(node === `${kind}:${label}` ? [] : [`${INDENT}${safe(node)}`]),
    ...wrap(screen, `seen ${times} ${iso(last)}${where}`, INDENT).map((one) => screen.paint('dim', one)),
  ];
}
const INDENT = ' '.repeat(10);
