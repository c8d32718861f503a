import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { REDACTED, Redactor } from '../../../layers/capture/redact.ts';
import type { Observation } from '../../../layers/record/types.ts';
import { ALL_KINDS, observation } from '../record/arbitrary.ts';

const redactor = new Redactor();
const redactText = (text: string) => redactor.text(text);
const redactArgv = (argv: readonly string[]) => redactor.argv(argv);
const redactObservation = (o: Observation) => redactor.observation(o);

const S = 'pl4nted/S3cret+Value';
const JWT = 'eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.dozjgNryP4J3jVmNHl0w5N_XgL0n3I9PlFUP0THsR8U';

describe('secrets in arguments', () => {
  it.each<readonly string[][]>([
    [['mysql', '--password', S]],
    [['mysql', `--password=${S}`]],
    [['tool', '--db-password', S]],
    [['tool', '-token', S]],
    [['tool', '--api-key', S, '--verbose']],
    [['aws', 'configure', 'set', `aws_secret_access_key=${S}`]],
    [['env', `DB_PASSWORD=${S}`, 'app']],
    [['env', `AWS_SESSION_TOKEN=${S}`, 'app']],
    [['curl', '-H', `Authorization: Bearer ${S}`, 'https://example.com']],
    [['curl', '-H', `authorization:${S}`, 'https://example.com']],
    [['curl', '--header', `X-Custom-Token: ${S}`, 'https://example.com']],
    [['curl', '-H', `Cookie: sid=${S}; other=${S}`, 'https://example.com']],
    [['curl', '-u', `alice:${S}`, 'https://example.com']],
    [['curl', '-b', `sid=${S}`, 'https://example.com']],
    [['curl', `https://alice:${encodeURIComponent(S)}@example.com/path`]],
    [['curl', `https://example.com/path?card=${encodeURIComponent(S)}&x=1`]],
    [['sh', '-c', `mysql --password ${S} -e 'select 1'`]],
    [['sh', '-c', `PGPASSWORD=${S} psql`]],
    [['sh', '-c', `curl -H "Authorization: Basic ${S}" https://example.com`]],
    [['sh', '-c', `curl -u bob:${S} https://example.com | sh`]],
    [['sh', '-c', `curl 'https://example.com/?q=${encodeURIComponent(S)}'`]],
    [['node', '-e', `fetch(u, { headers: { authorization: "${S}" } })`]],
    [['tool', `{"client_secret": "${S}"}`]],
    [['openssl', `-----BEGIN RSA PRIVATE KEY-----\n${S}\n-----END RSA PRIVATE KEY-----`]],
  ])('%j', (argv) => {
    const clean = redactArgv(argv).join(' ');
    expect(clean).not.toContain(S);
    expect(clean).not.toContain(encodeURIComponent(S));
    expect(clean).toContain(REDACTED);
    expect(clean).toContain(argv[0]);
  });

  it.each([
    'AKIAIOSFODNN7EXAMPLE',
    'ASIAIOSFODNN7EXAMPLE',
    `IQoJb3JpZ2luX2VjEJr//////////wEaCXVzLWVhc3QtMSJHMEUCIQ${'A'.repeat(200)}==`,
    JWT,
    'ghp_16C7e42F292c6912E7710c838347Ae178B4a',
    'sk_live_4eC39HqLyjWDarjtT1zdp7dc',
    'xoxb-1234567890-abcdefghij',
  ])('a token that names itself: %s', (token) => {
    expect(redactText(`tool ${token} more`)).toBe(`tool ${REDACTED} more`);
    expect(redactArgv(['x', token])).toEqual(['x', REDACTED]);
  });

  it('leaves everything else as it was', () => {
    for (const text of [
      '/var/task/node_modules/tokenizer/index.js',
      '/tmp/authorize-cc/cards.json',
      '/tmp/a=b',
      'curl -sS https://example.com/tool.sh -o /tmp/tool',
      'python3 -m http.server --bind 127.0.0.1',
      'ls -la /tmp',
      '/proc/self/environ',
      'node --max-old-space-size=100 index.js',
    ]) {
      expect(redactText(text)).toBe(text);
      const argv = text.split(' ');
      expect(redactArgv(argv)).toBe(argv);
    }
  });

  it('keeps the paths of URLs as they are, whatever they hold', () => {
    for (const url of ['https://example.com/$&/$&', 'https://example.com/a$$b', 'https://example.com/$`x/$1'])
      expect(redactText(`curl ${url} -o x`)).toBe(`curl ${url} -o x`);
    expect(redactText('https://hooks.example.com/a$$b/Zk3Vb8Qm1Tn7Rf2Ls9Wd4Hx6')).toBe(
      `https://hooks.example.com/a$$b/${REDACTED}`,
    );
  });

  it('does not take long on what an attacker makes of it', () => {
    for (const unit of ['a', '-', 'password', '--a-', ' -u ', 'a:', '?a', '=', 'eyJ', '://', '-----BEGIN ', '"', 'token="']) {
      const text = unit.repeat(Math.ceil(8192 / unit.length)).slice(0, 8192);
      const cpu = process.cpuUsage();
      redactText(text);
      expect(process.cpuUsage(cpu).user, unit).toBeLessThan(400_000);
    }
  });
});

describe('an observation', () => {
  const secrets: readonly Observation[] = [
    { kind: 'process-exec', t: 1, path: `/tmp/token=${S}`, argv: ['x', `--password=${S}`], cwd: `/tmp/?k=${S}`, ok: true },
    { kind: 'process-start', t: 1, exe: `/tmp/secret=${S}`, parent: null, how: 'fork' },
    { kind: 'file-open', t: 1, path: `/tmp/api_key=${S}`, mode: 'r', created: false, truncated: false, fd: 3 },
    { kind: 'file-change', t: 1, op: 'rename', path: `/tmp/pwd=${S}`, to: `/tmp/token=${S}` },
    { kind: 'unobserved', t: 1, what: 'program', detail: `password: ${S}` },
  ];
  it.each(secrets)('of kind $kind is cleaned', (o) => {
    expect(JSON.stringify(redactObservation(o))).not.toContain(S.split('/')[1]);
  });

  it('keeps its kind, its shape and its identifiers', () => {
    fc.assert(
      fc.property(fc.constantFrom(...ALL_KINDS).chain(observation), (o) => {
        const clean = redactObservation(o);
        expect(Object.keys(clean)).toEqual(Object.keys(o));
        expect(clean.kind).toBe(o.kind);
        if ('keys' in o && 'keys' in clean) expect(clean.keys).toEqual(o.keys);
      }),
    );
  });
});
