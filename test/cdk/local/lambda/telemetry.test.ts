import { expect, it } from 'vitest';
import { startService, until } from './service.fixture.ts';

/** Subscribes to everything and logs the events it gets, each on a line. */
const SUBSCRIBER = `#!/var/lang/bin/node
const { createServer } = require('node:http');
const base = 'http://' + process.env.AWS_LAMBDA_RUNTIME_API;
const server = createServer(async (req, res) => {
  let text = '';
  for await (const chunk of req) text += chunk;
  for (const event of JSON.parse(text)) if (event.type !== 'extension') console.log('TEL ' + JSON.stringify(event));
  res.end();
});
server.listen(0, async () => {
  const registered = await fetch(base + '/2020-01-01/extension/register', {
    method: 'POST', headers: { 'Lambda-Extension-Name': 'subscriber' }, body: JSON.stringify({ events: ['INVOKE', 'SHUTDOWN'] }),
  });
  const id = registered.headers.get('lambda-extension-identifier');
  const headers = { 'Lambda-Extension-Identifier': id };
  const answer = await fetch(base + '/2022-07-01/telemetry', { method: 'PUT', headers, body: JSON.stringify({
    schemaVersion: '2022-12-13', types: ['platform', 'function'], buffering: { maxItems: 1000, maxBytes: 262144, timeoutMs: 25 },
    destination: { protocol: 'HTTP', URI: 'http://sandbox.localdomain:' + server.address().port },
  }) });
  console.log('SUB ' + answer.status + ' ' + await answer.text());
  const wrong = await fetch(base + '/2022-07-01/telemetry', { method: 'PUT', headers, body: '{"types":["platform"],"destination":{"protocol":"FTP"}}' });
  console.log('WRONG ' + wrong.status + ' ' + (await wrong.json()).errorMessage);
  for (;;) {
    const event = await (await fetch(base + '/2020-01-01/extension/event/next', { headers })).json();
    if (event.eventType === 'SHUTDOWN') process.exit(0);
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
});
`;

it('tells a subscriber what platform and function do, from the start of the init on', async () => {
  const { add, call, layer, lines, service } = startService({ reuseWaitMs: 5000 });
  await add(
    'fn',
    {
      'index.mjs': `export const handler = async ({ bad }) => { console.log('said'); if (bad) throw new TypeError('bad'); return 'ok'; };`,
    },
    { layerDirs: [layer('a', { 'extensions/subscriber': SUBSCRIBER })] },
  );
  await call('fn');
  await call('fn', { bad: true });
  await call('fn');
  const events = () => lines.filter((line) => line.startsWith('TEL ')).map((line) => JSON.parse(line.slice(4)));
  await until(() => events().filter(({ type }) => type === 'platform.report').length >= 2, 'two reports');
  expect(lines).toContain('SUB 200 "OK"');
  expect(lines).toContain('WRONG 400 destination.protocol must be HTTP or TCP');
  expect(
    events()
      .map(({ type }) => type)
      .slice(0, 10),
  ).toEqual([
    'platform.initStart',
    'platform.telemetrySubscription',
    'platform.initRuntimeDone',
    'platform.initReport',
    'platform.extension',
    'platform.start',
    'function',
    'platform.runtimeDone',
    'platform.report',
    'platform.start',
  ]);
  const [initStart] = events();
  expect(initStart).toMatchObject({
    time: expect.stringMatching(/^\d{4}-.*Z$/),
    record: { initializationType: 'on-demand', phase: 'init', functionName: 'fn', functionVersion: '$LATEST' },
  });
  const done = events()
    .filter(({ type }) => type === 'platform.runtimeDone')
    .map(({ record }) => record);
  expect(done[0]).toMatchObject({ status: 'success', metrics: { producedBytes: 4 }, spans: [{ name: 'responseLatency' }] });
  expect(done[1]).toMatchObject({ status: 'error', errorType: 'TypeError' });
  const report = events().find(({ type }) => type === 'platform.report').record;
  expect(report).toMatchObject({
    requestId: done[0].requestId,
    metrics: { memorySizeMB: 256, initDurationMs: expect.any(Number) },
  });
  expect(events().find(({ type }) => type === 'function').record).toContain('said');
  await service.stop();
});
