import { execFileSync, spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DynamoDBClient, PutItemCommand } from '@aws-sdk/client-dynamodb';
import { InvokeCommand, LambdaClient } from '@aws-sdk/client-lambda';
import { PutObjectCommand, S3Client } from '@aws-sdk/client-s3';
import { ReceiveMessageCommand, SQSClient } from '@aws-sdk/client-sqs';
import { App, CfnOutput, CfnResource, Duration, Stack } from 'aws-cdk-lib';
import * as dynamodb from 'aws-cdk-lib/aws-dynamodb';
import * as events from 'aws-cdk-lib/aws-events';
import * as lambda from 'aws-cdk-lib/aws-lambda';
import * as destinations from 'aws-cdk-lib/aws-lambda-destinations';
import { DynamoEventSource, SqsDlq } from 'aws-cdk-lib/aws-lambda-event-sources';
import * as s3 from 'aws-cdk-lib/aws-s3';
import * as notifications from 'aws-cdk-lib/aws-s3-notifications';
import * as sqs from 'aws-cdk-lib/aws-sqs';
import { afterEach, describe, expect, it } from 'vitest';
import { startEngine } from '../../../cdk/local/engine.ts';
import { type Running, running, synthesised } from './running.ts';

const cleanUp: (() => unknown)[] = [];
afterEach(async () => {
  for (const one of cleanUp.splice(0).reverse()) await one();
});

async function start(build: (stack: Stack) => void, options: Parameters<typeof running>[1] = {}): Promise<Running> {
  const stack = await running(build, options);
  cleanUp.push(() => stack.stop());
  return stack;
}

const inline = (scope: Stack, id: string, code: string, extra: Partial<lambda.FunctionProps> = {}) =>
  new lambda.Function(scope, id, {
    runtime: lambda.Runtime.NODEJS_22_X,
    handler: 'index.handler',
    code: lambda.Code.fromInline(code),
    timeout: Duration.seconds(10),
    ...extra,
  });

describe('what cannot run locally', () => {
  const refused = async (build: (stack: Stack) => void) => {
    const { assembly, remove } = synthesised(build);
    cleanUp.push(remove);
    return startEngine({ assembly }).then(
      () => 'it started',
      (cause: unknown) => (cause as Error).message,
    );
  };

  it('is refused by type, naming resource and construct and what to do', async () => {
    const message = await refused((stack) => new CfnResource(stack, 'Box', { type: 'AWS::EC2::Instance' }));
    expect(message).toMatch(
      /stack Test, Box \(construct Test\/Box\).*AWS::EC2::Instance is not supported locally\. Leave it out/,
    );
  });

  it('is refused by property, nested ones too', async () => {
    const message = await refused(
      (stack) => new CfnResource(stack, 'B', { type: 'AWS::S3::Bucket', properties: { WebsiteConfiguration: {} } }),
    );
    expect(message).toMatch(
      /stack Test, B \(construct Test\/B\), WebsiteConfiguration: the property is not supported locally by AWS::S3::Bucket/,
    );
    const nested = await refused(
      (stack) =>
        new CfnResource(stack, 'R', {
          type: 'AWS::Events::Rule',
          properties: {
            EventPattern: { source: ['x'] },
            Targets: [{ Id: '1', Arn: 'arn:aws:sqs:us-east-1:1:q', KinesisParameters: {} }],
          },
        }),
    );
    expect(nested).toMatch(/Targets\.0\.KinesisParameters: the property is not supported/);
  });

  it('is refused by value: operators of patterns, targets, sources', async () => {
    expect(
      await refused((stack) => new events.Rule(stack, 'R', { eventPattern: { detail: { ip: [{ cidr: '10.0.0.0/8' }] } } })),
    ).toMatch(/R\w+ \(construct Test\/R\/Resource\): event pattern at detail\.ip: operator cidr/);
    const source = {
      type: 'AWS::Lambda::EventSourceMapping',
      properties: { FunctionName: 'f', EventSourceArn: 'arn:aws:kinesis:us-east-1:1:stream/s' },
    };
    expect(await refused((stack) => new CfnResource(stack, 'K', source))).toMatch(
      /K \(construct Test\/K\), EventSourceArn: .*neither a queue nor a table's stream/,
    );
  });

  it('leaves no port open and no directory behind', async () => {
    const before = readdirSync(tmpdir()).filter((name) => name.startsWith('alastor-local-'));
    await refused((stack) => new CfnResource(stack, 'Box', { type: 'AWS::EC2::Instance' }));
    expect(readdirSync(tmpdir()).filter((name) => name.startsWith('alastor-local-'))).toEqual(before);
  });
});

describe('an assembly', () => {
  it('with several stacks needs the name of one', async () => {
    const assembly = mkdtempSync(join(tmpdir(), 'alastor-test-assembly-'));
    cleanUp.push(() => rmSync(assembly, { recursive: true }));
    const app = new App({ outdir: assembly });
    for (const name of ['One', 'Two']) new CfnOutput(new Stack(app, name), 'Name', { value: name });
    app.synth();
    await expect(startEngine({ assembly })).rejects.toThrow(/has 2 stacks \(One, Two\)/);
    await expect(startEngine({ assembly, stack: 'Three' })).rejects.toThrow(/no stack Three; it has One, Two/);
    const engine = await startEngine({ assembly, stack: 'Two' });
    cleanUp.push(() => engine.stop());
    expect(engine.outputs).toEqual({ Name: 'Two' });
    const both = await startEngine({ assembly, stack: ['Two', 'One'] });
    cleanUp.push(() => both.stop());
    expect(both.outputs).toEqual({ Name: 'One', 'Two.Name': 'Two' });
  });

  it('with stacks of several regions runs those of one only', async () => {
    const assembly = mkdtempSync(join(tmpdir(), 'alastor-test-assembly-'));
    cleanUp.push(() => rmSync(assembly, { recursive: true }));
    const app = new App({ outdir: assembly });
    for (const region of ['eu-west-1', 'eu-west-3']) new Stack(app, region, { env: { account: '111122223333', region } });
    app.synth();
    await expect(startEngine({ assembly, stack: ['eu-west-1', 'eu-west-3'] })).rejects.toThrow(
      /different regions \(eu-west-1, eu-west-3\)/,
    );
  });

  it('that is none says so', async () => {
    await expect(startEngine({ assembly: join(tmpdir(), 'no-such-assembly') })).rejects.toThrow(
      /is no cloud assembly.*cdk synth/,
    );
  });
});

describe('code from assets', () => {
  it('runs from a directory, with a layer, and from a zip file', async () => {
    const code = mkdtempSync(join(tmpdir(), 'alastor-test-code-'));
    cleanUp.push(() => rmSync(code, { recursive: true }));
    writeFileSync(
      join(code, 'app.js'),
      "exports.run = async () => require('fs').readFileSync('/opt/word.txt', 'utf8') + process.env.WORD;",
    );
    const layer = mkdtempSync(join(tmpdir(), 'alastor-test-code-'));
    cleanUp.push(() => rmSync(layer, { recursive: true }));
    writeFileSync(join(layer, 'word.txt'), 'from the layer, ');
    const zip = join(tmpdir(), `alastor-test-${process.pid}.zip`);
    cleanUp.push(() => rmSync(zip, { force: true }));
    execFileSync('python3', [
      '-c',
      'import sys, zipfile\nz = zipfile.ZipFile(sys.argv[1], "w", zipfile.ZIP_DEFLATED)\nz.write(sys.argv[2] + "/app.js", "app.js")',
      zip,
      code,
    ]);

    const stack = await start((scope) => {
      const layers = [new lambda.LayerVersion(scope, 'Layer', { code: lambda.Code.fromAsset(layer) })];
      for (const [id, asset] of [
        ['Dir', code],
        ['Zip', zip],
      ] as const)
        new lambda.Function(scope, id, {
          functionName: id,
          runtime: lambda.Runtime.NODEJS_22_X,
          handler: 'app.run',
          code: lambda.Code.fromAsset(asset),
          layers,
          environment: { WORD: id },
        });
    });
    const client = new LambdaClient(stack.client);
    for (const id of ['Dir', 'Zip']) {
      const { Payload } = await client.send(new InvokeCommand({ FunctionName: id }));
      expect(JSON.parse(Buffer.from(Payload ?? []).toString())).toBe(`from the layer, ${id}`);
    }
    client.destroy();
  }, 60_000);
});

describe('notifications of a bucket', () => {
  /** Keys in the order in which a queue is told of them. */
  async function heard(options: Parameters<typeof running>[1], keys: readonly string[]): Promise<string[]> {
    const stack = await start((scope) => {
      const bucket = new s3.Bucket(scope, 'Bucket', { bucketName: 'noisy' });
      const queue = new sqs.Queue(scope, 'Queue', { queueName: 'heard' });
      bucket.addEventNotification(s3.EventType.OBJECT_CREATED, new notifications.SqsDestination(queue));
    }, options);
    const client = new S3Client(stack.client);
    for (const Key of keys) await client.send(new PutObjectCommand({ Bucket: 'noisy', Key, Body: '' }));
    await stack.engine.idle();
    const queue = new SQSClient(stack.client);
    const found: string[] = [];
    for (;;) {
      const { Messages = [] } = await queue.send(
        new ReceiveMessageCommand({ QueueUrl: 'http://x/1/heard', MaxNumberOfMessages: 10 }),
      );
      if (Messages.length === 0) break;
      found.push(...Messages.map((one) => JSON.parse(one.Body ?? '').Records[0].s3.object.key));
    }
    client.destroy();
    queue.destroy();
    return found;
  }
  const keys = Array.from({ length: 12 }, (_, at) => `k${String(at).padStart(2, '0')}`);

  it('come once and in order by default', async () => {
    expect(await heard({}, keys)).toEqual(keys);
  });

  it('come twice and in another order when told so', async () => {
    const found = await heard({ notifications: { duplicate: 1, reorder: true, delayMs: [0, 50], seed: 7 } }, keys);
    expect(found.toSorted()).toEqual([...keys, ...keys].toSorted());
    expect(found).not.toEqual(keys.flatMap((key) => [key, key]));
  });
});

describe('what fails', () => {
  it('on a stream is retried, split, and told to the queue for it; what is good arrives', async () => {
    const stack = await start((scope) => {
      const table = new dynamodb.Table(scope, 'Table', {
        tableName: 'things',
        partitionKey: { name: 'id', type: dynamodb.AttributeType.STRING },
        stream: dynamodb.StreamViewType.KEYS_ONLY,
      });
      const failed = new sqs.Queue(scope, 'Failed', { queueName: 'failed' });
      const code =
        "exports.handler = async (e) => { const ids = e.Records.map((r) => r.dynamodb.Keys.id.S); if (ids.includes('bad')) throw new Error('bad one'); console.log('SAW ' + ids.join()); };";
      inline(scope, 'Reader', code).addEventSource(
        new DynamoEventSource(table as dynamodb.ITable, {
          startingPosition: lambda.StartingPosition.TRIM_HORIZON,
          bisectBatchOnError: true,
          retryAttempts: 1,
          onFailure: new SqsDlq(failed),
        }),
      );
    });
    const client = new DynamoDBClient(stack.client);
    for (const id of ['1', 'bad', '2']) await client.send(new PutItemCommand({ TableName: 'things', Item: { id: { S: id } } }));
    await stack.engine.idle();
    const queue = new SQSClient(stack.client);
    const { Messages = [] } = await queue.send(
      new ReceiveMessageCommand({ QueueUrl: 'http://x/1/failed', MaxNumberOfMessages: 10 }),
    );
    expect(Messages).toHaveLength(1);
    expect(JSON.parse(Messages[0]?.Body ?? '')).toMatchObject({
      requestContext: { condition: 'RetryAttemptsExhausted' },
      DDBStreamBatchInfo: { batchSize: 1, streamArn: expect.stringContaining('table/things/stream/') },
    });
    const saw = stack.log.flatMap((line) => /SAW (\S+)/.exec(line)?.[1]?.split(',') ?? []);
    expect(saw.toSorted()).toEqual(['1', '2']);
    client.destroy();
    queue.destroy();
  }, 60_000);

  it('asynchronously goes to the destination after its retries', async () => {
    const stack = await start((scope) => {
      const failed = new sqs.Queue(scope, 'Failed', { queueName: 'failed' });
      inline(scope, 'Thrower', "exports.handler = async () => { throw new Error('no'); };", {
        functionName: 'thrower',
        onFailure: new destinations.SqsDestination(failed),
      });
    });
    const client = new LambdaClient(stack.client);
    const sent = await client.send(
      new InvokeCommand({ FunctionName: 'thrower', InvocationType: 'Event', Payload: Buffer.from('{"a":1}') }),
    );
    await stack.engine.idle();
    const queue = new SQSClient(stack.client);
    const { Messages = [] } = await queue.send(new ReceiveMessageCommand({ QueueUrl: 'http://x/1/failed' }));
    expect(JSON.parse(Messages[0]?.Body ?? '')).toMatchObject({
      requestContext: { requestId: sent.$metadata.requestId, condition: 'RetriesExhausted', approximateInvokeCount: 3 },
      requestPayload: { a: 1 },
      responsePayload: { errorMessage: 'no' },
    });
    client.destroy();
    queue.destroy();
  }, 60_000);
});

/** Pids of all processes whose parent is, directly or not, `root`. */
function descendants(root: number): number[] {
  const parents = new Map<number, number>();
  for (const name of readdirSync('/proc')) {
    if (!/^\d+$/.test(name) || !existsSync(`/proc/${name}/stat`)) continue;
    try {
      const stat = readFileSync(`/proc/${name}/stat`, 'utf8');
      parents.set(Number(name), Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1]));
    } catch {
      // It ended while the list was read.
    }
  }
  const found = [root];
  for (const parent of found) for (const [pid, one] of parents) if (one === parent) found.push(pid);
  return found.slice(1);
}

describe('alastor local', () => {
  it('prints what of CloudFormation runs, and what of it without effect', async () => {
    const child = spawn(process.execPath, [join(import.meta.dirname, '../../../cli/alastor.ts'), 'local', '--supported']);
    let out = '';
    child.stdout.on('data', (chunk: Buffer) => {
      out += chunk.toString();
    });
    expect(await new Promise((resolve) => child.once('close', resolve))).toBe(0);
    expect(out).toContain('### AWS::Lambda::Function');
    expect(out).toMatch(/\| AWS::IAM::\* \| people have no accounts here/);
  }, 30_000);

  it.each([[[]], [['--app', 'x', '--assembly', 'y']], [['--nonsense']], [['--assembly', 'x', '--port', '70000']]])(
    'refuses the arguments %j',
    async (args) => {
      const child = spawn(process.execPath, [join(import.meta.dirname, '../../../cli/alastor.ts'), 'local', ...args], {
        stdio: 'ignore',
      });
      expect(await new Promise((resolve) => child.once('close', resolve))).toBe(2);
    },
    30_000,
  );

  const CLI = join(import.meta.dirname, '../../../cli/alastor.ts');

  it.each(['SIGINT', 'SIGTERM', 'SIGKILL'] as const)(
    'runs an app until %s and leaves no process and no port',
    async (signal) => {
      const source = join(import.meta.dirname, 'sample-app.ts');
      const temporary = mkdtempSync(join(tmpdir(), 'alastor-test-tmp-'));
      cleanUp.push(() => rmSync(temporary, { recursive: true, force: true }));
      const child = spawn(process.execPath, [CLI, 'local', '--app', `${process.execPath} ${source}`], {
        env: { ...process.env, TMPDIR: temporary },
        stdio: ['ignore', 'pipe', 'inherit'],
      });
      cleanUp.push(() => child.kill('SIGKILL'));
      const ended = new Promise<number | null>((resolve) => child.once('exit', resolve));
      let out = '';
      await new Promise<void>((resolve, reject) => {
        child.once('exit', () => reject(new Error(out)));
        child.stdout.on('data', (chunk: Buffer) => {
          out += chunk.toString();
          if (out.includes('Running.')) resolve();
        });
      });
      const url = /Url +(\S+)/.exec(out)?.[1] ?? '';
      expect(await (await fetch(url)).text()).toBe('1');
      const processes = descendants(child.pid ?? 0);
      expect(processes.length).toBeGreaterThan(1);
      child.kill(signal);
      expect(await ended).toBe(signal === 'SIGKILL' ? null : 0);
      await expect.poll(() => processes.filter((pid) => existsSync(`/proc/${pid}`)), { timeout: 10_000 }).toEqual([]);
      const { port } = new URL(url);
      const refused = await new Promise((resolve) => {
        const socket = connect(Number(port), '127.0.0.1', () => resolve('open')).once('error', (cause: NodeJS.ErrnoException) =>
          resolve(cause.code),
        );
        cleanUp.push(() => socket.destroy());
      });
      expect(refused).toBe('ECONNREFUSED');
      if (signal !== 'SIGKILL') expect(readdirSync(temporary).filter((name) => name.startsWith('alastor-'))).toEqual([]);
    },
    120_000,
  );
});

describe('waiting until nothing is under way', () => {
  it('ends when nothing changes, saying what is still under way, and when the engine is stopped', async () => {
    const stack = await start((scope) => {
      inline(scope, 'Slow', 'exports.handler = () => new Promise((done) => setTimeout(done, 9000));', { functionName: 'slow' });
    });
    const client = new LambdaClient(stack.client);
    await client.send(new InvokeCommand({ FunctionName: 'slow', InvocationType: 'Event' }));
    client.destroy();
    await expect(stack.engine.idle(300)).rejects.toThrow(/is not idle after \d+ ms, and nothing has changed since then: \S/);
    const waiting = expect(stack.engine.idle(60_000)).rejects.toThrow('The engine was stopped.');
    await stack.engine.stop();
    await waiting;
  }, 60_000);
});
