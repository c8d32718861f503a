import { describe, expect, it } from 'vitest';
import { SHELL_FUNCTION, startService, until } from './service.fixture.ts';

/** An extension that logs every event. It runs on the node of the runtime. `plan` changes its behaviour. */
const extension = (
  plan: { events?: string[]; busyMs?: number; onShutdownMs?: number; crashOn?: string } = {},
) => `#!/var/lang/bin/node
const plan = ${JSON.stringify({ events: ['INVOKE', 'SHUTDOWN'], ...plan })};
const api = 'http://' + process.env.AWS_LAMBDA_RUNTIME_API + '/2020-01-01/extension';
const wait = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
(async () => {
  const name = require('node:path').basename(__filename);
  const registered = await fetch(api + '/register', {
    method: 'POST', headers: { 'Lambda-Extension-Name': name, 'Lambda-Extension-Accept-Feature': 'accountId' }, body: JSON.stringify({ events: plan.events }),
  });
  const id = registered.headers.get('lambda-extension-identifier');
  console.log('EXT registered', JSON.stringify({ ...(await registered.json()), cwd: process.cwd(), taskRoot: process.env.LAMBDA_TASK_ROOT ?? null, own: process.env.OWN }));
  for (;;) {
    const event = await (await fetch(api + '/event/next', { headers: { 'Lambda-Extension-Identifier': id } })).json();
    console.log('EXT event', JSON.stringify(event));
    if (plan.crashOn === event.eventType) process.exit(3);
    if (event.eventType === 'SHUTDOWN') { await wait(plan.onShutdownMs ?? 0); console.log('EXT bye'); process.exit(0); }
    await wait(plan.busyMs ?? 0);
    console.log('EXT done');
  }
})();
`;

const eventsIn = (lines: readonly string[]) =>
  lines.filter((line) => line.startsWith('EXT event ')).map((line) => JSON.parse(line.slice('EXT event '.length)));

describe('External extensions', () => {
  it('register before the runtime starts, and get INVOKE and SHUTDOWN', async () => {
    const { add, call, layer, lines, service } = startService();
    await add('fn', SHELL_FUNCTION, {
      layerDirs: [layer('a', { 'extensions/watcher': extension() })],
      environment: { OWN: 'yes' },
    });
    await call('fn', { sh: 'true' });
    await until(() => service.idle(), 'the instance to be idle');
    const registered = lines.find((line) => line.startsWith('EXT registered'));
    expect(JSON.parse(registered?.slice('EXT registered '.length) ?? '')).toEqual({
      functionName: 'fn',
      functionVersion: '$LATEST',
      handler: 'index.handler',
      accountId: '111122223333',
      cwd: '/',
      taskRoot: null,
      own: 'yes',
    });
    const [invoke] = eventsIn(lines);
    expect(invoke).toEqual({
      eventType: 'INVOKE',
      deadlineMs: expect.any(Number),
      requestId: expect.stringMatching(/^[0-9a-f-]{36}$/),
      invokedFunctionArn: 'arn:aws:lambda:eu-central-1:111122223333:function:fn',
      tracing: { type: 'X-Amzn-Trace-Id', value: expect.stringContaining('Root=1-') },
    });
    await service.stop();
    expect(eventsIn(lines)[1]).toEqual({ eventType: 'SHUTDOWN', shutdownReason: 'spindown', deadlineMs: expect.any(Number) });
    expect(lines).toContain('EXT bye');
  });

  it('may work on after the response; the instance is reused only when they are done', async () => {
    const { add, call, layer, lines, service } = startService({ reuseWaitMs: 5000 });
    await add('fn', SHELL_FUNCTION, { layerDirs: [layer('a', { 'extensions/slow': extension({ busyMs: 300 }) })] });
    await call('fn', { sh: 'true' });
    expect(lines).not.toContain('EXT done');
    await call('fn', { sh: 'true' });
    expect(lines).toContain('EXT done');
    expect(service.instances()).toHaveLength(1);
  });

  it('are told about a timeout, and killed when they take longer than 2 s', async () => {
    const { add, call, layer, lines, service } = startService({ reuseWaitMs: 5000 });
    const layerDirs = [
      layer('a', { 'extensions/quick': extension(), 'extensions/stuck': extension({ onShutdownMs: 60_000 }) }),
    ];
    await add('fn', SHELL_FUNCTION, { layerDirs, timeoutMs: 500 });
    const { error } = await call('fn', { sh: 'sleep 30' });
    expect(error?.errorType).toBe('Sandbox.Timedout');
    await until(() => service.idle(), 'the reset to be over');
    expect(eventsIn(lines).filter(({ shutdownReason }) => shutdownReason === 'timeout')).toHaveLength(2);
    expect(lines.filter((line) => line === 'EXT bye')).toHaveLength(1);
    expect((await call('fn', { sh: 'echo again' })).value.stdout).toBe('again\n');
  });

  it('are told about a crash of the runtime', async () => {
    const { add, call, layer, lines, service } = startService();
    await add(
      'fn',
      { 'index.mjs': 'export const handler = () => process.exit(9)' },
      { layerDirs: [layer('a', { 'extensions/watcher': extension() })] },
    );
    expect((await call('fn')).error?.errorType).toBe('Runtime.ExitError');
    await until(() => service.idle(), 'the reset to be over');
    expect(eventsIn(lines).map(({ eventType, shutdownReason }) => [eventType, shutdownReason])).toEqual([
      ['INVOKE', undefined],
      ['SHUTDOWN', 'failure'],
    ]);
  });

  it('that crash fail the request', async () => {
    const { add, call, layer } = startService();
    await add('fn', SHELL_FUNCTION, { layerDirs: [layer('a', { 'extensions/bad': extension({ crashOn: 'INVOKE' }) })] });
    expect((await call('fn', { sh: 'sleep 5' })).error).toMatchObject({
      errorType: 'Extension.Crash',
      errorMessage: expect.stringContaining('extension bad exited: exit status 3'),
    });
  });

  it('that subscribe to SHUTDOWN only are not waited for, and plain files are no extensions', async () => {
    const { add, call, layer, lines } = startService();
    const layerDirs = [
      layer('a', { 'extensions/last': extension({ events: ['SHUTDOWN'] }), 'extensions/README': 'not executable' }),
    ];
    await add('fn', SHELL_FUNCTION, { layerDirs });
    await call('fn', { sh: 'true' });
    expect((await call('fn', { sh: 'echo ok' })).value.stdout).toBe('ok\n');
    expect(eventsIn(lines)).toEqual([]);
  });

  it('that exit before they register fail the init', async () => {
    const { add, call, layer } = startService();
    await add('fn', SHELL_FUNCTION, { layerDirs: [layer('a', { 'extensions/dead': '#!/bin/sh\nexit 1\n' })] });
    expect((await call('fn', { sh: 'true' })).error?.errorType).toBe('Extension.Crash');
  });
});

describe('Runtime on shutdown', () => {
  it('is not ended as long as an extension works on what it has answered', async () => {
    const { add, call, layer, lines, service } = startService();
    const code = `process.on('SIGTERM', () => { console.log('EXT outlived'); process.exit(0); }); export const handler = async () => 1;`;
    await add('fn', { 'index.mjs': code }, { layerDirs: [layer('a', { 'extensions/slow': extension({ busyMs: 300 }) })] });
    await call('fn');
    expect(lines).not.toContain('EXT done');
    await service.stop();
    const told = lines.map((line) => /EXT (?:done|outlived|bye)/.exec(line)?.[0]).filter((word) => word !== undefined);
    expect(told).toEqual(['EXT done', 'EXT outlived', 'EXT bye']);
  });

  it('gets SIGTERM when there is an extension', async () => {
    const { add, call, layer, lines, service } = startService();
    await add(
      'fn',
      {
        'index.mjs': `process.on('SIGTERM', () => { console.log('TERM seen'); process.exit(0); }); export const handler = async () => 1;`,
      },
      { layerDirs: [layer('a', { 'extensions/watcher': extension() })] },
    );
    await call('fn');
    await service.stop();
    expect(lines.some((line) => line.endsWith('TERM seen'))).toBe(true);
  });
});
