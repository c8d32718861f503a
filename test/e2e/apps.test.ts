import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { InvokeCommand, LambdaClient } from '@aws-sdk/client-lambda';
import { App } from 'aws-cdk-lib';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Engine, startEngine } from '../../cdk/local/engine.ts';
import { buildLayer } from '../../layers/build.ts';
import { centralApp } from './apps/central.ts';
import { imageApp } from './apps/image.ts';

/** Synthesised apps of other shapes than Hello, Retail! (demo.test.ts) under the local engine. */
const folder = mkdtempSync(join(tmpdir(), 'alastor-apps-'));
const host = 'cdn.pictures.example';
let outside: Server;
let origin: string;

beforeAll(async () => {
  await buildLayer();
  outside = createServer((_, res) => res.end('a picture'));
  await new Promise<void>((resolve) => outside.listen(0, '127.0.0.88', resolve));
  origin = `http://${host}:${(outside.address() as AddressInfo).port}/cat.png`;
}, 120_000);

afterAll(() => {
  outside?.close();
  rmSync(folder, { recursive: true, force: true });
});

interface Step {
  readonly kind: string;
  readonly label: string;
  readonly function?: string;
  readonly requestId?: string;
}

/** A synthesised app under the engine, with what a test asks of it. */
class Running {
  readonly engine: Engine;
  readonly #lambda: LambdaClient;

  constructor(engine: Engine) {
    this.engine = engine;
    const { endpoint, region } = engine;
    this.#lambda = new LambdaClient({ endpoint, region, credentials: { accessKeyId: 'local', secretAccessKey: 'local' } });
  }

  static async start(name: string, build: (app: App) => readonly string[]): Promise<Running> {
    const assembly = join(folder, name);
    const app = new App({ outdir: assembly, analyticsReporting: false });
    const stack = build(app);
    app.synth();
    return new Running(await startEngine({ assembly, stack, hosts: { [host]: '127.0.0.88' } }));
  }

  /** @returns the request's id */
  async invoke(FunctionName: string, event: object): Promise<string> {
    const answer = await this.#lambda.send(new InvokeCommand({ FunctionName, Payload: JSON.stringify(event) }));
    if (answer.FunctionError !== undefined) throw new Error(Buffer.from(answer.Payload ?? []).toString());
    await this.engine.idle();
    return answer.$metadata.requestId ?? '';
  }

  async ask<T>(question: string): Promise<T> {
    const answer = await fetch(`${this.engine.apiUrl('AlastorQueryUrl')}v1/${question}`);
    const body = (await answer.json()) as T;
    if (!answer.ok) throw new Error(`${question}: ${answer.status} ${JSON.stringify(body)}`);
    return body;
  }

  async stop(): Promise<void> {
    this.#lambda.destroy();
    await this.engine.stop();
  }
}

describe('apps that send their evidence to a central stack', () => {
  let running: Running;
  beforeAll(async () => {
    running = await Running.start('central', centralApp);
  }, 120_000);
  afterAll(() => running?.stop());

  it('are one graph: the path from the outside host leads back to the upload, with names that tell account and region', async () => {
    const { accountId, region } = running.engine;
    const came = await running.invoke('upload', { name: 'cat.json', origin });
    await running.invoke('internal', {});
    await running.invoke('invoice', {});
    const { steps } = await running.ask<{ steps: readonly Step[] }>(`path?node=endpoint:${host}`);
    const [upload, thumbnail] = ['upload', 'thumbnail'].map((name) => `${accountId}.${region}.${name}`);
    expect(steps.map((step) => step.function)).toEqual(expect.arrayContaining([upload, thumbnail]));
    expect(steps).toContainEqual(expect.objectContaining({ kind: 'request', requestId: came, function: upload }));
    const { functions } = await running.ask<{ functions: readonly { function: string }[] }>('functions');
    expect(functions.map((one) => one.function).sort()).toEqual([thumbnail, upload, 'invoice'].sort());
  });

  it('say in each stack which functions are audited', () => {
    const told = Object.entries(running.engine.outputs).filter(([name]) => /AlastorFunctions$/.test(name));
    expect(told.map(([, text]) => JSON.parse(text) as unknown)).toEqual([
      { upload: 'audited', thumbnail: 'audited', internal: 'excluded' },
      { invoice: 'audited' },
    ]);
  });
});

describe('an app of functions from container images', () => {
  let running: Running;
  beforeAll(async () => {
    await buildLayer({ image: true });
    running = await Running.start('images', imageApp);
  }, 120_000);
  afterAll(() => running?.stop());

  it('is one graph: the path from the outside host leads back through both, and says what ran and was written', async () => {
    const call = { name: 'payment', event: { origin, command: 'sha256sum /var/task/orders.py > /tmp/sum' } };
    const came = await running.invoke('order', { call });
    const { steps } = await running.ask<{ steps: readonly Step[] }>(`path?node=endpoint:${host}`);
    expect(new Set(steps.flatMap((step) => step.function ?? []))).toEqual(new Set(['order', 'payment']));
    expect(steps).toContainEqual(expect.objectContaining({ kind: 'request', requestId: came, function: 'order' }));
    const { requests } = await running.ask<{ requests: readonly { requestId: string; function: string }[] }>('requests');
    expect(requests.map((one) => one.function).sort()).toEqual(['order', 'payment']);
    const paid = requests.find((one) => one.function === 'payment')?.requestId;
    const { nodes } = await running.ask<{ nodes: readonly { id: string }[] }>(`requests/${paid}/graph`);
    for (const path of ['/tmp/picture', '/tmp/sum'])
      expect(nodes.filter(({ id }) => id.startsWith('file:') && id.endsWith(`:${path}`))).toHaveLength(1);
  });
});
