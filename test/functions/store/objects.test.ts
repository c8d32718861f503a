import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { S3Client } from '@aws-sdk/client-s3';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { respond } from '../../../functions/query/handler.ts';
import { stitch } from '../../../functions/stitcher/stitch.ts';
import type { Store } from '../../../functions/store/connect.ts';
import { S3Objects } from '../../../functions/store/objects.ts';
import type { GraphWriter } from '../../../functions/store/write.ts';
import { segmentKey } from '../../../layers/record/key.ts';
import type { InstanceId } from '../../../layers/record/types.ts';

const GB = 2 ** 30;
const key = segmentKey({
  fn: 'shop',
  instanceId: '01a20281-bbde-7125-8a48-84125512b711' as InstanceId,
  first: 0,
  last: 9,
});

/** S3, as far as an object goes of which 5 GB are announced and sent as fast as they are taken. */
describe('an object as large as S3 takes', () => {
  let server: Server;
  let objects: S3Objects;
  let sent = 0;
  const client = () =>
    new S3Client({
      ...{
        region: 'eu-central-1',
        forcePathStyle: true,
        endpoint: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
      },
      credentials: { accessKeyId: 'a', secretAccessKey: 'b' },
    });

  beforeAll(async () => {
    const chunk = Buffer.alloc(1024 * 1024);
    server = createServer((_request, response) => {
      response.writeHead(200, { 'content-length': String(5 * GB), 'last-modified': new Date().toUTCString() });
      const send = () => {
        while (!response.destroyed && response.write(chunk)) sent += chunk.length;
        if (!response.destroyed) response.once('drain', send);
      };
      send();
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    objects = new S3Objects(client(), 'bucket');
  });
  afterAll(() => {
    server.closeAllConnections();
    server.close();
  });

  it('is not read where segments belong, but set aside', async () => {
    const put: object[] = [];
    const writer = { putPoison: async (one: object) => void put.push(one) } as Partial<GraphWriter> as GraphWriter;
    expect(await stitch(key, objects, writer)).toMatchObject({ done: 'set-aside', code: 'oversized' });
    expect(put).toMatchObject([{ segment: key, code: 'oversized', reason: expect.stringContaining(`${5 * GB} bytes`) }]);
    expect(sent).toBeLessThan(64 * 1024 * 1024);
  });

  it('is a problem that says so to whoever asks for it as evidence', async () => {
    const store = { objects, lists: { segment: async () => undefined } } as unknown as Store;
    const rawQueryString = new URLSearchParams({ segment: key, seq: '3' }).toString();
    const event = { rawPath: '/v1/evidence', rawQueryString, requestContext: { http: { method: 'GET' } } };
    const { statusCode, body } = await respond(event as Parameters<typeof respond>[0], store);
    expect(statusCode).toBe(409);
    expect(JSON.parse(body ?? '')).toMatchObject({ parameter: 'segment', detail: expect.stringContaining('bytes stored') });
  });
});
