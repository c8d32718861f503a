import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createAuthority } from '../../../layers/capture/network/authority.ts';
import { type Prepared, prepare, standAside } from '../../../layers/capture/prepare.ts';
import { Ring } from '../../../layers/capture/ring.ts';
import { startRuntimeProxy } from '../../../layers/capture/runtime-proxy.ts';
import { readSettings } from '../../../layers/capture/settings.ts';

let dir: string;
let prepared: Prepared | undefined;

beforeEach(() => {
  dir = mkdtempSync('/tmp/alastor-test-');
});
afterEach(async () => {
  await Promise.all([prepared?.requests?.close(), prepared?.front?.held.close()]);
  if (prepared?.ring !== undefined) new Ring(prepared.ring).close();
  prepared = undefined;
  rmSync(dir, { recursive: true, force: true });
});

async function prepareWith(env: Record<string, string> = {}): Promise<Prepared> {
  const all = { ALASTOR_DIR: join(dir, 'shared'), ...env };
  prepared = await prepare(readSettings(all), all, '/nowhere');
  return prepared;
}
const shared = (name: string): string => readFileSync(join(dir, 'shared', name), 'utf8');
const listener = { asked() {}, begun() {}, ended() {}, initFailed() {}, snapshot() {}, restored() {} };

describe('before the extension registers', () => {
  it('all that the wrapper looks for is there', async () => {
    const { requests, front, failures } = await prepareWith({ ALASTOR_STEER: '127.0.0.1:4566' });
    expect(failures).toEqual([]);
    const ports = Object.fromEntries(
      shared('ports')
        .trim()
        .split('\n')
        .map((line) => line.split('=', 2)),
    );
    expect(ports).toEqual({
      ALASTOR_RUNTIME_PORT: String(requests?.port),
      ALASTOR_PROXY_PORT: String(front?.held.port),
      ALASTOR_TAP: '1',
      ALASTOR_STEER: '127.0.0.1:4566',
      ALASTOR_RECORDER: expect.stringMatching(new RegExp(`^${process.pid}@\\d+$`)),
    });
    expect(shared('ca.pem')).toContain(front?.authority.cert.trim());
  });

  it('the ring has all its blocks, so that a full disk cannot kill who maps it', async () => {
    const { ring } = await prepareWith();
    const { size, blocks } = statSync(join(dir, 'shared/ring'));
    expect(size).toBe(4096 + (ring?.capacity ?? 0));
    expect(blocks * 512).toBeGreaterThanOrEqual(size);
  });

  it('Node is given what the configuration adds and the audit certificate, not the roots that it has', async () => {
    const own = createAuthority().cert;
    writeFileSync(join(dir, 'own.pem'), own);
    const { front } = await prepareWith({ NODE_EXTRA_CA_CERTS: join(dir, 'own.pem') });
    expect(shared('ca-added.pem')).toBe(`${own.trim()}\n${front?.authority.cert.trim()}\n`);
    for (const known of [own, ...(front?.roots ?? [])]) expect(shared('ca.pem')).toContain(known.trim());
  });

  it('a runtime that is faster than the recorder waits for it', async () => {
    const platform = createServer((request, answer) => answer.end(`platform: ${request.method} ${request.url}`));
    await new Promise<void>((resolve) => platform.listen(0, '127.0.0.1', resolve));
    try {
      const { requests } = await prepareWith();
      const early = connect(requests?.port ?? 0, '127.0.0.1');
      early.write('GET /2018-06-01/early HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n');
      const answer = text(early);
      // Its request has arrived before anybody serves it.
      await new Promise((resolve) => setTimeout(resolve, 50));
      const { port } = platform.address() as AddressInfo;
      const proxy = await startRuntimeProxy(`127.0.0.1:${port}`, listener, requests);
      expect(proxy.port).toBe(requests?.port);
      expect(await answer).toContain('platform: GET /2018-06-01/early');
    } finally {
      platform.close();
    }
  });

  it('when nobody will serve them, calls of the runtime are passed on, and who waits at the network proxy is sent away', async () => {
    const platform = createServer((request, answer) => answer.end(`platform: ${request.method} ${request.url}`));
    await new Promise<void>((resolve) => platform.listen(0, '127.0.0.1', resolve));
    try {
      const env = { AWS_LAMBDA_RUNTIME_API: `127.0.0.1:${(platform.address() as AddressInfo).port}` };
      const { requests, front } = await prepareWith(env);
      const call = connect(requests?.port ?? 0, '127.0.0.1');
      call.write('GET /2018-06-01/early HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n');
      const waiting = connect(front?.held.port ?? 0, '127.0.0.1');
      const sentAway = new Promise((resolve) => waiting.once('close', resolve).on('error', () => {}));
      await new Promise((resolve) => waiting.once('connect', resolve));
      standAside(readSettings(env), env, { requests, front });
      expect(await text(call)).toContain('platform: GET /2018-06-01/early');
      await sentAway;
      const later = connect(front?.held.port ?? 0, '127.0.0.1');
      expect(await new Promise((resolve) => later.once('error', resolve))).toMatchObject({ code: 'ECONNREFUSED' });
    } finally {
      platform.close();
    }
  });

  it('says what could not be made, and the rest is there', async () => {
    writeFileSync(join(dir, 'shared'), 'a file where the directory should be');
    const blocked = { ALASTOR_DIR: join(dir, 'shared/below') };
    prepared = await prepare(readSettings(blocked), blocked, '/nowhere');
    expect(prepared.ring).toBeUndefined();
    expect(prepared.failures).toEqual([expect.stringContaining('event ring'), expect.stringContaining('the shared files')]);
    expect(prepared.requests?.port).toBeGreaterThan(0);
  });
});
