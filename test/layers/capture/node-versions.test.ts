import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { describe, expect, it, onTestFinished } from 'vitest';
import { counterpart } from '../runtimes/counterparts.ts';
import { chainProblems } from './bucket.ts';
import { Setup } from './setup.ts';

const node20 = counterpart('node20');
const node22 = counterpart('node22');

async function server(): Promise<string> {
  const answering = createServer((_request, answer) => answer.end('hello'));
  await new Promise<void>((resolve) => answering.listen(0, '127.0.0.2', resolve));
  onTestFinished(() => void answering.close());
  return `http://127.0.0.2:${(answering.address() as AddressInfo).port}/path`;
}

describe('older versions of Node', () => {
  it.skipIf(node20 === undefined || node22 === undefined).each([
    ['22 runs the recorder and the runtime', node22, node22],
    ['20 runs the runtime, with the Node of the layer for the recorder', process.execPath, node20],
  ])('%s: what is recorded is the same', async (_title, recorder, runtime) => {
    const url = await server();
    const setup = await Setup.start({ recorder, runtime });
    const { platform, bucket, dir } = setup;
    await setup.boot();
    expect((await platform.invoke({ do: 'fetch', url }, { reqId: 'A' })).body).toBe('{"fetched":"hello"}');
    await platform.invoke({ do: 'write', path: `${dir}/made`, value: 'x' }, { reqId: 'B' });
    await platform.invoke({ do: 'exec', argv: ['true'] }, { reqId: 'C' });
    await platform.idle();
    await setup.shutDown();
    expect(bucket.of('process-start').find(({ how }) => how === 'runtime')?.exe).toBe(runtime);
    expect(bucket.of('request-end')).toMatchObject([{ status: 'ok' }, { status: 'ok' }, { status: 'ok' }]);
    expect(bucket.of('exchange')).toMatchObject([{ req: 'A', host: '127.0.0.2', path: '/path', status: 200, seenBy: 'tap' }]);
    expect(bucket.of('file-open').find(({ path }) => path === `${dir}/made`)).toMatchObject({ req: 'B', mode: 'w' });
    expect(bucket.of('process-exec').map(({ req, argv }) => [req, argv])).toContainEqual(['C', ['true']]);
    expect(bucket.of('gap')).toEqual([]);
    expect(chainProblems(bucket)).toEqual([]);
  });

  it.skipIf(node20 === undefined)('20 as the only Node: the function runs unobserved', async () => {
    const setup = await Setup.start({ recorder: node20, runtime: node20 });
    await setup.boot();
    expect((await setup.platform.invoke({ do: 'echo', value: 1 })).body).toBe('{"got":1}');
    expect(setup.platform.registration?.body).toEqual({ events: [] });
    expect(setup.instance.children[0]?.exitCode).toBeNull();
    expect(setup.instance.stderr).toContain('no Node of version 22.15');
  });
});
