import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { InvokeCommand, LambdaClient, ListFunctionsCommand } from '@aws-sdk/client-lambda';
import { PutObjectCommand, S3Client } from '@aws-sdk/client-s3';
import { App, Stack } from 'aws-cdk-lib';
import { Code, Function as LambdaFunction, Runtime } from 'aws-cdk-lib/aws-lambda';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { Alastor } from '../../cdk/index.ts';
import type { LocalEngine } from '../../cli/local-engine.ts';
import { cells } from '../../cli/screen.ts';
import { containerReuse } from '../functions/attacks.ts';
import { hasJava } from '../functions/dynamodb-local.ts';
import { Clock, Recorded } from '../functions/scenario.ts';
import { ALASTOR, alastor, controls, hasPython, inTerminal, uncoloured } from './terminal.ts';

/** A function of an attacker's who wants to draw over what an investigator reads. */
function hostile(): Recorded {
  const fn = new Recorded('hostile', new Clock());
  const agent = '\x1b]0;owned\x07\u202eevil';
  fn.begin('req-hostile', { type: 'http', sourceIp: '198.51.100.66', userAgent: agent, method: 'GET', path: '/\x1b[2J' });
  const sh = fn.spawn(fn.runtime, 66, ['sh', '-c', '\x1b[31m\u009b2J\u2066 \x1b]8;;http://evil\x1b\\ \r\nEXIT 0 \u200b']);
  fn.write(sh, '/tmp/\x1b[1A\u0085x\u2028y');
  fn.exchange(fn.runtime, { host: 'drop.evil', method: 'POST', path: '/\u009b1m\x08', request: { bytes: 9 } });
  fn.end();
  return fn;
}

describe.skipIf(!hasJava)('asking the engine on this machine', () => {
  const folder = mkdtempSync(join(tmpdir(), 'alastor-ask-'));
  const env = { XDG_RUNTIME_DIR: folder, ALASTOR_ENDPOINT: '', NODE_COMPILE_CACHE: join(folder, 'cache') };
  const { instances, cards } = containerReuse();
  /** One function under both of its names, and one of another account. */
  const worker = ['worker', '123456789012.us-east-1.worker', '999999999999.eu-west-1.worker'];
  const recorded = [...instances, hostile(), ...worker.map((name) => new Recorded(name, new Clock()))];
  const since = ['--since', '2026-01-01'];
  let local: ChildProcess;
  let state: string;
  let engine: LocalEngine;
  const ask = (...args: string[]) => alastor(args, env);
  const look = (columns: number, ...args: string[]) => inTerminal(args, { columns, env });
  const api = async (path: string): Promise<Record<string, unknown>> =>
    (await fetch(`${engine.query}v1/${path}`)).json() as Promise<Record<string, unknown>>;

  beforeAll(async () => {
    const app = new App({ outdir: join(folder, 'cdk.out'), analyticsReporting: false });
    const stack = new Stack(app, 'Audit');
    const code = {
      runtime: Runtime.NODEJS_24_X,
      handler: 'index.handler',
      code: Code.fromInline('exports.handler = () => 1;'),
    };
    for (const functionName of ['worker', 'idle']) new LambdaFunction(stack, functionName, { functionName, ...code });
    new Alastor(stack, 'Alastor');
    app.synth();
    local = spawn(process.execPath, [ALASTOR, 'local', '--assembly', join(folder, 'cdk.out')], {
      env: { ...process.env, ...env },
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    await new Promise<void>((resolve, reject) => {
      let out = '';
      local.once('exit', () => reject(new Error(out)));
      local.stdout?.on('data', (chunk: Buffer) => {
        out += chunk.toString();
        if (out.includes('Running.')) resolve();
      });
    });
    const [name = ''] = readdirSync(join(folder, 'alastor'));
    state = join(folder, 'alastor', name);
    engine = JSON.parse(readFileSync(state, 'utf8')) as LocalEngine;
    const credentials = { accessKeyId: 'local', secretAccessKey: 'local' };
    const s3 = new S3Client({ endpoint: engine.endpoint, region: engine.region, credentials, forcePathStyle: true });
    const Bucket = engine.outputs.AlastorEvidenceBucket;
    const segments = recorded.flatMap((one) => one.segments());
    for (const { key: Key, bytes: Body } of segments)
      await s3.send(new PutObjectCommand({ Bucket, Key, Body, IfNoneMatch: '*' }));
    const stitched = async () => expect((await api('stats')).segments).toBe(segments.length);
    await vi.waitFor(stitched, { timeout: 60_000, interval: 100 });
  }, 120_000);
  afterAll(async () => {
    if (local?.exitCode === null && local.kill('SIGINT')) await new Promise((resolve) => local.once('exit', resolve));
    rmSync(folder, { recursive: true, force: true });
  });

  it('keeps the address where only its user can write', () => {
    expect(statSync(state).mode & 0o777).toBe(0o600);
    expect(statSync(join(folder, 'alastor')).mode & 0o077).toBe(0);
  });

  it('lists requests as whole lines in a pipe, page by page, and as the API answers', { timeout: 60_000 }, async () => {
    const all = await ask('requests', ...since);
    expect(all).toMatchObject({ code: 0, err: '' });
    expect(controls(all.out)).toEqual([]);
    const [, ...lines] = all.out.trim().split('\n');
    expect(lines).toHaveLength(8);
    expect(lines.find((line) => line.includes('req-plant'))).toMatch(
      /^2026-\S+Z +authorize-cc +ok +http \/cards +req-plant +\S+/,
    );
    const { requests } = JSON.parse((await ask('requests', ...since, '--json')).out) as { requests: { requestId: string }[] };
    expect(requests).toEqual((await api(`requests?since=2026-01-01T00:00:00Z&limit=50`)).requests);

    const first = JSON.parse((await ask('requests', ...since, '--limit', '3', '--json')).out) as Record<string, unknown>;
    const rest = await ask('requests', ...since, '--all', '--cursor', String(first.cursor), '--ndjson');
    const ids = (list: unknown) => (list as { requestId: string }[]).map(({ requestId }) => requestId);
    const others = rest.out
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as unknown);
    expect([...ids(first.requests), ...ids(others)]).toEqual(ids(requests));
  });

  it.each([
    ['search', 'drop.evil'],
    ['search', '/tmp/*', ...since],
    ['trace', 'drop.evil'],
    ['trace', 'req-plant', '--to', 'drop.evil'],
    ['trace', 'req-plant', '--common', 'drop.evil'],
    ['instances', ...since],
    ['functions'],
    ['trace', 'client:203.0.113.9:curl/8', '--forward'],
    ['trace', 'client:203.0.113.9', '--reached'],
    ['graph', 'req-plant'],
  ])('finds something by %j', { timeout: 60_000 }, async (...args) => {
    const { code, out } = await ask(...args);
    expect(code).toBe(0);
    expect(out.trim().split('\n').length).toBeGreaterThan(1);
    expect(controls(out)).toEqual([]);
  });

  it('tells the story as numbered steps, with what it crossed, what was reused and what left', {
    timeout: 60_000,
  }, async () => {
    const { code, out } = await ask('story', 'drop.evil', '--evidence');
    expect(code).toBe(0);
    const { steps } = await api('questions/explanation?node=endpoint:drop.evil');
    expect(out.match(/^ {0,2}\d+ [ !]\d{4}-/gm)).toHaveLength((steps as object[]).length);
    expect(out).toMatch(/═ authorize-cc, request req-plant, by which it came in/);
    expect(out).toMatch(/from step \d+ into another function, by lambda:req-use \(exact\)/);
    expect(out).toMatch(
      /Reused between requests\n {2}file \/tmp\/\.x\.js\n {4}left by request req-plant\n {4}used by request req-use/,
    );
    expect(out).toMatch(/What left\n(?: {2}drop\.evil.*\n)* {2}drop\.evil +4\.0 kB {2}POST https:\/\/drop\.evil\/c 200/);
    expect(out).not.toContain('req-benign');
    const record = /segments\/authorize-cc\S+#\d+/.exec(out)?.[0] ?? '';
    expect(await ask('evidence', record)).toMatchObject({
      code: 0,
      out: expect.stringContaining('verified: the segment is as'),
    });
  });

  it('lists a function once, under whatever names it was recorded', { timeout: 60_000 }, async () => {
    const credentials = { accessKeyId: 'local', secretAccessKey: 'local' };
    const lambda = new LambdaClient({ endpoint: engine.endpoint, region: engine.region, credentials });
    const { Functions = [] } = await lambda.send(new ListFunctionsCommand({}));
    const inventory = Functions.find(({ Environment }) => Environment?.Variables?.ALASTOR_PART === 'inventory');
    const before = await ask('functions');
    expect(before).toMatchObject({
      code: 0,
      err: expect.stringContaining('the inventory, which looks every hour, has not looked yet'),
    });
    await lambda.send(new InvokeCommand({ FunctionName: inventory?.FunctionName }));
    lambda.destroy();
    const listed = async (...args: string[]) => {
      const { functions } = JSON.parse((await ask('functions', ...args, '--json')).out) as {
        functions: { function: string; also?: string[]; audited?: boolean; firstDay?: string }[];
      };
      return functions.filter((one) => /worker|idle/.test(one.function));
    };
    const [own, foreign, ...rest] = await listed('--all');
    expect([own?.function, ...(own?.also ?? [])].sort()).toEqual(['123456789012.us-east-1.worker', 'worker']);
    expect(own).toMatchObject({ audited: false, firstDay: expect.any(String) });
    expect(foreign).toMatchObject({ function: '999999999999.eu-west-1.worker' });
    expect(foreign).not.toHaveProperty('audited');
    expect(rest).toEqual([{ function: 'idle', audited: false }]);
    expect(await listed()).toEqual([own, foreign]);
  });

  it('answers the three questions by one command each', { timeout: 60_000 }, async () => {
    const deviation = await ask('deviation', 'req-plant', ...since);
    expect(deviation).toMatchObject({ code: 0, out: expect.stringMatching(/program +0 of \d +\/usr\/bin\/curl/) });
    const story = await ask('story', 'req-notify', '--json');
    // What it was compared with comes in any order.
    const { compared, ...told } = await api('questions/explanation?request=req-notify');
    expect(JSON.parse(story.out)).toEqual({ ...told, compared: expect.arrayContaining(compared as object[]) });
    expect(await ask('reuse', 'drop.evil')).toMatchObject({ code: 0, out: expect.stringContaining('file /tmp/.x.js, exact') });
    expect(await ask('reuse', 'req-plant')).toMatchObject({ code: 3, out: expect.stringContaining(': no: nothing') });
    const inside = await ask('reuse', cards.id);
    expect(inside).toMatchObject({
      code: 0,
      out: expect.stringMatching(/left by req-plant\n.*used by req-use {2}exact: loaded/),
    });
  });

  it('exits with 3 when nothing is found, with 2 when several things may be meant', { timeout: 60_000 }, async () => {
    expect(await ask('requests', ...since, '--function', 'nobody')).toMatchObject({ code: 3, out: '' });
    expect(await ask('story', 'unheard.of')).toMatchObject({ code: 3, err: 'alastor story: nothing is known of unheard.of\n' });
    expect(await ask('story', '203.0.113.9')).toMatchObject({
      code: 2,
      err: expect.stringMatching(
        /may mean \d things; name one:\n {2}request:.*\nor ask .*alastor trace client:203\.0\.113\.9 --reached\n/s,
      ),
    });
    expect(await ask('story', 'file:gone:/tmp/x')).toMatchObject({
      code: 1,
      err: expect.stringContaining('404: no record mentions'),
    });
    const client = await ask('story', 'client:203.0.113.9:curl/8');
    expect(client).toMatchObject({
      code: 2,
      err: expect.stringContaining("alastor trace 'client:203.0.113.9:curl/8' --reached"),
    });
    expect(await ask('gaps', '--kind', 'holes')).toMatchObject({
      code: 2,
      err: expect.stringContaining('--kind must be one of'),
    });
    const unwritten = await ask('export', '--format', 'html', '--node', 'endpoint:drop.evil', '--output', '/nowhere/x.html');
    expect(unwritten).toMatchObject({ code: 2, err: expect.stringContaining('/nowhere/x.html: there is no such directory') });
    const alone = instances[0]?.id ?? '';
    expect(await ask('reuse', alone)).toMatchObject({
      code: 3,
      out: `${alone}: no: none of its 1 request used what an earlier one had left\n`,
    });
    expect(await ask('search', '--scan', 'perhaps', 'x')).toMatchObject({
      code: 2,
      err: expect.stringContaining('--scan must be one of auto, always, never'),
    });
    expect(await ask('requests', '--since', 'yesterday')).toMatchObject({
      code: 2,
      err: expect.stringContaining('--since must be a time'),
    });
  });

  describe.skipIf(!hasPython)('in a terminal', () => {
    it.each([
      [80, ['requests', ...since]],
      [60, ['instances', ...since]],
      [80, ['graph', 'req-use', '--workflow']],
      [60, ['trace', 'drop.evil']],
      [100, ['story', 'drop.evil']],
    ])('of %i columns keeps to them: %j', { timeout: 60_000 }, async (columns, args) => {
      const { code, out } = await look(columns, ...args);
      expect(code).toBe(0);
      expect(uncoloured(out)).not.toBe(out);
      const long = uncoloured(out)
        .replaceAll('\r\x1b[2K', '\n')
        .split(/\r?\n/)
        .filter((line) => cells(line) > columns && !line.startsWith('… ') && !line.startsWith('alastor'));
      expect(long).toEqual([]);
    });

    it('shows days as headings, and no colours with NO_COLOR', { timeout: 60_000 }, async () => {
      const { out } = await inTerminal(['requests', ...since], { env: { ...env, NO_COLOR: '1' } });
      expect(out).toMatch(/\n2026-02-\d\d\r\n\d\d:\d\d:\d\d\.\d{3} {2}/);
      expect(uncoloured(out)).toBe(out);
    });

    it.each([
      ['graph', 'req-hostile'],
      ['search', 'evil', '--as', 'process', ...since],
      ['search', '198.51.100.66', '--scan', 'always', ...since],
    ])('gives it nothing to obey: %j', { timeout: 60_000 }, async (...args) => {
      const { code, out } = await look(100, ...args);
      expect(code).toBe(0);
      expect(out).toContain('hostile');
      expect(controls(out)).toEqual([]);
    });

    it('escapes the record itself, for people and as JSON', { timeout: 60_000 }, async () => {
      const story = await ask('story', 'req-hostile', '--evidence');
      const segment = /segments\/hostile\S+(?=#)/.exec(story.out)?.[0] ?? '';
      const argv = hostile().records.findIndex(({ kind }) => kind === 'process-exec');
      for (const form of [[], ['--json']]) {
        const { code, out } = await look(100, 'evidence', `${segment}#${argv}`, ...form);
        expect(code).toBe(0);
        expect(out).toContain('\\u001b[31m\\u009b2J\\u2066');
        expect(controls(out)).toEqual([]);
      }
    });
  });

  it('tells of an engine that ended without tidying up, and of none', { timeout: 60_000 }, async () => {
    local.kill('SIGINT');
    await new Promise((resolve) => local.once('exit', resolve));
    expect(existsSync(state)).toBe(false);
    const none = await ask('requests');
    expect(none).toMatchObject({ code: 1, out: '', err: expect.stringContaining('no engine runs on this machine') });
    const dead = spawn(process.execPath, ['-e', '']);
    await new Promise((resolve) => dead.once('exit', resolve));
    mkdirSync(join(folder, 'alastor'), { mode: 0o700 });
    const left = join(folder, 'alastor', `engine-${dead.pid}.json`);
    writeFileSync(left, JSON.stringify(engine));
    const stale = await ask('requests');
    expect(stale).toMatchObject({ code: 1, err: expect.stringContaining(`the engine of process ${dead.pid} has ended`) });
    expect(existsSync(left)).toBe(false);
  });
});
