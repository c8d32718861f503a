import { spawn } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { APIGatewayProxyEventV2, APIGatewayProxyStructuredResultV2 } from 'aws-lambda';
import { XMLParser } from 'fast-xml-parser';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { respond } from '../../functions/query/handler.ts';
import { stitch } from '../../functions/stitcher/stitch.ts';
import { containerReuse } from '../functions/attacks.ts';
import { hasJava, LocalDynamo } from '../functions/dynamodb-local.ts';
import { START } from '../functions/scenario.ts';

const ALASTOR = new URL('../../cli/alastor.ts', import.meta.url).pathname;

interface Ran {
  readonly code: number | null;
  readonly out: string;
  readonly err: string;
}
async function run(args: readonly string[], env: NodeJS.ProcessEnv = {}): Promise<Ran> {
  const child = spawn(process.execPath, [ALASTOR, 'export', ...args], { env: { ...process.env, ...env } });
  let [out, err] = ['', ''];
  child.stdout.setEncoding('utf8').on('data', (text: string) => (out += text));
  child.stderr.setEncoding('utf8').on('data', (text: string) => (err += text));
  const code = await new Promise<number | null>((resolve) => child.on('close', resolve));
  return { code, out, err };
}

describe('alastor export, asked wrongly', () => {
  it.each([
    [['--format', 'word', '--node', 'endpoint:x'], 'one of dot, graphml'],
    [['--format', 'dot'], 'one of --node and --request'],
    [['--format', 'dot', '--node', 'endpoint:x', '--request', 'r'], 'one of --node and --request'],
    [['--format', 'html', '--request', 'r'], 'need --node'],
    [['--format', 'dot', '--node', 'endpoint:x', '--joins', 'some'], '--joins'],
    [['--format', 'dot', '--node', 'endpoint:x', '--endpoint', 'nowhere'], '--endpoint'],
    [['--sideways'], '--sideways'],
  ])('%j exits with 2 and says what is wrong', async (args, said) => {
    const { code, out, err } = await run(args, { ALASTOR_ENDPOINT: '' });
    expect({ code, out }).toEqual({ code: 2, out: '' });
    expect(err.split('\n')[0]).toContain(said);
    expect(err).toContain('Usage: alastor export');
  });

  it('prints its help, and exits with 1 when nobody answers', async () => {
    const help = await run(['--help']);
    expect(help).toMatchObject({ code: 0, err: '' });
    for (const name of ['dot', 'graphml', 'prov-json', 'prov-jsonld', 'ocsf', 'stix', 'otlp', 'html'])
      expect(help.out).toContain(`  ${name} `);
    const { code, err } = await run(['--format', 'dot', '--node', 'endpoint:x', '--endpoint', 'http://127.0.0.1:9/']);
    expect(code).toBe(1);
    expect(err).toContain('http://127.0.0.1:9/ does not answer');
  });
});

describe.skipIf(!hasJava)('alastor export over the query API', () => {
  const folder = mkdtempSync(join(tmpdir(), 'alastor-export-'));
  const { instances } = containerReuse();
  let dynamo: LocalDynamo;
  let server: Server;
  let endpoint: string[];

  beforeAll(async () => {
    dynamo = await LocalDynamo.start();
    const { store, objects } = await dynamo.store();
    for (const { key, bytes } of instances.flatMap((one) => one.segments())) {
      objects.set(key, bytes, START + 60_000_000);
      await stitch(key, objects, store.writer);
    }
    await store.writer.settle();
    server = createServer(async (request, response) => {
      const { pathname, search } = new URL(request.url ?? '/', 'http://local');
      const event = {
        rawPath: pathname,
        rawQueryString: search.slice(1),
        requestContext: { http: { method: request.method } },
      };
      const answer: APIGatewayProxyStructuredResultV2 = await respond(event as unknown as APIGatewayProxyEventV2, store);
      response.writeHead(answer.statusCode ?? 200, answer.headers as Record<string, string>).end(answer.body);
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    endpoint = ['--endpoint', `http://127.0.0.1:${(server.address() as AddressInfo).port}/stage`];
  }, 60_000);
  afterAll(async () => {
    server?.close();
    await dynamo?.stop();
    rmSync(folder, { recursive: true, force: true });
  });

  it.each(['dot', 'graphml', 'prov-json', 'prov-jsonld', 'ocsf', 'stix', 'otlp'])(
    'writes the story of a node as %s',
    async (format) => {
      const { code, out, err } = await run(['--format', format, '--node', 'endpoint:drop.evil', ...endpoint]);
      expect({ code, err }).toEqual({ code: 0, err: '' });
      expect(out).toContain('drop.evil');
      expect(out).toContain('/tmp/.x.js'.split('/').at(-1));
      // Benign requests have no place in it.
      expect(out).not.toContain('req-benign');
      expect(out).not.toContain('req-later');
      if (format === 'ocsf')
        expect(
          out
            .trim()
            .split('\n')
            .map((line) => JSON.parse(line).class_uid),
        ).toContain(2004);
      else if (format === 'graphml') expect(() => new XMLParser().parse(out, true)).not.toThrow();
      else if (format !== 'dot') expect(() => JSON.parse(out)).not.toThrow();
    },
  );

  it('writes the workflow of a request, and everything upstream of a node', async () => {
    const nodes = ({ out }: Ran) => out.match(/<node /g)?.length ?? 0;
    const workflow = await run(['--format', 'graphml', '--request', 'req-notify', ...endpoint]);
    expect(workflow.out).toContain('req-buy');
    expect(workflow.out).not.toContain('req-plant');
    const node = ['--format', 'graphml', '--node', 'endpoint:drop.evil', ...endpoint];
    expect(nodes(await run([...node, '--everything']))).toBeGreaterThan(nodes(await run(node)));
  });

  it('writes a report to a file that appears when it is complete', async () => {
    const output = join(folder, 'story.html');
    const args = ['--format', 'html', '--output', output];
    expect(await run([...args, '--node', 'endpoint:drop.evil', ...endpoint])).toEqual({ code: 0, out: '', err: '' });
    expect(readFileSync(output, 'utf8')).toMatch(/^<!doctype html>[\s\S]*How an attack came to drop\.evil[\s\S]*<\/html>\n$/);
    expect(readdirSync(folder)).toEqual(['story.html']);
    const failed = await run([...args, '--node', 'endpoint:unheard.of', ...endpoint]);
    expect(failed).toMatchObject({ code: 1, out: '' });
    expect(failed.err).toContain('404: no record mentions endpoint:unheard.of');
    expect(readdirSync(folder)).toEqual(['story.html']);
  });
});
