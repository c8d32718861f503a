import { describe, expect, it } from 'vitest';
import { SHELL_FUNCTION, startService } from './service.fixture.ts';

describe('Node handlers', () => {
  it('gets event and context, and answers with what it returns', async () => {
    const { add, call } = startService();
    await add('fn', {
      'index.mjs': `export const handler = async (event, context) => ({
        event,
        id: context.awsRequestId,
        arn: context.invokedFunctionArn,
        remaining: context.getRemainingTimeInMillis(),
        trace: process.env._X_AMZN_TRACE_ID,
        cwd: process.cwd(),
      });`,
    });
    const { value } = await call('fn', { a: 'ü' });
    expect(value).toMatchObject({
      event: { a: 'ü' },
      arn: 'arn:aws:lambda:eu-central-1:111122223333:function:fn',
      cwd: '/var/task',
    });
    expect(value.id).toMatch(/^[0-9a-f-]{36}$/);
    expect(value.remaining).toBeGreaterThan(5000);
    expect(value.remaining).toBeLessThanOrEqual(10_000);
    expect(value.trace).toMatch(/^Root=1-[0-9a-f]{8}-[0-9a-f]{24};Parent=[0-9a-f]{16};Sampled=0$/);
  });

  it.each([
    ['an ES module in a folder', 'src/app.main', { 'src/app.mjs': 'export const main = async () => "esm"' }, 'esm'],
    ['a CommonJS module', 'index.handler', { 'index.js': 'exports.handler = async () => "cjs"' }, 'cjs'],
    ['a .cjs file', 'index.handler', { 'index.cjs': 'exports.handler = async () => __filename' }, '/var/task/index.cjs'],
    ['type: module', 'a.h', { 'a.js': 'export const h = async () => "m"', 'package.json': '{"type":"module"}' }, 'm'],
    ['a nested export', 'index.api.get', { 'index.js': 'exports.api = { get: async () => "nested" }' }, 'nested'],
  ])('loads %s', async (_what, handler, files, expected) => {
    const { add, call } = startService();
    await add('fn', files, { handler });
    expect(await call('fn')).toEqual({ value: expected });
  });

  it('takes callback handlers up to Node 22 and refuses them from Node 24 on', async () => {
    const { add, call } = startService();
    const files = { 'index.js': 'exports.handler = (event, context, callback) => setTimeout(() => callback(null, "late"), 5)' };
    await add('old', files, { runtime: 'nodejs22.x' });
    await add('new', files, { runtime: 'nodejs24.x' });
    expect(await call('old')).toEqual({ value: 'late' });
    expect((await call('new')).error).toMatchObject({ errorType: 'Runtime.CallbackHandlerDeprecated' });
  });

  it('reports a thrown error with type, message and trace, and serves on', async () => {
    const { add, call, service } = startService();
    await add('fn', {
      'index.mjs': `class CardRefused extends Error { name = 'CardRefused' }
        export const handler = async (event) => { if (event.bad) throw new CardRefused('no money'); return process.pid; };`,
    });
    const { value: pid } = await call('fn');
    const { error } = await call('fn', { bad: true });
    expect(error).toMatchObject({ errorType: 'CardRefused', errorMessage: 'no money' });
    expect(error?.trace).toContain('CardRefused: no money');
    expect((await call('fn')).value).toBe(pid);
    expect(service.instances()).toHaveLength(1);
  });

  it.each([
    ['Runtime.ImportModuleError', 'gone.handler', {}],
    ['Runtime.HandlerNotFound', 'index.other', {}],
    ['Runtime.UserCodeSyntaxError', 'bad.handler', { 'bad.mjs': 'export const = 1' }],
    ['TypeError', 'throws.handler', { 'throws.mjs': 'null.x; export const handler = 1' }],
  ])('reports %s of the init', async (errorType, handler, files) => {
    const { add, call } = startService();
    await add('fn', { 'index.mjs': 'export const handler = async () => 1', ...files }, { handler });
    expect((await call('fn')).error).toMatchObject({ errorType });
  });

  it('finds the AWS SDK of the runtime, and nothing else of this project', async () => {
    const { add, call } = startService();
    await add('esm', {
      'index.mjs': `import { S3Client } from '@aws-sdk/client-s3';
        export const handler = async () => ({ sdk: typeof S3Client, zod: await import('zod').catch((e) => e.code) });`,
    });
    await add('cjs', {
      'index.js': `const { S3Client } = require('@aws-sdk/client-s3'); exports.handler = async () => typeof S3Client;`,
    });
    expect(await call('esm')).toEqual({ value: { sdk: 'function', zod: 'ERR_MODULE_NOT_FOUND' } });
    expect(await call('cjs')).toEqual({ value: 'function' });
  });
});

describe('Python handlers', () => {
  const python = { runtime: 'python3.13', handler: 'pkg/app.handler' };

  it('gets event and context, and answers with what it returns', async () => {
    const { add, call, lines } = startService();
    await add(
      'fn',
      {
        'pkg/__init__.py': '',
        'pkg/app.py': `
import os
def handler(event, context):
    print("hello", event["a"])
    return {"id": context.aws_request_id, "left": context.get_remaining_time_in_millis(), "a": event["a"], "arn": context.invoked_function_arn}
`,
      },
      python,
    );
    const { value } = await call('fn', { a: 'ü' });
    expect(value).toMatchObject({ a: 'ü', arn: 'arn:aws:lambda:eu-central-1:111122223333:function:fn' });
    expect(value.left).toBeGreaterThan(5000);
    expect(lines).toContain('hello ü');
  });

  it('reports errors of handler and init in the form of the Python runtime', async () => {
    const { add, call } = startService();
    await add('fn', { 'pkg/app.py': 'def handler(event, context):\n    return 1 / event["n"]\n' }, python);
    await add('gone', { 'other.py': '' }, python);
    await add('missing', { 'pkg/app.py': '' }, python);
    const { error } = await call('fn', { n: 0 });
    expect(error).toMatchObject({ errorType: 'ZeroDivisionError', errorMessage: 'division by zero' });
    expect(JSON.stringify(error?.stackTrace)).toContain('/var/task/pkg/app.py');
    expect((await call('fn', { n: 2 })).value).toBe(0.5);
    expect((await call('gone')).error).toMatchObject({ errorType: 'Runtime.ImportModuleError' });
    expect((await call('missing')).error).toMatchObject({ errorType: 'Runtime.HandlerNotFound' });
  });
});

describe('Custom runtimes', () => {
  it('starts /var/task/bootstrap and ignores AWS_LAMBDA_EXEC_WRAPPER', async () => {
    const { add, call } = startService();
    const bootstrap = `#!/bin/bash
api=http://$AWS_LAMBDA_RUNTIME_API/2018-06-01/runtime/invocation
while true; do
  body=$(curl -sS -D /tmp/headers "$api/next")
  id=$(grep -i aws-request-id /tmp/headers | tr -d '\\r' | cut -d' ' -f2)
  curl -sS -o /dev/null -X POST "$api/$id/response" -d "{\\"echo\\": $body, \\"handler\\": \\"$_HANDLER\\"}"
done
`;
    await add(
      'fn',
      { bootstrap },
      {
        runtime: 'provided.al2023',
        handler: 'any',
        environment: { AWS_LAMBDA_EXEC_WRAPPER: '/does/not/exist' },
      },
    );
    expect(await call('fn', { x: 1 })).toEqual({ value: { echo: { x: 1 }, handler: 'any' } });
  });
});

describe('Environment', () => {
  it("is Lambda's own plus the function's, whatever characters are in it", async () => {
    process.env.ALASTOR_TEST_LEAK = 'must not be seen';
    const { add, call } = startService();
    const odd = `line 1\nline 2 'quoted' "$HOME" \`id\` \\ ü`;
    await add(
      'fn',
      { 'index.mjs': 'export const handler = async () => process.env' },
      { environment: { ODD: odd, TZ: 'Europe/Berlin' } },
    );
    const { value } = await call('fn');
    delete process.env.ALASTOR_TEST_LEAK;
    expect(value).toMatchObject({
      ODD: odd,
      TZ: 'Europe/Berlin',
      AWS_REGION: 'eu-central-1',
      AWS_LAMBDA_FUNCTION_NAME: 'fn',
      AWS_LAMBDA_FUNCTION_VERSION: '$LATEST',
      AWS_LAMBDA_FUNCTION_MEMORY_SIZE: '256',
      AWS_LAMBDA_INITIALIZATION_TYPE: 'on-demand',
      AWS_EXECUTION_ENV: 'AWS_Lambda_nodejs24.x',
      AWS_ENDPOINT_URL: 'http://127.0.0.1:9',
      LAMBDA_TASK_ROOT: '/var/task',
      _HANDLER: 'index.handler',
    });
    expect(value.AWS_ACCESS_KEY_ID).toMatch(/^ASIA[A-Z2-7]{16}$/);
    expect(value.AWS_LAMBDA_RUNTIME_API).toMatch(/^127\.0\.0\.1:\d+$/);
    expect(value).not.toHaveProperty('ALASTOR_TEST_LEAK');
    expect(value).not.toHaveProperty('HOME');
  });

  it('starts managed runtimes through AWS_LAMBDA_EXEC_WRAPPER', async () => {
    const { add, call, layer } = startService();
    const wrapper = '#!/bin/bash\nexport WRAPPED="$*"\nexec "$@"\n';
    await add(
      'fn',
      { 'index.mjs': 'export const handler = async () => process.env.WRAPPED' },
      {
        layerDirs: [layer('a', { 'alastor/wrapper': wrapper })],
        environment: { AWS_LAMBDA_EXEC_WRAPPER: '/opt/alastor/wrapper' },
      },
    );
    expect((await call('fn')).value).toMatch(/^\/var\/lang\/bin\/node .*\/var\/runtime\/node\.mjs$/);
  });

  it('merges layers into /opt, the later one winning', async () => {
    const { add, call, layer } = startService();
    const layerDirs = [layer('a', { 'd/one': 'a', 'd/two': 'a' }), layer('b', { 'd/two': 'b', 'd/three': 'b' })];
    await add('fn', SHELL_FUNCTION, { layerDirs });
    expect((await call('fn', { sh: 'cd /opt/d && grep . *' })).value.stdout).toBe('one:a\nthree:b\ntwo:b\n');
  });
});

describe('Functions that cannot run here', () => {
  it.each([
    ['an unknown runtime', { runtime: 'ruby3.4' }, 'runtime "ruby3.4" cannot run locally'],
    ['a missing bootstrap', { runtime: 'provided.al2023' }, 'needs a file "bootstrap"'],
    ['a reserved variable', { environment: { AWS_REGION: 'x' } }, 'AWS_REGION is reserved'],
    ['missing code', { codeDir: '/nowhere' }, 'code directory /nowhere does not exist'],
    ['a missing layer', { layerDirs: ['/nowhere'] }, 'layer directory /nowhere does not exist'],
  ])('refuses %s, naming the function', async (_what, spec, message) => {
    const { add } = startService();
    const failure = add('checkout', { 'index.mjs': '' }, spec);
    await expect(failure).rejects.toThrow('Lambda function "checkout"');
    await expect(failure).rejects.toThrow(message);
  });
});
