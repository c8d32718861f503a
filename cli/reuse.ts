import type { Reuse, ReuseQuestion } from './answers.ts';
import { type Api, apiOptions, connect } from './api.ts';
import { command, NOTHING_FOUND, type Values } from './command.ts';
import { rangeOf } from './lists.ts';
import { formOptions, jsonOf, print, show, warn } from './print.ts';
import { resolve } from './resolve.ts';
import { clock, iso, line, plural, type Screen, safe, screenOf, wrap } from './screen.ts';
import { storyOptions, storyQuery } from './story.ts';
import { whole } from './usage.ts';

const options = {
  since: { type: 'string', value: 'time', says: 'of an instance: requests from then on' },
  until: { type: 'string', value: 'time', says: 'of an instance: requests until then' },
  requests: { type: 'string', value: 'n', says: 'of an instance: the newest so many requests (default: 400)' },
  ...storyOptions,
  ...formOptions,
  ...apiOptions,
} as const;

export default command({
  usage: ['<instance id> [options]', '<what> [options]'],
  positionals: [1, 1],
  options,
  text: `Of an instance: which of its requests influenced which later ones, through what and how surely. A file that was written and
then read, executed or loaded as code; a process that survived; or memory: served by a process that had loaded such code before,
which is inferred, for what a process does with code that it holds is not observed. Of anything else (a node, a host, a request …): whether what led to it made use of what an earlier request had
left in a container, as \`alastor story\` traces it. Exit code 3 means no.`,
  examples: ['evil.example', '01a2026d-1f30-7be1-9c88-ffd6222cf724 --since 2h'],
  async run(values, [what = '']) {
    const query = { ...storyQuery(values) };
    const api = await connect(values);
    const about = await resolve(api, what);
    if (about === undefined) {
      warn('reuse', [`nothing is known of ${what}`]);
      return NOTHING_FOUND;
    }
    const screen = screenOf(process.stdout);
    if (about.kind === 'instance') return await ofInstance(api, screen, about.node.slice('instance:'.length), values);
    const lists = ['how', 'requests', 'instances', 'cut'] as const;
    const answer = await api.get<ReuseQuestion>('questions/reuse', { node: about.node, ...query }, lists, 'tracing back');
    if (values.json && !values.ndjson) {
      await print([jsonOf(answer)]);
      return answer.reused ? 0 : NOTHING_FOUND;
    }
    if (!answer.reused && !values.ndjson) {
      const no = answer.complete
        ? 'no: nothing that an earlier request had left was used'
        : 'nothing found, but not all was followed';
      await print([`${safe(about.node)}: ${no}`]);
      warn('reuse', answer.cut);
      return NOTHING_FOUND;
    }
    return await show('reuse', values, { answer, items: answer.how, lines: () => yes(screen, about.node, answer) });
  },
});

function* yes(screen: Screen, node: string, { how }: ReuseQuestion): Iterable<string> {
  yield* wrap(screen, `${safe(node)}: yes`, '  ', '').map((one) => screen.paint('bold', one));
  for (const { what, label, from, to, instanceId, sure } of how) {
    yield* wrap(screen, `${what} ${safe(label)}, ${sure}`, '  ', '');
    yield line(screen, { text: `  left by request ${safe(from)}`, style: 'dim' });
    yield line(screen, { text: `  used by request ${safe(to)}`, style: 'dim' });
    yield line(screen, { text: `  in instance     ${safe(instanceId)}`, style: 'dim' });
  }
}

async function ofInstance(api: Api, screen: Screen, id: string, values: Values<typeof options>): Promise<number> {
  const { requests } = values;
  const query = { ...rangeOf(values), requests: requests === undefined ? undefined : whole('--requests', requests, 1, 2000) };
  const path = `instances/${encodeURIComponent(id)}/reuse`;
  const answer = await api.get<Reuse>(path, query, ['influences', 'cut'], 'comparing requests');
  if (answer.influences.length === 0 && answer.cut.length === 0 && !values.json && !values.ndjson) {
    await print([`${safe(id)}: no: none of its ${plural(answer.requests, 'request')} used what an earlier one had left`]);
    return NOTHING_FOUND;
  }
  return await show('reuse', values, { answer, items: answer.influences, lines: () => influenced(screen, answer) });
}

/** Grouped by what was left, in order of time. */
function* influenced(screen: Screen, { influences, requests }: Reuse): Iterable<string> {
  const groups = new Map<string, Reuse['influences'][number][]>();
  for (const one of influences) {
    const key = `${one.from} ${one.node}`;
    groups.set(key, [...(groups.get(key) ?? []), one]);
  }
  const many = `${plural(influences.length, 'influence')} between ${plural(requests, 'request')} of the instance`;
  yield line(screen, { text: many, style: 'dim' });
  const time = (at: number): string => (screen.terminal ? clock(at) : iso(at));
  for (const [first, ...others] of groups.values()) {
    if (first === undefined) continue;
    yield* wrap(screen, `${first.through === 'process' ? 'process' : 'file'} ${safe(first.label)}`, '  ', '').map((one) =>
      screen.paint('bold', one),
    );
    yield line(screen, `  ${time(first.left)}  left by ${safe(first.from)}`);
    for (const { used, to, way, sure } of [first, ...others]) {
      yield line(screen, `  ${time(used)}  used by ${safe(to)}  `, { text: `${sure}: ${way}`, style: 'dim' });
    }
  }
}
