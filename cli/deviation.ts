import type { Deviation } from './answers.ts';
import { apiOptions, connect } from './api.ts';
import { command, NOTHING_FOUND } from './command.ts';
import { rangeOf, rangeOptions } from './lists.ts';
import { formOptions, jsonOf, print, warn } from './print.ts';
import { day, line, plural, type Screen, safe, screenOf, size } from './screen.ts';
import { table } from './table.ts';
import { whole } from './usage.ts';

export default command({
  usage: ['<request id> [options]'],
  positionals: [1, 1],
  options: {
    ...rangeOptions,
    instance: { type: 'string', value: 'id', says: 'when several instances served a request of this id: in this one' },
    sample: { type: 'string', value: 'n', says: 'compare with the newest so many (default: 50, at most 200)' },
    ...formOptions,
    ...apiOptions,
  },
  text: `Compares with other requests of the same function and version: programs, files, hosts and calls that at most 5 % of them show,
and counts of more than twice the most that any of them had. What an attack does in more than 5 % of them looks normal: move
--since and --until to a time before it. Exit code 3 means that it does not deviate, or that there is nothing to compare with.`,
  examples: ['e29f9743-361f-44fa-95e0-56b09047ec99', '"$REQUEST" --since 2026-11-01 --until 2026-11-20'],
  async run(values, [id = '']) {
    const { instance, sample } = values;
    const request = id.replace(/^request:[^:]*:/, '');
    const query = { request, instance: instance ?? /^request:([^:]*):/.exec(id)?.[1], ...rangeOf(values) };
    const size = sample === undefined ? undefined : whole('--sample', sample, 1, 200);
    const api = await connect(values);
    const lists = ['traits', 'measures', 'cut'] as const;
    const asked = { ...query, sample: size };
    const answer = await api.get<Deviation>('questions/deviation', asked, lists, 'comparing with other requests');
    const screen = screenOf(process.stdout);
    const { traits, measures } = answer;
    if (values.ndjson) await print([...traits, ...measures].map(jsonOf));
    else await print(values.json ? [jsonOf(answer)] : compared(screen, request, answer));
    if (values.ndjson || !values.json) warn('deviation', answer.cut);
    return answer.deviates === true ? 0 : NOTHING_FOUND;
  },
});

function* compared(
  screen: Screen,
  request: string,
  { deviates, sample, traits, measures, ...about }: Deviation,
): Iterable<string> {
  const ways = traits.length + measures.length;
  const verdict =
    deviates === null
      ? 'there is nothing to compare with'
      : deviates
        ? `deviates in ${plural(ways, 'way')}`
        : 'does not deviate';
  yield line(screen, { text: `request ${safe(request)}: ${verdict}`, style: 'bold' });
  const span = day(sample.from) === day(sample.to) ? day(sample.from) : `${day(sample.from)} to ${day(sample.to)}`;
  const many = `${plural(sample.requests, 'other request')} in ${plural(sample.instances, 'instance')}, ${span}`;
  yield line(screen, { text: `of ${safe(about.function)}; compared with ${many}`, style: 'dim' });
  const value = (measure: string, n: number): string => (measure === 'sent' || measure === 'received' ? size(n) : String(n));
  if (traits.length > 0) {
    yield '';
    yield* table(screen, traits, [
      { title: 'KIND', of: ({ trait }) => trait },
      { title: 'SEEN IN', of: ({ seenIn }) => `${seenIn} of ${sample.requests}` },
      { title: 'WHAT', of: ({ what }) => safe(what), least: 20, style: () => 'bold' },
    ]);
  }
  if (measures.length > 0) {
    yield '';
    yield* table(screen, measures, [
      { title: 'MEASURE', of: ({ measure }) => measure },
      { title: 'THIS', of: (one) => value(one.measure, one.value), style: () => 'bold' },
      { title: 'USUALLY', of: (one) => value(one.measure, one.median) },
      { title: 'AT MOST', of: (one) => value(one.measure, one.most) },
    ]);
  }
}
