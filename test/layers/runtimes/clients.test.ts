import { execFileSync, spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { World } from '../network/harness.ts';
import { type Audited, startAudited } from './audited.ts';
import { counterpart } from './counterparts.ts';

const bootstrap = readFileSync(join(import.meta.dirname, '../../../layers/image/bootstrap'), 'utf8');
const node = counterpart('node');
const node20 = counterpart('node20');
const node22 = counterpart('node22');
const python = counterpart('python');
const java = counterpart('java');
const jre = counterpart('jre');
const javac = spawnSync('javac', ['-version']).error === undefined;
if (!javac) console.warn('javac is not installed (Debian: default-jdk-headless): the Java runtime client is not tested');
const ruby = spawnSync('ruby', ['--version']).error === undefined;
if (!ruby) console.warn('ruby is not installed: a Ruby runtime is not tested');

/** The service with an internet of one shop: `https://shop.example:<port>/`, whose certificate everybody trusts. */
async function besideShop(): Promise<{ audited: Audited; url: string }> {
  const world = new World();
  onTestFinished(() => world.stop());
  const port = await world.https('127.0.0.31', 'shop.example', (_request, answer) => answer.end('bought'));
  const audited = await startAudited({ hosts: { 'shop.example': '127.0.0.31' }, trustedCaPem: world.internetCa.cert });
  return { audited, url: `https://shop.example:${port}/buy?card=4111` };
}

/**
 * A custom runtime that is one of AWS's own clients, started through the bootstrap of layers/image: neither the wrapper variable
 * nor a Node of the runtime is there, so this is also the extension on its own Node.
 * @param brought folders and files that go into the package, by their names there
 */
async function add(
  audited: Audited,
  files: Record<string, string>,
  brought: Record<string, string>,
  app: string,
  handler = 'index.handler',
): Promise<void> {
  const code = { ...files, bootstrap, 'bootstrap.app': `#!/bin/sh\n${app}\n` };
  const layerDirs = [audited.auditLayer];
  const spec = { handler, runtime: 'provided.al2023', layerDirs, environment: audited.environment, timeoutMs: 20_000 };
  for (const [name, from] of Object.entries(brought)) cpSync(from, join(audited.dir, 'code/fn', name), { recursive: true });
  await audited.add('fn', code, { ...spec, memoryMb: 512 });
}

/** A request that is answered, one that fails; then what was recorded of them, the error under the name that the client tells. */
async function bothWays(
  audited: Audited,
  error: { errorType: string; errorMessage?: string },
  event: object = {},
  told = error.errorType,
): Promise<void> {
  expect((await audited.call('fn', { ...event, value: 'ü' })).value).toEqual({ got: 'ü' });
  expect((await audited.call('fn', { fail: true })).error).toMatchObject(error);
  await audited.service.stop();
  expect(audited.of('request-end')).toMatchObject([
    { status: 'ok' },
    { status: 'error', errorType: expect.stringContaining(told) },
  ]);
  const [first] = audited.of('request-begin');
  for (const path of ['/tmp/made', '/tmp/child']) {
    expect(audited.of('file-open').find((r) => r.path === path)).toMatchObject({ req: first?.req, mode: 'w', phase: 'invoke' });
  }
  expect(audited.of('init')[0]).toMatchObject({ caps: { shim: true, runtimeProxy: true } });
  expect(audited.of('gap')).toEqual([]);
}

/** The call of the shop as the network proxy saw it: decrypted, by the process and in the request that made it. */
function expectBought(audited: Audited): void {
  const [first] = audited.of('request-begin');
  const bought = audited.of('exchange').filter(({ host }) => host === 'shop.example');
  expect(bought).toMatchObject([{ req: first?.req, scheme: 'https', path: '/buy', query: ['card'], status: 200 }]);
  expect(audited.of('process-start').map(({ proc }) => proc)).toContain(bought[0]?.proc);
}

const NODE_CODE = {
  'index.mjs': `
    import { execFileSync } from 'node:child_process';
    import { writeFileSync } from 'node:fs';
    export const handler = async (event) => {
      if (event.fail) throw new RangeError('no');
      writeFileSync('/tmp/made', 'x');
      execFileSync('/bin/sh', ['-c', 'echo y > /tmp/child']);
      return { got: event.value };
    };
    export const streaming = globalThis.awslambda?.streamifyResponse?.(async (event, out) => {
      for (const part of ['one', 'two', 'three']) {
        out.write(part);
        await new Promise((done) => setTimeout(done, 30));
      }
      out.end();
    });`,
};

describe.skipIf(node === undefined)('aws-lambda-ric', () => {
  const ric = { ric: node ?? '' };
  const start = 'exec /opt/alastor/node /var/task/ric/index.mjs "$_HANDLER"';

  it('answers as without the audit; requests, files and processes are recorded', async () => {
    const audited = await startAudited();
    await add(audited, NODE_CODE, ric, start);
    await bothWays(audited, { errorType: 'RangeError', errorMessage: 'no' });
  });

  it.skipIf(node20 === undefined || node22 === undefined).each([
    [20, node20],
    [22, node22],
  ])('so it does on Node %i', async (_major, binary) => {
    const audited = await startAudited();
    await add(audited, NODE_CODE, { ...ric, node: binary ?? '' }, start.replace('/opt/alastor/node', '/var/task/node'));
    await bothWays(audited, { errorType: 'RangeError', errorMessage: 'no' });
  });

  it('streams its answer through', async () => {
    const audited = await startAudited();
    await add(audited, NODE_CODE, ric, start, 'index.streaming');
    const pieces: string[] = [];
    const onChunk = (chunk: Buffer) => void pieces.push(chunk.toString());
    const result = await audited.service.invoke('fn', Buffer.from('{}'), { type: 'RequestResponse', onChunk });
    expect(result.payload.toString()).toBe('onetwothree');
    expect(pieces.length).toBeGreaterThan(1);
    await audited.service.stop();
    expect(audited.of('request-end')).toMatchObject([{ status: 'ok', response: { bytes: 11 } }]);
  });

  it('reports an init that fails', async () => {
    const audited = await startAudited();
    await add(audited, { 'index.mjs': 'throw new TypeError("broken")' }, ric, start);
    expect((await audited.call('fn')).error).toBeDefined();
    await audited.service.stop();
    expect(audited.of('request-end')[0]).toMatchObject({ status: 'init-error', phase: 'init' });
  });
});

describe.skipIf(python === undefined)('awslambdaric', () => {
  const code = {
    'index.py': [
      'import subprocess, urllib.request',
      'def handler(event, context):',
      '    if event.get("fail"):',
      '        raise ValueError("no")',
      '    open("/tmp/made", "w").write("x")',
      '    assert urllib.request.urlopen(event["url"]).read() == b"bought"',
      '    subprocess.run(["/bin/sh", "-c", "echo y > /tmp/child"], check=True)',
      '    return {"got": event["value"]}',
    ].join('\n'),
  };

  it('answers as without the audit; requests, files, processes and what it says over TLS are recorded', async () => {
    const { audited, url } = await besideShop();
    await add(audited, code, { '.': python ?? '' }, 'PYTHONPATH=/var/task exec /usr/bin/python3 -m awslambdaric "$_HANDLER"');
    await bothWays(audited, { errorType: 'ValueError', errorMessage: 'no' }, { url });
    expectBought(audited);
    // Teed in the process itself: it never came to the network proxy.
    expect(audited.of('exchange').map(({ seenBy }) => seenBy)).toEqual(['tap']);
    expect(audited.of('socket-connect').filter(({ steered }) => steered)).toEqual([]);
  });
});

describe.skipIf(java === undefined || jre === undefined || !javac)('aws-lambda-java-runtime-interface-client', () => {
  const HANDLER = `
    import com.amazonaws.services.lambda.runtime.*;
    import java.net.URI;
    import java.nio.file.*;
    import java.util.Map;
    public class Handler implements RequestHandler<Map<String, Object>, Map<String, Object>> {
      public Map<String, Object> handleRequest(Map<String, Object> event, Context context) {
        if (event.get("fail") != null) throw new IllegalStateException("no");
        try {
          Files.writeString(Path.of("/tmp/made"), "x");
          new ProcessBuilder("/bin/sh", "-c", "echo y > /tmp/child").start().waitFor();
          try (var body = URI.create((String) event.get("url")).toURL().openStream()) {
            if (!new String(body.readAllBytes()).equals("bought")) throw new AssertionError();
          }
        } catch (Exception e) { throw new RuntimeException(e); }
        return Map.of("got", event.get("value"));
      }
    }`;

  it('answers as without the audit; requests, files, processes and what it says over TLS are recorded', {
    timeout: 90_000,
  }, async () => {
    const { audited, url } = await besideShop();
    const classes = join(audited.dir, 'classes');
    mkdirSync(classes);
    writeFileSync(join(classes, 'Handler.java'), HANDLER);
    const jars = readdirSync(java ?? '').map((jar) => join(java ?? '', jar));
    execFileSync('javac', ['-cp', jars.join(':'), '-d', classes, join(classes, 'Handler.java')]);
    const client = 'com.amazonaws.services.lambda.runtime.api.client.AWSLambda';
    const start = `exec /var/task/jre/bin/java -XX:TieredStopAtLevel=1 -Xshare:auto -cp "/var/task/lib/*:/var/task/classes" ${client} "$_HANDLER"`;
    await add(audited, {}, { lib: java ?? '', jre: jre ?? '', classes }, start, 'Handler::handleRequest');
    await bothWays(
      audited,
      { errorType: 'java.lang.IllegalStateException', errorMessage: 'no' },
      { url },
      'Runtime.UserException',
    );
    expectBought(audited);
  });
});

describe.skipIf(!ruby)('a Ruby program that speaks the Runtime API (the gem aws_lambda_ric could not be had)', () => {
  const RUNTIME = `
    require 'json'
    require 'net/http'
    api = URI("http://#{ENV['AWS_LAMBDA_RUNTIME_API']}")
    http = Net::HTTP.new(api.host, api.port)
    http.read_timeout = nil
    base = '/2018-06-01/runtime/invocation'
    http.start
    loop do
      request = http.get("#{base}/next")
      id = request['Lambda-Runtime-Aws-Request-Id']
      event = JSON.parse(request.body)
      begin
        raise ArgumentError, 'no' if event['fail']
        File.write('/tmp/made', 'x')
        system('echo y > /tmp/child')
        raise 'not bought' unless Net::HTTP.get(URI(event['url'])) == 'bought'
        http.post("#{base}/#{id}/response", JSON.generate(got: event['value']))
      rescue => e
        error = { errorMessage: e.message, errorType: "Function<#{e.class}>" }
        http.post("#{base}/#{id}/error", JSON.generate(error), 'Lambda-Runtime-Function-Error-Type' => error[:errorType])
      end
    end`;

  it('answers as without the audit; requests, files, processes and what it says over TLS are recorded', async () => {
    const { audited, url } = await besideShop();
    await add(audited, { 'runtime.rb': RUNTIME }, {}, 'exec ruby /var/task/runtime.rb');
    await bothWays(audited, { errorType: 'Function<ArgumentError>' }, { url });
    expectBought(audited);
  });
});
