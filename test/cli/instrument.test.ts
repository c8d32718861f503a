import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import { DeleteRolePolicyCommand, GetRolePolicyCommand, IAMClient } from '@aws-sdk/client-iam';
import {
  GetFunctionConfigurationCommand,
  InvokeCommand,
  LambdaClient,
  ListTagsCommand,
  UpdateFunctionConfigurationCommand,
} from '@aws-sdk/client-lambda';
import { App, Stack } from 'aws-cdk-lib';
import { Code, Function as LambdaFunction, Runtime } from 'aws-cdk-lib/aws-lambda';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Alastor } from '../../cdk/index.ts';
import { type Engine, startEngine } from '../../cdk/local/engine.ts';
import { buildLayer } from '../../layers/build.ts';

/** Functions that were deployed without Alastor, instrumented and put back through the command, under the local engine. */
const folder = mkdtempSync(join(tmpdir(), 'alastor-instrument-'));
const credentials = { accessKeyId: 'local', secretAccessKey: 'local' };
let engine: Engine;
let lambda: LambdaClient;
let iam: IAMClient;
/** Where the command finds AWS, when not at the engine itself. */
let between: string | undefined;

beforeAll(async () => {
  await Promise.all([buildLayer(), buildLayer({ withNode: true })]);
  const app = new App({ outdir: join(folder, 'cdk.out'), analyticsReporting: false });
  const stack = new Stack(app, 'Deployed');
  new Alastor(stack, 'Alastor', { publishLayers: true, inventory: false, witness: false });
  const node = { runtime: Runtime.NODEJS_24_X, handler: 'index.handler' };
  const code = Code.fromInline("exports.handler = async () => require('fs').readdirSync('/tmp').length;");
  new LambdaFunction(stack, 'Cart', { ...node, code, functionName: 'shop-cart', environment: { SECRET: 'do-not-print' } });
  new LambdaFunction(stack, 'Pay', {
    ...{ functionName: 'shop-pay', runtime: Runtime.PYTHON_3_13, handler: 'index.handler' },
    ...{ code: Code.fromInline('def handler(event, context): return 1') },
    environment: { AWS_LAMBDA_EXEC_WRAPPER: '/bin/true-wrapper', PLAIN: 'yes' },
  });
  new LambdaFunction(stack, 'Other', { ...node, code, functionName: 'other' });
  app.synth();
  engine = await startEngine({ assembly: join(folder, 'cdk.out') });
  const { endpoint, region } = engine;
  lambda = new LambdaClient({ endpoint, region, credentials });
  iam = new IAMClient({ endpoint, region, credentials });
}, 400_000);

afterAll(async () => {
  lambda?.destroy();
  iam?.destroy();
  await engine?.stop();
  rmSync(folder, { recursive: true, force: true });
});

interface Ran {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

function alastor(...args: readonly string[]): Promise<Ran> {
  const { endpoint, region } = engine;
  const env = { ...process.env, AWS_ENDPOINT_URL: between ?? endpoint, AWS_REGION: region, XDG_RUNTIME_DIR: folder };
  return new Promise((resolve) => {
    execFile(process.execPath, ['cli/alastor.ts', ...args], { env }, (error, out, err) =>
      resolve({ code: typeof error?.code === 'number' ? error.code : error === null ? 0 : -1, out, err }),
    );
  });
}

function instrument(...args: readonly string[]): Promise<Ran> {
  const { outputs } = engine;
  const processor = process.arch === 'arm64' ? ['arm64', 'Arm64'] : ['x64', 'X64'];
  return alastor(
    ...['instrument', '--bucket', outputs.AlastorEvidenceBucket ?? '', '--key', outputs.AlastorEvidenceKey ?? ''],
    ...[`--layer-${processor[0]}`, outputs[`AlastorLayer${processor[1]}Arn`] ?? ''],
    ...[`--layer-with-node-${processor[0]}`, outputs[`AlastorLayerWithNode${processor[1]}Arn`] ?? ''],
    ...args,
  );
}

async function configuration(FunctionName: string) {
  const {
    Environment,
    Layers = [],
    FunctionArn,
    Role,
  } = await lambda.send(new GetFunctionConfigurationCommand({ FunctionName }));
  const { Tags } = await lambda.send(new ListTagsCommand({ Resource: FunctionArn }));
  const RoleName = Role?.split('/').at(-1);
  const policy = await iam.send(new GetRolePolicyCommand({ RoleName, PolicyName: `AlastorSegments-${FunctionName}` })).then(
    ({ PolicyDocument = '' }) => JSON.parse(decodeURIComponent(PolicyDocument)) as object,
    () => null,
  );
  return { variables: Environment?.Variables, layers: Layers.map(({ Arn }) => Arn), tags: Tags, policy, role: RoleName };
}

async function invoke(FunctionName: string): Promise<string> {
  const { FunctionError, Payload, $metadata } = await lambda.send(new InvokeCommand({ FunctionName }));
  if (FunctionError !== undefined) throw new Error(Buffer.from(Payload ?? []).toString());
  await engine.idle();
  return $metadata.requestId ?? '';
}

async function recorded(): Promise<readonly string[]> {
  const answer = await fetch(`${engine.apiUrl('AlastorQueryUrl')}v1/requests`);
  const { requests } = (await answer.json()) as { requests: readonly { requestId: string; function: string }[] };
  return requests.map((one) => `${one.function} ${one.requestId}`);
}

/** While `work` runs, the command is told other things of functions' configurations than the engine tells. */
async function told<T>(otherwise: (configuration: object, changed: boolean) => object, work: () => Promise<T>): Promise<T> {
  let changed = false;
  const proxy = createServer(async (req, res) => {
    const headers = Object.entries(req.headers).flatMap(([name, value]) =>
      ['host', 'connection', 'content-length', 'transfer-encoding'].includes(name)
        ? []
        : [[name, String(value)] as [string, string]],
    );
    const body = await buffer(req);
    const { method = '', url = '' } = req;
    const sent = body.length === 0 ? {} : { body };
    const answer = await fetch(`${engine.endpoint}${url}`, { method, headers: new Headers(headers), ...sent });
    const text = await answer.text();
    const asks = url.endsWith('/configuration');
    if (asks && method === 'PUT') changed = true;
    const known = asks && answer.ok ? JSON.stringify(otherwise(JSON.parse(text) as object, changed)) : text;
    res.writeHead(
      answer.status,
      [...answer.headers].filter(([name]) => name.startsWith('x-amzn') || name === 'content-type').flat(),
    );
    res.end(known);
  });
  await new Promise<void>((resolve) => proxy.listen(0, '127.0.0.1', resolve));
  between = `http://127.0.0.1:${(proxy.address() as AddressInfo).port}`;
  try {
    return await work();
  } finally {
    between = undefined;
    proxy.closeAllConnections();
    await new Promise((resolve) => proxy.close(resolve));
  }
}

describe('alastor instrument', () => {
  it('shows first, then changes, is repeatable, and puts back exactly what was there', async () => {
    const before = { cart: await configuration('shop-cart'), pay: await configuration('shop-pay') };
    expect(before.cart).toMatchObject({ layers: [], tags: {}, policy: null });

    const dry = await instrument('shop-*');
    expect(dry).toMatchObject({ code: 0, err: '' });
    expect(dry.out).toContain('shop-cart: would change\n  + layer     arn:aws:lambda:');
    expect(dry.out).toContain('~ variable  AWS_LAMBDA_EXEC_WRAPPER /bin/true-wrapper → /opt/alastor/wrapper');
    expect(dry.out).toMatch(
      /\+ policy {4}AlastorSegments-shop-cart of the role .*s3:PutObject arn:aws:s3:::.*\/segments\/shop-cart\/\*/,
    );
    expect(dry.out).toContain('2 functions: 2 would change. Nothing was changed');
    expect(dry.out).not.toContain('do-not-print');
    expect({ cart: await configuration('shop-cart'), pay: await configuration('shop-pay') }).toEqual(before);

    const applied = await instrument('shop-*', '--apply', '--json');
    expect(applied).toMatchObject({ code: 0, err: '' });
    expect(JSON.parse(applied.out)).toMatchObject({
      functions: [
        { function: 'shop-cart', result: 'changed' },
        { function: 'shop-pay', result: 'changed' },
      ],
    });
    const after = await configuration('shop-pay');
    expect(after.variables).toMatchObject({
      AWS_LAMBDA_EXEC_WRAPPER: '/opt/alastor/wrapper',
      ALASTOR_NEXT_WRAPPER: '/bin/true-wrapper',
      PLAIN: 'yes',
    });
    expect(after.policy).toMatchObject({
      Statement: [{ Action: 's3:PutObject' }, { Effect: 'Deny' }, { Action: 'kms:GenerateDataKey' }],
    });
    const cart = await invoke('shop-cart');
    const pay = await invoke('shop-pay');
    await invoke('other');
    expect([...(await recorded())].sort()).toEqual([`shop-cart ${cart}`, `shop-pay ${pay}`]);

    // Somebody takes the policy away and leaves the layer: nothing arrives any more, until the same command is run again.
    await iam.send(new DeleteRolePolicyCommand({ RoleName: after.role, PolicyName: 'AlastorSegments-shop-pay' }));
    expect((await configuration('shop-pay')).policy).toBeNull();
    await instrument('shop-pay');
    expect((await configuration('shop-pay')).policy).toBeNull();
    expect((await instrument('--all', '--except', 'other,Deployed-*', '--apply')).out).toContain('2 functions: 2 unchanged.');
    expect(await configuration('shop-pay')).toEqual(after);
    const mended = await invoke('shop-pay');
    expect(await recorded()).toContain(`shop-pay ${mended}`);

    const { functions } = JSON.parse((await alastor('status', '--all', '--json')).out) as {
      functions: readonly { function: string; state: string }[];
    };
    expect(
      functions.filter((one) => !one.function.startsWith('Deployed-')).map((one) => `${one.function} ${one.state}`),
    ).toEqual(['other no', 'shop-cart instrumented', 'shop-pay instrumented']);

    // As another deployment would: the layer is gone, which is told, and a variable is new, which stays.
    const { variables } = await configuration('shop-cart');
    const Environment = { Variables: { ...variables, NEW: 'since' } };
    await lambda.send(new UpdateFunctionConfigurationCommand({ FunctionName: 'shop-cart', Layers: [], Environment }));
    const broken = await alastor('status', 'shop-cart');
    expect(broken).toMatchObject({ code: 1, out: expect.stringMatching(/shop-cart +broken +the layer is gone/) as string });

    expect(await alastor('uninstrument', 'shop-*', 'other', '--apply')).toMatchObject({ code: 0, err: '' });
    const { cart: was } = before;
    expect(await configuration('shop-cart')).toEqual({ ...was, variables: { ...was.variables, NEW: 'since' } });
    expect(await configuration('shop-pay')).toEqual(before.pay);
  });

  it('refuses what it cannot do, and changes nothing then', async () => {
    const bucket = ['--bucket', 'evidence'];
    const without = await alastor('instrument', 'other', ...bucket);
    expect(without.code).toBe(1);
    expect(without.out).toMatch(/other: refused: needs --layer-(x64|arm64)/);
    expect(await alastor('instrument', 'nobody', ...bucket)).toMatchObject({
      code: 1,
      err: expect.stringContaining('Function not found: nobody') as string,
    });
    expect(await alastor('instrument', ...bucket)).toMatchObject({
      code: 2,
      err: expect.stringContaining('or --all') as string,
    });
    expect((await alastor('instrument', 'other', '--bucket', 'Not_A_Bucket')).err).toContain('is no name of a bucket');
    expect(await alastor('status', 'none-*')).toMatchObject({ code: 3, err: 'no function is meant\n' });
    expect(await configuration('other')).toMatchObject({ layers: [], tags: {}, policy: null });
  });

  it('leaves functions alone whose variables it cannot see', async () => {
    const before = await configuration('shop-cart');
    const Environment = { Error: { ErrorCode: 'AccessDeniedException', Message: 'no kms:Decrypt' } };
    const hidden = await told(
      (one) => ({ ...one, Environment }),
      async () => ({
        instrument: await instrument('shop-cart', '--apply'),
        uninstrument: await alastor('uninstrument', 'shop-cart', '--apply'),
      }),
    );
    const refused = { code: 1, out: expect.stringMatching(/shop-cart: refused: does not show its variables.*no kms:Decrypt/) };
    expect(hidden).toMatchObject({ instrument: refused, uninstrument: refused });
    expect(await configuration('shop-cart')).toEqual(before);
  });

  it('gives up, with nothing changed, when somebody else changes the function at the same time', async () => {
    const before = await configuration('other');
    let asked = 0;
    const { code, out } = await told(
      (one) => (asked++ === 0 ? one : { ...one, Environment: { Variables: { THEIRS: 'new' } } }),
      () => instrument('other', '--apply'),
    );
    expect({ code, out }).toMatchObject({ code: 1, out: expect.stringContaining('somebody else has changed it') as string });
    expect(await configuration('other')).toEqual(before);
  });

  it('takes nothing back of a change that Lambda has taken, whatever becomes of it', async () => {
    const { code, out } = await told(
      (one, changed) => (changed ? { ...one, LastUpdateStatus: 'Failed', LastUpdateStatusReason: 'no address left' } : one),
      () => instrument('other', '--apply'),
    );
    expect({ code, out }).toMatchObject({ code: 1, out: expect.stringContaining('no address left') as string });
    const after = await configuration('other');
    expect(after.policy).not.toBeNull();
    expect(Object.keys(after.tags ?? {}).sort()).toEqual(['alastor:layer', 'alastor:variables']);
    expect(await alastor('uninstrument', 'other', '--apply')).toMatchObject({ code: 0 });
    expect(await configuration('other')).toMatchObject({ layers: [], tags: {}, policy: null });
  });
});
