import { describe, expect, it } from 'vitest';
import { startAudited } from './audited.ts';

/** An extension that proxies the Runtime API as Datadog's does, and writes down what it has seen. Its wrapper leads there. */
const NEIGHBOUR = {
  'extensions/neighbour': `#!/var/lang/bin/node
    const { createServer, request } = require('node:http');
    const { appendFileSync, writeFileSync } = require('node:fs');
    const [host, port] = process.env.AWS_LAMBDA_RUNTIME_API.split(':');
    const call = (options, body, got) => request({ host, port, ...options }, got).end(body);
    const proxy = createServer((client, answer) => {
      appendFileSync('/tmp/neighbour-saw', client.url + '\\n');
      const forward = request({ host, port, method: client.method, path: client.url, headers: client.headers }, (response) => {
        answer.writeHead(response.statusCode, response.headers);
        response.pipe(answer);
      });
      answer.on('close', () => forward.destroy());
      forward.on('error', () => answer.destroy());
      client.pipe(forward);
    });
    proxy.listen(0, '127.0.0.1', () => {
      writeFileSync('/tmp/neighbour-port', String(proxy.address().port));
      const headers = { 'Lambda-Extension-Name': 'neighbour' };
      call({ method: 'POST', path: '/2020-01-01/extension/register', headers }, '{"events":["INVOKE"]}', (response) => {
        response.resume();
        const id = { 'Lambda-Extension-Identifier': response.headers['lambda-extension-identifier'] };
        const next = () => call({ path: '/2020-01-01/extension/event/next', headers: id }, undefined, (event) => event.resume().on('end', next));
        next();
      });
    });`,
  'neighbour-wrapper': '#!/bin/sh\nexport AWS_LAMBDA_RUNTIME_API=127.0.0.1:$(cat /tmp/neighbour-port)\nexec "$@"\n',
  // As one chains wrappers by hand.
  'neighbour-first': '#!/bin/sh\nexec /opt/neighbour-wrapper /opt/alastor/wrapper "$@"\n',
};
const CODE = {
  'index.mjs': `import { readFileSync } from 'node:fs';
    export const handler = async () => readFileSync('/tmp/neighbour-saw', 'utf8').split('\\n').filter(Boolean);`,
};

describe('beside another extension that proxies the Runtime API', () => {
  it.each([
    ['its wrapper before ours', { AWS_LAMBDA_EXEC_WRAPPER: '/opt/neighbour-first' }],
    [
      'its wrapper after ours',
      { AWS_LAMBDA_EXEC_WRAPPER: '/opt/alastor/wrapper', ALASTOR_NEXT_WRAPPER: '/opt/neighbour-wrapper' },
    ],
  ])('both see every request: %s', async (_order, wrappers) => {
    const audited = await startAudited();
    const layerDirs = [audited.auditLayer, audited.layer('neighbour', NEIGHBOUR)];
    await audited.add('fn', CODE, { layerDirs, environment: { ...audited.environment, ...wrappers } });
    expect((await audited.call('fn')).value).toContain('/2018-06-01/runtime/invocation/next');
    await audited.service.stop();
    expect(audited.of('request-begin')).toMatchObject([{ event: { bytes: 2 } }]);
    expect(audited.of('request-end')).toMatchObject([{ status: 'ok' }]);
    expect(audited.of('unobserved').filter(({ what }) => what === 'process')).toEqual([]);
  });
});
