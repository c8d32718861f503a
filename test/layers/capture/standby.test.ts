import { spawn } from 'node:child_process';
import http from 'node:http';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { expect, it, onTestFinished } from 'vitest';
import { buildLayer } from '../../../layers/build.ts';
import { holdPort } from '../../../layers/capture/held-port.ts';
import { exited, Platform } from './platform.ts';

it('registers where there is no Node for the recorder, and passes on who was told to go through its proxy', async () => {
  const layer = await buildLayer();
  const platform = new Platform();
  await platform.start();
  const free = await holdPort();
  await free.close();
  const env = { AWS_LAMBDA_RUNTIME_API: platform.address, AWS_LWA_LAMBDA_RUNTIME_API_PROXY: `127.0.0.1:${free.port}` };
  const child = spawn(join(layer, 'alastor/standby'), { env, stdio: ['ignore', 'ignore', 'pipe'] });
  const said = text(child.stderr);
  const agent = new http.Agent({ keepAlive: true });
  onTestFinished(async () => {
    agent.destroy();
    child.kill('SIGKILL');
    await platform.close();
  });
  await platform.extensionWaits();
  expect(platform.registration?.body).toEqual({ events: [] });

  const call = (method: string, path: string, body = ''): Promise<{ headers: http.IncomingHttpHeaders; body: string }> =>
    new Promise((resolve, reject) => {
      const url = { host: '127.0.0.1', port: free.port, path: `/2018-06-01/runtime${path}`, method, agent };
      const request = http.request(url, async (answer) => resolve({ headers: answer.headers, body: await text(answer) }));
      request.on('error', reject).end(body);
    });
  // More than fits into one read.
  const value = 'x'.repeat(300_000);
  const next = call('GET', '/invocation/next');
  const answered = platform.invoke({ value });
  const event = await next;
  expect(JSON.parse(event.body)).toEqual({ value });
  await call('POST', `/invocation/${String(event.headers['lambda-runtime-aws-request-id'])}/response`, event.body);
  expect(JSON.parse((await answered).body)).toEqual({ value });
  child.kill('SIGKILL');
  await exited(child);
  expect(await said).toContain('this function is not audited');
});
