import { createWriteStream } from 'node:fs';
import { rename, rm } from 'node:fs/promises';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { formats } from '../functions/export/formats.ts';
import { alongStory, type ExportGraph, type ExportStory } from '../functions/export/graph.ts';
import { html } from '../functions/export/html.ts';
import { type Api, apiOptions, connect, type Query } from './api.ts';
import { command } from './command.ts';
import { warn } from './print.ts';
import { safe } from './screen.ts';
import { UsageError } from './usage.ts';

/** Most nodes that the API gives in one answer. */
const MOST = { trace: '5000', workflow: '10000' } as const;

const NAMES = [...Object.keys(formats), 'html'];

export default command({
  usage: ['--format <format> (--node <id> | --request <id>) [options]'],
  options: {
    format: { type: 'string', says: 'what to write, see below', choices: NAMES },
    node: { type: 'string', value: 'id', says: 'the story of a node, as `alastor search` names it: how an attack came there' },
    everything: { type: 'boolean', says: 'with --node: all that is upstream of it, not only what the story names' },
    request: { type: 'string', value: 'id', says: 'the workflow of a request: everything that hand-overs connect to it' },
    at: { type: 'string', value: 'time', says: 'with --node: as of then (ISO 8601, or µs since 1970)' },
    joins: {
      type: 'string',
      value: 'which',
      says: 'joins by identifiers that a service issued, or all (default: all with --node, else exact)',
      choices: ['exact', 'all'],
    },
    ...apiOptions,
    output: { type: 'string', value: 'file', says: 'write there instead of standard output; it appears when it is complete' },
  },
  text: `Formats:
${Object.entries(formats)
  .map(([name, { says }]) => `  ${name.padEnd(12)} ${says}`)
  .join('\n')}
  html         report of a story, one page, for people and paper (only with --node)

What is not in the export is said in it, and on standard error.`,
  examples: [
    '--format html --node endpoint:evil.example --output story.html',
    '--format dot --request "$REQUEST" | dot -Tsvg -o workflow.svg',
  ],
  async run(values) {
    const { format, node, request, joins, at } = values;
    if (format === undefined) throw new UsageError(`--format must be one of ${NAMES.join(', ')}`);
    if ((node === undefined) === (request === undefined)) throw new UsageError('give one of --node and --request');
    if (node === undefined && (format === 'html' || values.everything || at !== undefined)) {
      throw new UsageError('--format html, --everything and --at need --node');
    }
    const api = await connect(values);
    const options = { ...(at === undefined ? {} : { at }), ...(joins === undefined ? {} : { joins }) };
    let graph: ExportGraph | undefined;
    let story: ExportStory | undefined;
    if (request !== undefined) graph = await workflow(api, request, options);
    else if (node !== undefined) {
      story = await api.get<ExportStory>('path', { node, ...options, limit: MOST.trace }, STORY);
      if (format !== 'html') {
        const asked = { node, ...options, direction: 'backward', limit: MOST.trace };
        const trace = await api.get<ExportGraph>('trace', asked, GRAPH);
        graph = values.everything ? trace : alongStory(trace, story);
      }
    }
    const text = graph === undefined ? (story === undefined ? [] : html(story)) : (formats[format]?.write(graph, story) ?? []);
    await write(text, values.output);
    const cut = graph?.cut ?? story?.cut ?? [];
    warn(
      'export',
      cut.map((one) => `not in it: ${safe(one)}`),
    );
    return 0;
  },
});

/** Lists that make an answer what it should be. */
const GRAPH = ['nodes', 'edges', 'cut'] as const;
const STORY = ['steps', 'requests', 'instances', 'reused', 'cut'] as const;

/** Pages of a workflow that are read; what lies beyond is said in the export. */
const MOST_PAGES = 50;

/** All pages of it. A node that several pages name is as the last one has it. */
async function workflow(api: Api, request: string, options: Query): Promise<ExportGraph> {
  const path = `requests/${encodeURIComponent(request)}/workflow`;
  const nodes = new Map<string, ExportGraph['nodes'][number]>();
  const edges = new Map<string, ExportGraph['edges'][number]>();
  const cut = new Set<string>();
  let cursor: string | undefined;
  for (let page = 1; ; page++) {
    const asked = { ...options, limit: MOST.workflow, ...(cursor === undefined ? {} : { cursor }) };
    const part = await api.get<ExportGraph & { readonly cursor?: string }>(path, asked, GRAPH);
    for (const node of part.nodes) nodes.set(node.id, node);
    for (const edge of part.edges)
      edges.set(`${edge.op}\n${edge.from}\n${edge.to}\n${edge.partition ?? ''}\n${edge.sure}`, edge);
    cursor = part.cursor;
    const last = cursor === undefined || page === MOST_PAGES;
    // That there is another page is no cut when it is read.
    for (const one of part.cut) if (last || !one.endsWith('ask again with cursor')) cut.add(one);
    if (last) return { nodes: [...nodes.values()], edges: [...edges.values()], cut: [...cut] };
  }
}

/** A file is complete or not there. */
async function write(text: Iterable<string>, output: string | undefined): Promise<void> {
  if (output === undefined) {
    await pipeline(Readable.from(text), process.stdout, { end: false });
    return;
  }
  const part = `${output}.part-${process.pid}`;
  try {
    await pipeline(Readable.from(text), createWriteStream(part, { flags: 'wx' }));
    await rename(part, output);
  } catch (error) {
    await rm(part, { force: true });
    const code = (error as NodeJS.ErrnoException).code ?? '';
    const why = { ENOENT: 'there is no such directory', EACCES: 'it may not be written', EISDIR: 'it is a directory' }[code];
    throw why === undefined ? error : new UsageError(`--output ${safe(output)}: ${why}`);
  }
}
