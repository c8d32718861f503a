import { createWriteStream } from 'node:fs';
import { rename, rm } from 'node:fs/promises';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { parseArgs } from 'node:util';
import { formats } from '../functions/export/formats.ts';
import { alongStory, type ExportGraph, type ExportStory } from '../functions/export/graph.ts';
import { html } from '../functions/export/html.ts';
import { plain } from '../functions/export/text.ts';
import { type Api, connect } from './api.ts';
import { UsageError } from './usage.ts';

const HELP = `alastor export: writes a graph or a story for other programs

Usage: alastor export --format <format> (--node <id> | --request <id>) [options]

Formats:
${Object.entries(formats)
  .map(([name, { says }]) => `  ${name.padEnd(12)} ${says}`)
  .join('\n')}
  html         report of a story, one page, for people and paper (only with --node)

  --node <id>         the story of a node, as \`search\` names it: how an attack came there
  --everything        with --node: all that is upstream of it, not only what the story names
  --request <id>      the workflow of a request: everything that hand-overs connect to it
  --at <time>         with --node: as of then (ISO 8601, or µs since 1970)
  --joins <which>     exact: only joins by identifiers that a service issued; all (default: all with --node, else exact)
  --endpoint <url>    address of the query API (default: ALASTOR_ENDPOINT)
  --output <file>     write there instead of standard output; it appears when it is complete
  --help              print this

What is not in the export is said in it, and on standard error.

Examples:
  alastor export --format html --node endpoint:evil.example --output story.html
  alastor export --format dot --request "$REQUEST" | dot -Tsvg -o workflow.svg

Exit code: 0 done, 1 failed, 2 wrong arguments.
`;

/** Most nodes that the API gives in one answer. */
const MOST = { trace: '5000', workflow: '10000' } as const;

/** Body of `alastor export`. Resolves to the exit code. */
export async function runExport(argv: string[]): Promise<number> {
  const { values } = UsageError.guard(HELP, () =>
    parseArgs({
      args: argv,
      options: {
        format: { type: 'string' },
        node: { type: 'string' },
        everything: { type: 'boolean', default: false },
        request: { type: 'string' },
        at: { type: 'string' },
        joins: { type: 'string' },
        endpoint: { type: 'string' },
        output: { type: 'string' },
        help: { type: 'boolean', short: 'h', default: false },
      },
    }),
  );
  if (values.help) {
    process.stdout.write(HELP);
    return 0;
  }
  const { format, node, request, joins, at } = values;
  const names = [...Object.keys(formats), 'html'];
  if (format === undefined || !names.includes(format)) {
    throw new UsageError(`--format must be one of ${names.join(', ')}`, HELP);
  }
  if ((node === undefined) === (request === undefined)) throw new UsageError('give one of --node and --request', HELP);
  if (node === undefined && (format === 'html' || values.everything || at !== undefined)) {
    throw new UsageError('--format html, --everything and --at need --node', HELP);
  }
  if (joins !== undefined && joins !== 'exact' && joins !== 'all') throw new UsageError('--joins must be exact or all', HELP);
  const endpoint = values.endpoint ?? process.env.ALASTOR_ENDPOINT;
  if (endpoint === undefined || !URL.canParse(endpoint)) {
    throw new UsageError('--endpoint (or ALASTOR_ENDPOINT) must be the address of the query API', HELP);
  }
  const api = connect(endpoint);
  const options = { ...(at === undefined ? {} : { at }), ...(joins === undefined ? {} : { joins }) };
  let graph: ExportGraph | undefined;
  let story: ExportStory | undefined;
  if (request !== undefined) graph = await workflow(api, request, options);
  else if (node !== undefined) {
    story = checkStory(await api.get('path', { node, ...options, limit: MOST.trace }));
    if (format !== 'html') {
      const trace = checkGraph(await api.get('trace', { node, ...options, direction: 'backward', limit: MOST.trace }));
      graph = values.everything ? trace : alongStory(trace, story);
    }
  }
  const text = graph === undefined ? (story === undefined ? [] : html(story)) : (formats[format]?.write(graph, story) ?? []);
  await write(text, values.output);
  for (const line of graph?.cut ?? story?.cut ?? [])
    process.stderr.write(`alastor export: not in it: ${plain(String(line))}\n`);
  return 0;
}

async function workflow(api: Api, request: string, options: Readonly<Record<string, string>>): Promise<ExportGraph> {
  return checkGraph(await api.get(`requests/${encodeURIComponent(request)}/workflow`, { ...options, limit: MOST.workflow }));
}

function checkGraph(answer: unknown): ExportGraph {
  const { nodes, edges, cut } = (answer ?? {}) as Partial<ExportGraph>;
  if (Array.isArray(nodes) && Array.isArray(edges) && Array.isArray(cut)) return { nodes, edges, cut };
  throw new Error('the endpoint answered with something that is no graph; is it a query API of this version?');
}

function checkStory(answer: unknown): ExportStory {
  const story = (answer ?? {}) as Partial<ExportStory>;
  const lists = [story.steps, story.requests, story.instances, story.reused, story.cut];
  if (lists.every(Array.isArray) && typeof story.node === 'string') return story as ExportStory;
  throw new Error('the endpoint answered with something that is no story; is it a query API of this version?');
}

/** A reader that has seen enough (`| head`) is no failure; a file is complete or not there. */
async function write(text: Iterable<string>, output: string | undefined): Promise<void> {
  if (output === undefined) {
    await pipeline(Readable.from(text), process.stdout, { end: false }).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== 'EPIPE') throw error;
    });
    return;
  }
  const part = `${output}.part-${process.pid}`;
  try {
    await pipeline(Readable.from(text), createWriteStream(part, { flags: 'wx' }));
    await rename(part, output);
  } catch (error) {
    await rm(part, { force: true });
    throw error;
  }
}
