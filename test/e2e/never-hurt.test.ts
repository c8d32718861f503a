import { describe, expect, it } from 'vitest';
import { formsOf } from '../../layers/capture/known-secrets.ts';
import { chainProblems, startBucket } from '../layers/capture/bucket.ts';
import { type Audited, audited } from './never-hurt/audited.ts';

const MARKER = '/var/task/marker';
/** Events of the function's own file that arrived: one for opening it, one more at its end if it was read. */
const arrived = (one: Audited): number =>
  one.records().reduce((sum, r) => {
    if ((r.kind !== 'file-open' && r.kind !== 'file-close') || r.path !== MARKER) return sum;
    return sum + (r.kind === 'file-open' && r.openFor !== undefined ? 2 : 1);
  }, 0);
const statuses = (one: Audited): readonly string[] => one.of('request-end').map(({ status }) => status);
const expectWhole = (one: Audited): void => {
  expect(one.of('gap')).toEqual([]);
  expect(chainProblems(one.bucket)).toEqual([]);
};

describe('the function answers as ever, and nothing is missing afterwards, when S3', () => {
  it.each([
    ['denies', 403],
    ['fails', 503],
    ['does not answer', 'hang'],
  ] as const)('%s for a while', async (_how, mood) => {
    const one = await audited();
    one.bucket.mood = () => mood;
    for (let i = 0; i < 3; i++) await one.request({ do: 'open', times: 10 });
    expect(one.bucket.objects.size).toBe(0);
    one.bucket.mood = () => 'ok';
    await one.request();
    expect(statuses(one)).toEqual(['ok', 'ok', 'ok', 'ok']);
    // Two per request: what the handler itself reads.
    expect(arrived(one)).toBe(30 + 2 * 4);
    expectWhole(one);
  });

  it('is slow', async () => {
    const one = await audited();
    one.bucket.delayMs = 600;
    for (let i = 0; i < 3; i++) await one.request({ do: 'open', times: 10 });
    expect(statuses(one)).toEqual(['ok', 'ok', 'ok']);
    expectWhole(one);
  });

  it('is down, and comes back', async () => {
    const one = await audited();
    const port = Number(new URL(one.bucket.url).port);
    await one.bucket.close();
    for (let i = 0; i < 3; i++) await one.request({ do: 'open', times: 10 });
    const back = await startBucket(port);
    try {
      await one.request();
      expect(back.records().filter(({ kind }) => kind === 'gap')).toEqual([]);
      expect(back.records().filter(({ kind }) => kind === 'request-end')).toHaveLength(4);
      expect(chainProblems(back)).toEqual([]);
    } finally {
      await one.end();
      await back.close();
    }
  });

  it('stays down: what is lost with the instance is said in its log', async () => {
    const one = await audited();
    one.bucket.mood = () => 503;
    await one.request();
    await one.end();
    expect(one.lines.join('\n')).toMatch(/\d+ bytes of records were lost at shutdown/);
  });
});

describe('a flood of events', () => {
  /** Of four threads in two processes: on two processors a million a second and more, several seconds long. */
  const FLOOD = { do: 'flood', times: 1_250_000, processes: 2, threads: 2 };
  const TIMES = 5_000_000;
  const counted = (one: Audited): number => {
    const seen = arrived(one) + one.lost();
    console.log(`of ${TIMES} events ${seen - one.lost()} were recorded and ${one.lost()} counted as lost`);
    return seen;
  };

  it('is recorded or counted to the last one, in bounded memory and on a bounded disk', { timeout: 240_000 }, async () => {
    const one = await audited({}, { timeoutMs: 120_000 });
    const { disk, said } = await one.request(FLOOD);
    const peak = one.recorderPeakMb();
    console.log(`${said} events a second; the recorder took at most ${Math.round(peak)} MB`);
    await one.request();
    const seen = counted(one);
    expect(seen).toBeGreaterThanOrEqual(TIMES);
    // Nothing is counted twice either: the rest is what the processes did besides.
    expect(seen).toBeLessThan(TIMES + 100);
    expect(chainProblems(one.bucket)).toEqual([]);
    expect(disk).toBeLessThan(10 * 1024 * 1024);
    expect(peak).toBeLessThan(200);
  });

  it('is counted also while nothing can be shipped', { timeout: 240_000 }, async () => {
    const one = await audited({}, { timeoutMs: 120_000 });
    one.bucket.mood = () => 503;
    await one.request(FLOOD);
    expect(one.recorderPeakMb()).toBeLessThan(200);
    one.bucket.mood = () => 'ok';
    await one.request();
    await one.end();
    const seen = counted(one);
    expect(seen).toBeGreaterThanOrEqual(TIMES);
    expect(seen).toBeLessThan(TIMES + 100);
    expect(one.lost()).toBeGreaterThan(0);
  });
});

describe('a recorder that is killed', () => {
  it('costs its request at most, and the next recorder counts what went with it', async () => {
    const one = await audited();
    await one.request();
    const [first] = one.bucket.segments();
    // The platform ends a request whose extension has crashed; that is not in our hands.
    const killed = await one.request(
      { do: 'open', times: 100 },
      { do: 'kill-recorder' },
      { do: 'open', times: 100 },
      { do: 'hang' },
    );
    expect(killed.error).toBe('Extension.Crash');
    await one.request();
    await one.request();
    const [gap] = one.of('gap');
    expect(gap).toMatchObject({ why: 'recorder-lost', detail: expect.stringContaining(first?.header.instanceId ?? '?') });
    expect(gap?.lost).toBeGreaterThanOrEqual(200);
    expect(gap?.lost).toBeLessThan(300);
    expect(one.of('init')).toHaveLength(2);
    expect(chainProblems(one.bucket)).toEqual([]);
  });

  it('together with everything else in the instance', async () => {
    const one = await audited();
    await one.request();
    const { error } = await one.request({ do: 'open', times: 50 }, { do: 'kill-all' });
    expect(error).toMatch(/Extension\.Crash|Runtime\.ExitError/);
    await one.request();
    const [gap] = one.of('gap');
    expect(gap).toMatchObject({ why: 'recorder-lost' });
    expect(gap?.lost).toBeGreaterThanOrEqual(50);
  });
});

describe('a full /tmp', () => {
  it('changes nothing when the function fills it', async () => {
    const one = await audited({}, { ephemeralMb: 24 });
    await one.request({ do: 'fill-tmp' });
    await one.request({ do: 'open', times: 10 });
    expect(arrived(one)).toBe(10 + 2 * 2);
    expectWhole(one);
  });

  it('and a crash on top: the next instance of it works and is audited', async () => {
    const one = await audited({}, { ephemeralMb: 24 });
    await one.request({ do: 'fill-tmp' }, { do: 'exit' });
    await one.request({ do: 'open', times: 10 });
    await one.end();
    expect(statuses(one)).toEqual(['crash', 'ok']);
    expectWhole(one);
  });

  it('too small for the ring: the function runs, and the record says that it was not watched', async () => {
    const one = await audited({}, { ephemeralMb: 4 });
    const { disk } = await one.request({ do: 'open', times: 10 });
    expect(disk).toBeLessThan(1024 * 1024);
    expect(one.of('init')).toMatchObject([{ caps: { shim: false, runtimeProxy: true } }]);
    expect(one.of('gap')).toMatchObject([{ why: 'proxy-lost', detail: expect.stringContaining('ENOSPC') }]);
    expect(statuses(one)).toEqual(['ok']);
  });
});

describe('whatever happens to the function, the evidence up to then is there:', () => {
  it('an error at its start', async () => {
    const one = await audited({ FAIL_INIT: '1' });
    expect((await one.invoke({})).payload).toContain('cannot start');
    await one.end();
    expect(statuses(one)).toContain('init-error');
    expect(one.of('file-open')).toContainEqual(expect.objectContaining({ path: '/var/task/marker-init', phase: 'init' }));
  });

  it.each([
    ['it exits', { do: 'exit' }, 'Runtime.ExitError', 'crash'],
    ['kill -9', { do: 'kill-self' }, 'Runtime.ExitError', 'crash'],
    ['it runs out of memory', { do: 'use-up-memory' }, 'Runtime.ExitError', 'crash'],
    ['its time is up', { do: 'hang' }, 'Sandbox.Timedout', 'timeout'],
  ] as const)('%s', async (_what, step, error, status) => {
    const one = await audited(
      step.do === 'use-up-memory' ? { NODE_OPTIONS: '--max-old-space-size=40' } : {},
      step.do === 'hang' ? { timeoutMs: 2000 } : {},
    );
    const answer = await one.request({ do: 'open', times: 10 }, step);
    expect(answer.error).toBe(error);
    expect(statuses(one)).toEqual([status]);
    expect(arrived(one)).toBe(10 + 2);
    await one.request();
    expectWhole(one);
  });

  it('an answer of 6 MB', async () => {
    const one = await audited();
    const { payload } = await one.invoke({ big: 6 * 1024 * 1024 - 100 });
    expect(payload.length).toBeGreaterThan(6 * 1024 * 1024 - 100);
    expect(one.of('request-end')).toMatchObject([{ status: 'ok', response: { bytes: payload.length } }]);
    expectWhole(one);
  });

  it('an event of 6 MB', async () => {
    const one = await audited();
    const event = { value: 'z', fill: 'x'.repeat(6 * 1024 * 1024 - 200) };
    expect(JSON.parse((await one.invoke(event)).payload)).toMatchObject({ value: 'z' });
    expect(one.of('request-begin')).toMatchObject([{ event: { bytes: JSON.stringify(event).length } }]);
    expectWhole(one);
  });

  it('a streamed answer, and one that fails half-way', async () => {
    const one = await audited({}, { handler: 'index.streaming' });
    expect((await one.invoke({ pieces: 100, size: 1000 })).payload).toBe('y'.repeat(100_000));
    await one.invoke({ pieces: 3, size: 1000, fail: true });
    expect(one.of('request-end')).toMatchObject([{ status: 'ok', response: { bytes: 100_000 } }, { status: 'error' }]);
    expect(arrived(one)).toBe(4);
    expectWhole(one);
  });
});

it('ships no planted secret, in no writing, wherever a function leaves it', async () => {
  const known = 'Kn0wn/s3cret+of=the function';
  const unknown = 'Zq8Xw2Ce4Rv6Tb1Yn3Um5Ik7';
  const one = await audited({ PARTNER_API_TOKEN: known, ALASTOR_BODIES: 'redacted', ALASTOR_REDACT: 'acct-\\d{4,12}' });
  one.bucket.mood = (key) => (key.startsWith('segments/') ? 'ok' : 404);
  const url = (secret: string): string =>
    `${one.bucket.url}/reset/${encodeURIComponent(secret)}?key=${encodeURIComponent(secret)}&${encodeURIComponent(secret)}`;
  const secrets = [known, unknown, 'acct-12345678'];
  for (const secret of secrets) {
    const authorization = `Basic ${Buffer.from(`me:${secret}`).toString('base64')}`;
    const body = JSON.stringify({ password: secret, nested: JSON.stringify({ token: secret }) });
    const name = encodeURIComponent(secret);
    const { error } = await one.request(
      { do: 'fetch', url: url(secret), headers: { authorization, cookie: `sid=${name}` }, body },
      { do: 'write', path: `/tmp/token=${name}` },
      { do: 'run', argv: ['/bin/true', `--password=${secret}`, '-H', `Authorization: Bearer ${secret}`] },
      { do: 'run', argv: ['/usr/bin/env', `ANY=${secret}`, '/bin/true', url(secret)] },
      { do: 'run-script', script: `PARTNER='${secret}' /bin/true --token '${secret}' "https://me:${name}@127.0.0.1/"` },
    );
    expect(error).toBeUndefined();
  }
  const shipped = JSON.stringify(one.bucket.segments());
  expect(one.of('exchange')).toHaveLength(3);
  expect(shipped).toContain('/reset/[redacted');
  for (const secret of secrets) for (const form of formsOf(secret)) expect(shipped).not.toContain(form);
  // Nor do the keys of the objects tell.
  for (const secret of secrets) expect([...one.bucket.objects.keys()].join('\n')).not.toContain(secret);
});

describe('shipping', () => {
  const puts = async (ship: string): Promise<Audited> => {
    const one = await audited({ ALASTOR_SHIP: ship });
    for (let i = 0; i < 8; i++) await one.request({ do: 'open', times: 5 });
    return one;
  };

  it('at the end: every request has left when the environment may freeze', async () => {
    const one = await puts('end');
    expect(statuses(one)).toHaveLength(8);
    expect(one.bucket.objects.size).toBeGreaterThanOrEqual(8);
    expectWhole(one);
  });

  it.each([
    ['by interval', 'interval:900000', 0],
    ['by size', 'size:4194304', 0],
    ['by a small size', 'size:6000', 2],
  ])('%s: waits, and leaves at the latest when the instance ends', async (_how, ship, atLeast) => {
    const one = await puts(ship);
    let asked = 8;
    // A segment may be full just at the end of a request: then nothing waits, and the next one tells.
    for (; statuses(one).length === asked && asked < 11; asked++) await one.request({ do: 'open', times: 1 });
    expect(statuses(one).length).toBeLessThan(asked);
    expect(one.bucket.objects.size).toBeGreaterThanOrEqual(atLeast);
    await one.end();
    expect(statuses(one)).toEqual(Array(asked).fill('ok'));
    expectWhole(one);
  });

  it('by interval: what came of age while nothing ran leaves beside the next request', async () => {
    const one = await audited({ ALASTOR_SHIP: 'interval:100' });
    await one.request();
    await new Promise((resolve) => setTimeout(resolve, 150));
    await one.request();
    expect(statuses(one)).toContain('ok');
    await one.end();
    expectWhole(one);
  });

  it('by interval: a crash does not wait', async () => {
    const one = await audited({ ALASTOR_SHIP: 'interval:900000' });
    await one.request({ do: 'exit' });
    expect(statuses(one)).toEqual(['crash']);
  });
});

it('says what is wrong with its settings and goes on with the defaults', async () => {
  const one = await audited({ ALASTOR_SHIP: 'now', ALASTOR_COLOUR: 'blue' });
  await one.request();
  expect(one.of('warning')).toMatchObject([
    { what: 'setting', detail: expect.stringContaining('ALASTOR_SHIP must be end') },
    { what: 'setting', detail: 'ALASTOR_COLOUR is no setting of Alastor' },
  ]);
  expect(one.lines.filter((line) => line.includes('"alastor":"setting: '))).toHaveLength(2);
  expect(statuses(one)).toEqual(['ok']);
  expectWhole(one);
});
