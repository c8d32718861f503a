import type { Graph, InstanceGraph, Workflow } from './answers.ts';
import { apiOptions, connect } from './api.ts';
import { command, NOTHING_FOUND } from './command.ts';
import { forest } from './forest.ts';
import { formOptions, show, warn } from './print.ts';
import { resolve } from './resolve.ts';
import { day, line, plural, type Screen, safe, screenOf } from './screen.ts';
import { tree } from './tree.ts';
import { UsageError, whole } from './usage.ts';

/** Most nodes that the API gives in one answer. */
const MOST = 10_000;

export default command({
  usage: ['<request id> [--workflow] [options]', '<instance id> [options]'],
  positionals: [1, 1],
  options: {
    workflow: { type: 'boolean', says: 'of a request: everything that hand-overs connect to it, in all functions' },
    joins: {
      type: 'string',
      value: 'which',
      says: 'with --workflow: hand-overs by identifiers that a service issued, or also those inferred (default: exact)',
      choices: ['exact', 'all'],
    },
    expand: { type: 'boolean', says: 'of a request: also what every cold start of its function reads' },
    limit: { type: 'string', value: 'n', says: `at most so many nodes, the earliest (default: 2000, at most ${MOST})` },
    ...formOptions,
    ...apiOptions,
  },
  text: `As a tree: below a request its process, below a process what it started, read, wrote and called, in order of time. An arrow says
which way data went. What belongs to several places stands at the first, and is referred to at the others. A mark ! stands before what no
other instance of the function version is known to have done, and before requests that nothing configured explains. --ndjson prints nodes,
then edges.`,
  examples: ['e29f9743-361f-44fa-95e0-56b09047ec99', 'e29f9743-361f-44fa-95e0-56b09047ec99 --workflow --json'],
  async run(values, [what = '']) {
    const { workflow, joins, expand } = values;
    const limit = values.limit === undefined ? undefined : whole('--limit', values.limit, 1, MOST);
    const api = await connect(values);
    const about = await resolve(api, what);
    if (about === undefined) {
      warn('graph', [`nothing is known of ${what}`]);
      return NOTHING_FOUND;
    }
    const [, instance = '', request] = /^(?:request|instance):([^:]*)(?::(.*))?$/s.exec(about.node) ?? [];
    if (about.kind !== 'instance' && about.kind !== 'request') {
      throw new UsageError(`${safe(about.node)} is no request and no instance; \`alastor trace\` follows any node`);
    }
    const lists = ['nodes', 'edges', 'cut'] as const;
    const path =
      request === undefined ? `instances/${encodeURIComponent(instance)}` : `requests/${encodeURIComponent(request)}`;
    let answer: Graph | InstanceGraph | Workflow;
    if (request === undefined)
      answer = await api.get<InstanceGraph>(`${path}/graph`, { limit }, lists, 'putting graphs together');
    else if (workflow)
      answer = await api.get<Workflow>(`${path}/workflow`, { instance, joins, limit }, lists, 'following hand-overs');
    else answer = await api.get<Graph>(`${path}/graph`, { instance, limit, baseline: expand ? 'expanded' : undefined }, lists);
    const screen = screenOf(process.stdout);
    const items = [...answer.nodes, ...answer.edges];
    return await show('graph', values, { answer, items, lines: () => drawn(screen, about.node, answer) });
  },
});

function* drawn(screen: Screen, root: string, answer: Graph | InstanceGraph | Workflow): Iterable<string> {
  const { nodes, edges, counts } = answer;
  const requests = nodes.filter(({ kind }) => kind === 'request').map(({ id }) => id);
  const days = [...new Set(nodes.map(({ first }) => day(first)))].sort();
  yield line(screen, {
    text: `${plural(counts.nodes, 'node')}, ${plural(counts.edges, 'edge')}, ${plural(requests.length, 'request')}; ${[days[0], ...days.slice(1).slice(-1)].join(' to ')} (UTC)`,
    style: 'dim',
  });
  if ('witnesses' in answer) {
    for (const { witness, node: _, ...facts } of answer.witnesses) {
      const said = Object.entries(facts).map(([name, value]) => `${name} ${String(value)}`);
      yield line(screen, { text: `witness ${safe(witness)}: ${safe(said.join(', '))}`, style: 'dim' });
    }
    if (answer.unexplained.length > 0) {
      yield line(screen, { text: '! nothing configured explains how it was invoked', style: 'red' });
    }
  }
  yield* tree(screen, forest(screen, { nodes, edges }, [root, ...requests]).roots);
}
