import type { Explanation } from './answers.ts';
import { apiOptions, connect } from './api.ts';
import { command, NOTHING_FOUND } from './command.ts';
import { micros } from './lists.ts';
import { formOptions, show, warn } from './print.ts';
import { resolve } from './resolve.ts';
import { safe, screenOf } from './screen.ts';
import { tell } from './story-lines.ts';
import { whole } from './usage.ts';

/** What decides how far a story goes. */
export const storyOptions = {
  at: { type: 'string', value: 'time', says: 'as of then: ISO 8601, or a span back from now (default: the end)' },
  joins: {
    type: 'string',
    value: 'which',
    says: 'hand-overs by identifiers that a service issued, or also those inferred (default: all)',
    choices: ['exact', 'all'],
  },
  inputs: {
    type: 'string',
    value: 'which',
    says: 'what else processes on the way had read is named (default: data)',
    choices: ['none', 'data', 'all'],
  },
  limit: { type: 'string', value: 'n', says: 'at most so many steps (default: 500)' },
} as const;

interface StoryAsked {
  readonly at?: string | undefined;
  readonly joins?: string | undefined;
  readonly inputs?: string | undefined;
  readonly limit?: string | undefined;
}

export const storyQuery = ({ at, joins, inputs, limit }: StoryAsked) => ({
  ...{ at: micros('--at', at), joins, inputs },
  limit: limit === undefined ? undefined : whole('--limit', limit, 1, 5000),
});

export default command({
  usage: ['<what> [options]'],
  positionals: [1, 1],
  options: {
    ...storyOptions,
    short: { type: 'boolean', says: 'only what happened in short, not step by step' },
    evidence: { type: 'boolean', says: 'name the records behind each step in full, as `alastor evidence` takes them' },
    ...formOptions,
    ...apiOptions,
  },
  text: `<what> is a node as alastor search names it, or anything that leads to one: a host or an address that data went to, a file,
a resource, the id of a request. First in short, who did what in order of time; then step by step, in order of causes, grouped by request; each says why it is there and which step
it led to (→). A line ═ marks where the story passes into another request, instance or function; a mark ! what no
other instance of the function version is known to have done, and requests that nothing configured explains.`,
  examples: [
    'evil.example',
    'evil.example --short',
    '203.0.113.7 --joins exact',
    'resource:s3://reports/q3.csv --json | jq .steps',
  ],
  async run(values, [what = '']) {
    const query = storyQuery(values);
    const api = await connect(values);
    const about = await resolve(api, what);
    if (about === undefined) {
      warn('story', [`nothing is known of ${what}`]);
      return NOTHING_FOUND;
    }
    const lists = [
      'steps',
      'requests',
      'instances',
      'reused',
      'boundaries',
      'left',
      'entries',
      'acts',
      'agents',
      'cut',
    ] as const;
    const asked = { node: about.node, ...query };
    const answer = await api.get<Explanation>(
      'questions/explanation',
      asked,
      lists,
      `tracing back from ${safe(about.node, 60)}`,
    );
    const screen = screenOf(process.stdout);
    return await show('story', values, { answer, items: answer.steps, lines: () => tell(screen, answer, values) });
  },
});
