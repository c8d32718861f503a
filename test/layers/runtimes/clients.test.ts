import { cpSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { type Audited, runtimeClient, startAudited } from './audited.ts';

const bootstrap = readFileSync(join(import.meta.dirname, '../../../layers/image/bootstrap'), 'utf8');
const node = runtimeClient('node');
const python = runtimeClient('python');

/**
 * A custom runtime that is one of AWS's own clients, started through the bootstrap of layers/image: neither the wrapper variable
 * nor a Node of the runtime is there, so this is also the extension on its own Node.
 */
async function add(
  audited: Audited,
  client: string,
  files: Record<string, string>,
  app: string,
  handler = 'index.handler',
): Promise<void> {
  const code = { ...files, bootstrap, 'bootstrap.app': `#!/bin/sh\n${app}\n` };
  const layerDirs = [audited.auditLayer];
  const spec = { handler, runtime: 'provided.al2023', layerDirs, environment: audited.environment, timeoutMs: 20_000 };
  cpSync(client, join(audited.dir, 'code/fn', client.endsWith('aws-lambda-ric') ? 'ric' : '.'), { recursive: true });
  await audited.add('fn', code, spec);
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
  const start = 'exec /opt/alastor/node /var/task/ric/index.mjs "$_HANDLER"';

  it('answers as without the audit; requests, files and processes are recorded', async () => {
    const audited = await startAudited();
    await add(audited, node ?? '', NODE_CODE, start);
    expect((await audited.call('fn', { value: 'ü' })).value).toEqual({ got: 'ü' });
    expect((await audited.call('fn', { fail: true })).error).toMatchObject({ errorType: 'RangeError', errorMessage: 'no' });
    await audited.service.stop();
    expect(audited.of('request-end')).toMatchObject([
      { status: 'ok' },
      { status: 'error', errorType: expect.stringContaining('RangeError') },
    ]);
    const [first] = audited.of('request-begin');
    for (const path of ['/tmp/made', '/tmp/child']) {
      expect(audited.of('file-open').find((r) => r.path === path)).toMatchObject({
        req: first?.req,
        mode: 'w',
        phase: 'invoke',
      });
    }
    expect(audited.of('init')[0]).toMatchObject({ caps: { shim: true, runtimeProxy: true } });
    expect(audited.of('gap')).toEqual([]);
  });

  it('streams its answer through', async () => {
    const audited = await startAudited();
    await add(audited, node ?? '', NODE_CODE, start, 'index.streaming');
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
    await add(audited, node ?? '', { 'index.mjs': 'throw new TypeError("broken")' }, start);
    expect((await audited.call('fn')).error).toBeDefined();
    await audited.service.stop();
    expect(audited.of('request-end')[0]).toMatchObject({ status: 'init-error', phase: 'init' });
  });
});

describe.skipIf(python === undefined)('awslambdaric', () => {
  const start = 'PYTHONPATH=/var/task exec /usr/bin/python3 -m awslambdaric "$_HANDLER"';
  const code = {
    'index.py': [
      'import subprocess',
      'def handler(event, context):',
      '    if event.get("fail"):',
      '        raise ValueError("no")',
      '    open("/tmp/made", "w").write("x")',
      '    subprocess.run(["/bin/sh", "-c", "echo y > /tmp/child"], check=True)',
      '    return {"got": event["value"]}',
    ].join('\n'),
  };

  it('answers as without the audit; requests, files and processes are recorded', async () => {
    const audited = await startAudited();
    await add(audited, python ?? '', code, start);
    expect((await audited.call('fn', { value: 'ü' })).value).toEqual({ got: 'ü' });
    expect((await audited.call('fn', { fail: true })).error).toMatchObject({ errorType: 'ValueError', errorMessage: 'no' });
    await audited.service.stop();
    expect(audited.of('request-end')).toMatchObject([
      { status: 'ok' },
      { status: 'error', errorType: expect.stringContaining('ValueError') },
    ]);
    const [first] = audited.of('request-begin');
    for (const path of ['/tmp/made', '/tmp/child']) {
      expect(audited.of('file-open').find((r) => r.path === path)).toMatchObject({
        req: first?.req,
        mode: 'w',
        phase: 'invoke',
      });
    }
    expect(audited.of('gap')).toEqual([]);
  });
});
