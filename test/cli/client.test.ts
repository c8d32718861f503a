import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type IncomingMessage, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { connect } from '../../cli/api.ts';
import { buildCli } from '../../cli/build.ts';
import { alastor, hasPython, inTerminal, run } from './terminal.ts';

/** What AWS would compute, by its own Python library, from the request as it came in. */
const EXPECTED = `
import json, sys
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
asked = json.load(sys.stdin)
auth = SigV4Auth(Credentials('AKIAEXAMPLE', 'secret', asked['token']), 'execute-api', asked['region'])
request = AWSRequest('GET', asked['url'], headers=asked['headers'])
request.context['timestamp'] = asked['headers']['x-amz-date']
print(auth.signature(auth.string_to_sign(request, auth.canonical_request(request)), request))
`;
const hasBotocore = spawnSync('/usr/bin/python3', ['-c', 'import botocore']).status === 0;
if (!hasBotocore)
  console.warn('python3-boto3 is missing: signatures are not compared with those of AWS (scripts/setup installs it)');

const folder = mkdtempSync(join(tmpdir(), 'alastor-client-'));
const credentials = join(folder, 'credentials');
const config = join(folder, 'config');
/** No credentials but those of the files. */
const clean = {
  ...{ ALASTOR_ENDPOINT: '', ALASTOR_TOKEN: '', AWS_ACCESS_KEY_ID: '', AWS_SECRET_ACCESS_KEY: '', AWS_SESSION_TOKEN: '' },
  ...{ AWS_PROFILE: '', AWS_REGION: '', AWS_DEFAULT_REGION: '', AWS_EC2_METADATA_DISABLED: 'true' },
  ...{ AWS_SHARED_CREDENTIALS_FILE: credentials, AWS_CONFIG_FILE: config, XDG_RUNTIME_DIR: folder },
};

let server: Server;
let endpoint: string;
let seen: IncomingMessage[];
let answer: (request: IncomingMessage) => { status: number; body: string } | undefined;

beforeAll(async () => {
  writeFileSync(
    credentials,
    '[responder]\naws_access_key_id = AKIAEXAMPLE\naws_secret_access_key = secret\naws_session_token = tok\n',
  );
  writeFileSync(config, '[profile responder]\nregion = eu-central-1\n[profile nowhere]\nregion = eu-central-1\n');
  server = createServer((request, response) => {
    seen.push(request);
    const said = answer(request);
    if (said !== undefined) response.writeHead(said.status).end(said.body);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  endpoint = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});
afterAll(() => {
  server.closeAllConnections();
  server.close();
  rmSync(folder, { recursive: true, force: true });
});
afterEach(() => void vi.unstubAllEnvs());

function given(said: { status: number; body: object | string } | undefined): void {
  for (const [name, value] of Object.entries(clean)) vi.stubEnv(name, value === '' ? undefined : value);
  seen = [];
  answer = () => said && { status: said.status, body: typeof said.body === 'string' ? said.body : JSON.stringify(said.body) };
}
const EMPTY = { status: 200, body: { requests: [], cut: [] } };

describe('the client of the query API', () => {
  it.skipIf(!hasBotocore)('signs as AWS does, whatever stands in the address', async () => {
    given(EMPTY);
    const api = await connect({ endpoint: `${endpoint}/stage/`, profile: 'responder' });
    await api.get(`requests/${encodeURIComponent('a/b c~*(ä)')}/graph`, { q: "x y+z&*'()!~/ü", function: '' }, []);
    const [request] = seen;
    const signed = /SignedHeaders=([^,]+), Signature=([0-9a-f]{64})$/.exec(request?.headers.authorization ?? '');
    expect(request?.headers.authorization).toMatch(
      /^AWS4-HMAC-SHA256 Credential=AKIAEXAMPLE\/\d{8}\/eu-central-1\/execute-api\//,
    );
    const names = signed?.[1]?.split(';') ?? [];
    expect(names).toEqual(expect.arrayContaining(['host', 'x-amz-date', 'x-amz-security-token']));
    const headers = Object.fromEntries(names.map((name) => [name, request?.headers[name]]));
    const asked = { url: endpoint + (request?.url ?? ''), headers, token: 'tok', region: 'eu-central-1' };
    const { stdout, stderr } = spawnSync('/usr/bin/python3', ['-c', EXPECTED], {
      input: JSON.stringify(asked),
      encoding: 'utf8',
    });
    expect(stderr).toBe('');
    expect(signed?.[2]).toBe(stdout.trim());
  });

  it('signs nothing for the engine on this machine, and sends a token where there is one', async () => {
    given(EMPTY);
    await (await connect({ endpoint })).get('requests', {}, ['requests'] as never[]);
    vi.stubEnv('ALASTOR_TOKEN', 'ey.x');
    await (await connect({ endpoint })).get('requests', {}, []);
    expect(seen.map(({ headers }) => headers.authorization)).toEqual([undefined, 'Bearer ey.x']);
    await expect(connect({ endpoint: 'http://audit.example/' })).rejects.toThrow('sent over https only');
  });

  it.each([
    [{ endpoint: 'https://a1.execute-api.eu-west-1.amazonaws.com', profile: 'nowhere' }, 'no AWS credentials to sign with'],
    [{ endpoint: 'https://audit.example', profile: 'unheard-of' }, 'no region: audit.example does not tell it'],
  ])('says what is missing to sign: %j', async (asked, said) => {
    given(undefined);
    await expect(connect(asked).then((api) => api.get('stats', {}, []))).rejects.toThrow(said);
  });

  it.each([
    [{ status: 403, body: { message: 'Forbidden' } }, {}, /^403: Forbidden\nit wants a signature or a token/],
    [{ status: 403, body: { message: 'expired' } }, { profile: 'responder' }, /^403: expired\nthe credentials must be allowed/],
    [{ status: 400, body: { detail: 'q: is \u001b[31mred', parameter: 'q' } }, {}, /^400: q: is %1B\[31mred$/],
    [{ status: 200, body: '<html>' }, {}, /is no query API of Alastor: it answered 200/],
    [{ status: 200, body: { hello: 'world' } }, {}, /answered with something else than asked for/],
    [{ status: 200, body: 'null' }, {}, /answered with something else than asked for/],
  ])('says what %j means', async (said, asked, message) => {
    given(said);
    const api = await connect({ endpoint, ...asked });
    await expect(api.get('requests', {}, ['requests'] as never[])).rejects.toThrow(message);
  });

  it('asks again when there is too much to do', async () => {
    given(EMPTY);
    const said = answer;
    answer = (request) => (seen.length === 1 ? { status: 429, body: '{"message":"Too Many Requests"}' } : said(request));
    await (await connect({ endpoint })).get('requests', {}, ['requests'] as never[]);
    expect(seen).toHaveLength(2);
  });

  it('follows no redirection: an answer comes from whom it was asked', async () => {
    given({ status: 302, body: {} });
    await expect((await connect({ endpoint })).get('requests', {}, [])).rejects.toThrow();
  });
});

describe('the command', () => {
  it('exits with 1 when nobody answers', async () => {
    const ran = await alastor(['requests', '--endpoint', 'http://127.0.0.1:9'], clean);
    expect(ran).toMatchObject({ code: 1, out: '' });
    expect(ran.err).toMatch(
      /^alastor requests: http:\/\/127\.0\.0\.1:9\/ does not answer: .*; does the engine .* still run\?\n$/,
    );
  });

  it.each([
    [['requsts'], 'there is no command "requsts". Commands: requests, '],
    [['requests', '--limt', '3'], "Unknown option '--limt'"],
    [['requests', '--limit', '0'], '--limit must be a whole number from 1 to 1000000, not "0"'],
    [['requests', 'x'], '"x" is one argument too many'],
    [['story'], 'an argument is missing'],
  ])('%j exits with 2 and says what is wrong', async (args, said) => {
    const { code, out, err } = await alastor(args, clean);
    expect({ code, out }).toEqual({ code: 2, out: '' });
    expect(err.split('\n')[0]).toContain(said);
  });

  it.skipIf(!hasPython)('says on a terminal that it waits, and stops at Ctrl-C without a trace', async () => {
    given(undefined);
    const { code, out } = await inTerminal(['requests', '--endpoint', endpoint], {
      interruptAt: '… asking for requests, 1 s',
      env: clean,
    });
    expect(code).toBe(130);
    expect(out.endsWith('\r\x1b[2K')).toBe(true);
  });

  it('ends quietly when its reader has seen enough', async () => {
    given({
      status: 200,
      body: { requests: [{ requestId: 'r'.repeat(200_000), instanceId: 'i', function: 'f', at: 1, trigger: 'x' }], cut: [] },
    });
    const { code, out, err } = await run(
      'bash',
      ['-c', `set -o pipefail; "$0" cli/alastor.ts requests --endpoint ${endpoint} | head -c 10`, process.execPath],
      clean,
    );
    expect({ code, out, err }).toEqual({ code: 0, out: 'TIME      ', err: '' });
  });
});

describe('one file for responders without Node', () => {
  it('asks, signed, with nothing else on the machine', { timeout: 120_000 }, async () => {
    given({
      status: 200,
      body: { requests: [{ requestId: 'r1', instanceId: 'i1', function: 'f', at: 1, trigger: 'sqs' }], cut: [] },
    });
    const file = await buildCli(join(folder, 'alastor'));
    const env = { PATH: '', HOME: folder, AWS_SHARED_CREDENTIALS_FILE: credentials, AWS_CONFIG_FILE: config };
    const ran = await run(file, ['requests', '--endpoint', endpoint, '--profile', 'responder'], env, true);
    expect(ran).toMatchObject({ code: 0, err: '', out: expect.stringContaining('r1') });
    expect(seen[0]?.headers.authorization).toContain('Credential=AKIAEXAMPLE/');
    expect(await run(file, ['--help'], env, true)).toMatchObject({ code: 0, out: expect.stringContaining('Usage: alastor') });
    expect(await run(file, ['local', '--app', 'x'], env, true)).toMatchObject({
      code: 1,
      err: expect.stringContaining('needs a checkout'),
    });
  });
});
