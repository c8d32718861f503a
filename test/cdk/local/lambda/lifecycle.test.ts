import { spawn } from 'node:child_process';
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { processesWith, SHELL_FUNCTION, startService, until, writeFiles } from './service.fixture.ts';

const COUNTER = `
  import { spawn } from 'node:child_process';
  import { readFileSync } from 'node:fs';
  const count = () => { try { return readFileSync('/tmp/count', 'utf8').split('\\n').length } catch { return 0 } };
  export const handler = async ({ start, waitMs = 0 }) => {
    if (start) spawn('setsid', ['/bin/bash', '-c', 'while :; do echo tick >> /tmp/count; sleep 0.02; done'], { detached: true, stdio: 'ignore' }).unref();
    const before = count();
    await new Promise((resolve) => setTimeout(resolve, waitMs));
    return { before, after: count() };
  };`;

describe('Reuse', () => {
  it('serves requests one after the other with one instance, whose process and /tmp stay', async () => {
    const { add, call, service } = startService();
    await add('fn', SHELL_FUNCTION);
    await call('fn', { sh: 'echo left by the first > /tmp/note' });
    expect((await call('fn', { sh: 'cat /tmp/note' })).value.stdout).toBe('left by the first\n');
    expect(service.instances()).toHaveLength(1);
  });

  it('serves simultaneous requests with one instance each, which share no /tmp', async () => {
    const { add, call, service } = startService();
    await add('fn', SHELL_FUNCTION);
    const sh = 'cat /tmp/note 2>/dev/null; echo note > /tmp/note; sleep 0.3';
    const results = await Promise.all([1, 2, 3].map(() => call('fn', { sh })));
    expect(results.map(({ value }) => value.stdout)).toEqual(['', '', '']);
    expect(new Set(service.instances().map(({ id }) => id)).size).toBe(3);
  });

  it('queues beyond maxInstances, and makes room by shutting an idle instance of another function down', async () => {
    const { add, call, service } = startService({ maxInstances: 1 });
    await add('a', SHELL_FUNCTION);
    await add('b', SHELL_FUNCTION);
    const results = await Promise.all(['a', 'a', 'b'].map((name) => call(name, { sh: 'sleep 0.05; echo done' })));
    expect(results.map(({ value }) => value.stdout)).toEqual(['done\n', 'done\n', 'done\n']);
    expect(service.instances()).toHaveLength(1);
  });

  it('throttles what waits too long for reserved concurrency', async () => {
    const { add, call } = startService({ queueTimeoutMs: 100 });
    await add('fn', SHELL_FUNCTION, { reservedConcurrency: 1 });
    await add('off', SHELL_FUNCTION, { reservedConcurrency: 0 });
    const first = call('fn', { sh: 'sleep 1; echo done' });
    await expect(call('fn', { sh: 'true' })).rejects.toMatchObject({ status: 429, type: 'TooManyRequestsException' });
    await expect(call('off')).rejects.toMatchObject({ status: 429 });
    expect((await first).value.stdout).toBe('done\n');
  });
});

describe('Freeze', () => {
  it('stops background processes between requests and lets them run on in the next', async () => {
    const { add, call, service } = startService();
    await add('fn', { 'index.mjs': COUNTER });
    const first = (await call('fn', { start: true, waitMs: 200 })).value;
    expect(first.after).toBeGreaterThan(2);
    await until(() => service.idle(), 'the instance to be idle');
    await new Promise((resolve) => setTimeout(resolve, 500));
    const second = (await call('fn', { waitMs: 200 })).value;
    expect(second.before - first.after).toBeLessThanOrEqual(3);
    expect(second.after).toBeGreaterThan(second.before + 2);
  });
});

describe('Failures', () => {
  it('ends a request that takes too long, and starts afresh with the same /tmp', async () => {
    const { add, call, lines, service } = startService();
    await add('fn', SHELL_FUNCTION, { timeoutMs: 700 });
    const { error } = await call('fn', { sh: 'echo kept > /tmp/note; sleep 30' });
    expect(error?.errorType).toBe('Sandbox.Timedout');
    expect(error?.errorMessage).toMatch(/^RequestId: [0-9a-f-]{36} Error: Task timed out after 0\.70 seconds$/);
    expect(lines.some((line) => line.endsWith('Task timed out after 0.70 seconds'))).toBe(true);
    expect((await call('fn', { sh: 'cat /tmp/note; ps -e | grep -c sleep' })).value.stdout).toBe('kept\n0\n');
    expect(service.instances()).toHaveLength(1);
  });

  it.each([
    ['process.exit(7)', 'Error: Runtime exited with error: exit status 7'],
    ['process.exit(0)', 'Error: Runtime exited without providing a reason'],
    ['process.kill(process.pid, "SIGKILL")', 'Error: Runtime exited with error: signal: killed'],
  ])('reports a runtime that ended by %s', async (code, message) => {
    const { add, call } = startService();
    await add('fn', {
      'index.mjs': `export const handler = async ({ ok }) => { if (ok) return 'fine'; ${code}; await new Promise(() => {}); };`,
    });
    const { error } = await call('fn');
    expect(error?.errorType).toBe('Runtime.ExitError');
    expect(error?.errorMessage.replace(/^RequestId: \S+ /, '')).toBe(message);
    expect(await call('fn', { ok: true })).toEqual({ value: 'fine' });
  });

  it('notices at once when a function kills everything it can reach', async () => {
    const { add, call, service } = startService();
    await add('fn', SHELL_FUNCTION, { timeoutMs: 25_000 });
    for (const _twice of [1, 2]) {
      const { error } = await call('fn', { sh: 'echo x >> /tmp/note; kill -9 -1; sleep 20' });
      expect(error?.errorMessage).toContain('Runtime exited with error: signal: killed');
    }
    expect((await call('fn', { sh: 'grep -c x /tmp/note' })).value.stdout).toBe('2\n');
    expect(service.instances()).toHaveLength(1);
  });

  it('reports an error that nobody caught', async () => {
    const { add, call } = startService();
    await add('fn', {
      'index.mjs': `export const handler = async () => { setTimeout(() => { throw new RangeError('late') }, 5); await new Promise(() => {}); };`,
    });
    expect((await call('fn')).error).toMatchObject({ errorType: 'RangeError', errorMessage: 'late' });
  });

  it('reports a response that is too large', async () => {
    const { add, call } = startService();
    await add('fn', { 'index.mjs': `export const handler = async () => 'x'.repeat(7_000_000)` });
    expect((await call('fn')).error).toMatchObject({ errorType: 'Function.ResponseSizeTooLarge' });
  });
});

describe('Logs', () => {
  it('keeps what runtime and children write, line by line, between START and END', async () => {
    const { add, call, lines, service, dir } = startService();
    const logDir = join(dir, 'logs');
    await add(
      'fn',
      {
        'index.mjs': `import { spawnSync } from 'node:child_process';
        export const handler = async () => { console.log('from\\nnode'); spawnSync('sh', ['-c', 'echo from sh; echo again >&2'], { stdio: 'inherit' }); };`,
      },
      { logDir },
    );
    await call('fn');
    await until(() => service.idle(), 'the instance to be idle');
    const plain = lines.map((line) => line.replace(/[0-9a-f]{8}-[0-9a-f-]{27}/g, 'ID').replace(/^\S+Z\t/, ''));
    expect(plain.slice(0, 5)).toEqual([
      'INIT_START Runtime Version: nodejs24.x (local engine)',
      'START RequestId: ID Version: $LATEST',
      'ID\tINFO\tfrom\rnode',
      'from sh',
      'again',
    ]);
    expect(plain[5]).toBe('END RequestId: ID');
    expect(plain[6]).toMatch(/^REPORT RequestId: ID\tDuration: /);
    expect(readdirSync(logDir)).toEqual([`${service.instances()[0]?.id}.log`]);
  });
});

describe('End', () => {
  it('shuts idle instances down', async () => {
    const { add, call, service } = startService({ maxIdleMs: 100 });
    await add('fn', SHELL_FUNCTION);
    await call('fn', { sh: 'true' });
    const [instance] = service.instances();
    await until(() => service.instances().length === 0, 'the instance to be reaped');
    expect(existsSync(`/proc/${instance?.pid}`)).toBe(false);
  });

  it('leaves no process and no file behind, even when stopped in the middle of a request and of an init', async () => {
    const { add, call, service, dir } = startService();
    await add('fn', SHELL_FUNCTION);
    await call('fn', { sh: 'setsid sleep 1234 >/dev/null 2>&1 & sleep 0.1' });
    // Else the next request would wait for this instance, and be refused when all ends.
    await until(() => service.idle(), 'the instance to be idle');
    const running = call('fn', { sh: 'sleep 1234' });
    const starting = call('fn', { sh: 'true' });
    await new Promise((resolve) => setTimeout(resolve, 30));
    await service.stop();
    expect((await running).error).toBeDefined();
    await starting;
    expect(processesWith(dir)).toEqual([]);
    expect(processesWith('sleep\x001234')).toEqual([]);
    expect(readdirSync(join(dir, 'state'))).toEqual([]);
  });

  it('takes the instances along when the engine itself is killed', async () => {
    const { dir } = startService();
    const codeDir = writeFiles(join(dir, 'code'), SHELL_FUNCTION);
    const engine = join(import.meta.dirname, '../../../../cdk/local/lambda/index.ts');
    const script = `
      import { LambdaService } from ${JSON.stringify(engine)};
      const service = new LambdaService({ stateDir: ${JSON.stringify(join(dir, 'killed'))}, endpoint: 'http://127.0.0.1:9', hosts: {}, log() {} });
      await service.add({ name: 'fn', arn: 'a:function:fn', runtime: 'nodejs24.x', handler: 'index.handler', codeDir: ${JSON.stringify(codeDir)},
        layerDirs: [], environment: {}, memoryMb: 128, timeoutMs: 9000, region: 'r', accountId: '1' });
      await service.invoke('fn', Buffer.from('{"sh":"setsid sleep 4321 >/dev/null 2>&1 & sleep 0.1"}'), { type: 'RequestResponse' });
      process.stdout.write('ready');
      setInterval(() => {}, 1000);`;
    const parent = spawn(process.execPath, ['--input-type=module', '-e', script], { stdio: ['ignore', 'pipe', 'inherit'] });
    await new Promise((resolve) => parent.stdout.once('data', resolve));
    expect(processesWith('sleep\x004321')).toHaveLength(1);
    parent.kill('SIGKILL');
    await until(() => processesWith('sleep\x004321').length === 0 && processesWith(codeDir).length === 0, 'the sandbox to end');
  });
});
