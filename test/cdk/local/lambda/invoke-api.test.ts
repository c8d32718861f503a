import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import {
  GetFunctionCommand,
  GetFunctionConfigurationCommand,
  InvokeCommand,
  InvokeWithResponseStreamCommand,
  LambdaClient,
} from '@aws-sdk/client-lambda';
import { describe, expect, it, onTestFinished } from 'vitest';
import type { AsyncOutcome } from '../../../../cdk/local/lambda/index.ts';
import { type Fixture, SHELL_FUNCTION, startService, until } from './service.fixture.ts';

async function clientOf({ service }: Fixture): Promise<LambdaClient> {
  const server = createServer((req, res) => {
    if (!service.handle(req, res)) res.writeHead(418).end();
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const client = new LambdaClient({
    endpoint: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    region: 'eu-central-1',
    credentials: { accessKeyId: 'a', secretAccessKey: 'b' },
    maxAttempts: 1,
  });
  onTestFinished(async () => {
    client.destroy();
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  });
  return client;
}

const ECHO = {
  'index.mjs': `export const handler = async (event, context) => {
    console.log('in handler');
    if (event.bad) throw new Error('bad');
    return { event, id: context.awsRequestId, custom: context.clientContext?.custom };
  };`,
};

describe('Invoke', () => {
  it('serves the real SDK by name, partial ARN, ARN and qualified ARN', async () => {
    const fixture = startService();
    await fixture.add('fn', ECHO);
    const client = await clientOf(fixture);
    const arn = 'arn:aws:lambda:eu-central-1:111122223333:function:fn';
    for (const FunctionName of ['fn', 'fn:$LATEST', '111122223333:function:fn', arn, `${arn}:live`]) {
      const ClientContext = Buffer.from('{"custom":{"who":"test"}}').toString('base64');
      const answer = await client.send(new InvokeCommand({ FunctionName, Payload: '{"a":1}', ClientContext }));
      expect(answer.StatusCode).toBe(200);
      expect(answer.FunctionError).toBeUndefined();
      expect(answer.ExecutedVersion).toBe('$LATEST');
      expect(JSON.parse(answer.Payload?.transformToString() ?? '')).toEqual({
        event: { a: 1 },
        id: answer.$metadata.requestId,
        custom: { who: 'test' },
      });
    }
  });

  it('reports a function error in its header, and the tail of the log when asked', async () => {
    const fixture = startService();
    await fixture.add('fn', ECHO);
    const client = await clientOf(fixture);
    const answer = await client.send(new InvokeCommand({ FunctionName: 'fn', Payload: '{"bad":true}', LogType: 'Tail' }));
    expect(answer.FunctionError).toBe('Unhandled');
    expect(JSON.parse(answer.Payload?.transformToString() ?? '')).toMatchObject({ errorType: 'Error', errorMessage: 'bad' });
    const tail = Buffer.from(answer.LogResult ?? '', 'base64').toString();
    expect(tail).toMatch(/^START RequestId: [\s\S]*in handler[\s\S]*END RequestId: [\s\S]*REPORT RequestId: /);
  });

  it('answers errors of its own in the form that the SDK turns into exceptions', async () => {
    const fixture = startService();
    await fixture.add('fn', ECHO);
    const client = await clientOf(fixture);
    await expect(client.send(new InvokeCommand({ FunctionName: 'nobody' }))).rejects.toMatchObject({
      name: 'ResourceNotFoundException',
    });
    await expect(client.send(new InvokeCommand({ FunctionName: 'fn', Payload: '{no json' }))).rejects.toMatchObject({
      name: 'InvalidRequestContentException',
    });
    await expect(
      client.send(new InvokeCommand({ FunctionName: 'fn', Payload: `"${'x'.repeat(6_400_000)}"` })),
    ).rejects.toMatchObject({
      name: 'RequestTooLargeException',
    });
    await expect(client.send(new InvokeCommand({ FunctionName: 'fn', InvocationType: 'DryRun' }))).resolves.toMatchObject({
      StatusCode: 204,
    });
  });

  it('describes functions', async () => {
    const fixture = startService();
    await fixture.add('fn', ECHO, { environment: { A: 'b' } });
    const client = await clientOf(fixture);
    const expected = {
      FunctionName: 'fn',
      Runtime: 'nodejs24.x',
      MemorySize: 256,
      Timeout: 10,
      Environment: { Variables: { A: 'b' } },
    };
    expect(await client.send(new GetFunctionConfigurationCommand({ FunctionName: 'fn' }))).toMatchObject(expected);
    expect((await client.send(new GetFunctionCommand({ FunctionName: 'fn' }))).Configuration).toMatchObject(expected);
  });
});

describe('Asynchronous invocation', () => {
  it('returns at once and tries a failing event three times with the same request id', async () => {
    const outcomes: AsyncOutcome[] = [];
    const fixture = startService({ asyncRetryDelaysMs: [10, 20], onAsyncResult: (outcome) => outcomes.push(outcome) });
    await fixture.add('fn', ECHO);
    const client = await clientOf(fixture);
    const answer = await client.send(new InvokeCommand({ FunctionName: 'fn', InvocationType: 'Event', Payload: '{"bad":1}' }));
    expect(answer.StatusCode).toBe(202);
    expect(fixture.service.idle()).toBe(false);
    await until(() => fixture.service.idle(), 'the retries to be over');
    const starts = fixture.lines.filter((line) => line.startsWith('START'));
    expect(starts).toEqual(Array(3).fill(`START RequestId: ${answer.$metadata.requestId} Version: $LATEST`));
    expect(outcomes).toMatchObject([{ condition: 'RetriesExhausted', attempts: 3, functionName: 'fn' }]);
  });

  it('reports success once', async () => {
    const outcomes: AsyncOutcome[] = [];
    const { add, service } = startService({ onAsyncResult: (outcome) => outcomes.push(outcome) });
    await add('fn', SHELL_FUNCTION);
    await service.invoke('fn', Buffer.from('{"sh":"echo hi"}'), {
      type: 'Event',
      requestId: '0b8a3f5e-0000-4000-8000-000000000001',
    });
    await until(() => service.idle(), 'the event to be handled');
    expect(outcomes).toMatchObject([
      { condition: 'Success', attempts: 1, result: { requestId: '0b8a3f5e-0000-4000-8000-000000000001' } },
    ]);
  });
});

describe('Response streaming', () => {
  const STREAMING = {
    'index.mjs': `export const handler = awslambda.streamifyResponse(async (event, stream) => {
      if (event.http) stream = awslambda.HttpResponseStream.from(stream, { statusCode: 201, headers: { a: 'b' } });
      stream.write('one ');
      await new Promise((resolve) => setTimeout(resolve, 50));
      if (event.bad) throw new Error('broke');
      stream.write('two');
      stream.end();
    });`,
  };

  it('hands pieces on as they come, and the whole at the end', async () => {
    const fixture = startService();
    await fixture.add('fn', STREAMING);
    const chunks: string[] = [];
    const onChunk = (chunk: Buffer) => chunks.push(chunk.toString());
    const result = await fixture.service.invoke('fn', Buffer.from('{}'), { type: 'RequestResponse', onChunk });
    expect(chunks).toEqual(['one ', 'two']);
    expect(result).toMatchObject({ payload: Buffer.from('one two'), contentType: 'application/octet-stream' });
  });

  it('puts the HTTP prelude before the body', async () => {
    const fixture = startService();
    await fixture.add('fn', STREAMING);
    const result = await fixture.service.invoke('fn', Buffer.from('{"http":true}'), { type: 'RequestResponse' });
    expect(result.contentType).toBe('application/vnd.awslambda.http-integration-response');
    expect(result.payload.toString()).toBe(`{"statusCode":201,"headers":{"a":"b"}}${'\0'.repeat(8)}one two`);
  });

  it('serves InvokeWithResponseStream of the real SDK, errors in the middle included', async () => {
    const fixture = startService();
    await fixture.add('fn', STREAMING);
    const client = await clientOf(fixture);
    const collect = async (event: unknown) => {
      const answer = await client.send(
        new InvokeWithResponseStreamCommand({ FunctionName: 'fn', Payload: JSON.stringify(event) }),
      );
      let text = '';
      let error: string | undefined;
      for await (const part of answer.EventStream ?? []) {
        text += Buffer.from(part.PayloadChunk?.Payload ?? []).toString();
        error ??= part.InvokeComplete?.ErrorDetails;
      }
      return { text, error };
    };
    expect(await collect({})).toEqual({ text: 'one two', error: undefined });
    const broken = await collect({ bad: true });
    expect(broken.text).toBe('one ');
    expect(JSON.parse(broken.error ?? '{}')).toMatchObject({ errorType: 'Error', errorMessage: 'broke' });
  });
});
