import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { App, Stack } from 'aws-cdk-lib';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Alastor, type AlastorProps, type AuditSettings } from '../../cdk/index.ts';
import { readSettings } from '../../layers/capture/settings.ts';
import { readHttpSettings } from '../../layers/image/settings.ts';
import { patternProblem } from '../../layers/pattern.ts';
import { checkSettings, SETTINGS, settingsEnvironment, settingsTable } from '../../layers/settings.ts';
import { inlineFunction, propertiesOf, type Workbench, workbench } from '../cdk/construct-parts.ts';

let bench: Workbench;
beforeAll(() => {
  bench = workbench();
});
afterAll(() => bench.remove());

it('are all in the table of docs/capture.md, as they are', () => {
  const page = readFileSync(join(import.meta.dirname, '../../docs/capture.md'), 'utf8');
  const found = /<!-- settings: .*? -->\n\n(.*?)\n\n<!-- end of settings -->/s.exec(page)?.[1];
  // When this fails: node layers/settings-table.ts
  expect(found).toBe(settingsTable());
});

it('have defaults that they accept', () => {
  for (const { fallback, problem } of Object.values(SETTINGS)) if (fallback !== '') expect(problem(fallback)).toBeUndefined();
});

describe('in an instance', () => {
  it.each([
    ['ALASTOR_SHIP', 'sometimes', 'must be end, interval:<ms>', { ship: { when: 'end' } }],
    ['ALASTOR_SHIP', 'interval:5', 'must be end, interval:<ms>', { ship: { when: 'end' } }],
    ['ALASTOR_SHIP', 'size:99999999', 'must be end, interval:<ms>', { ship: { when: 'end' } }],
    ['ALASTOR_BODIES', 'all', 'must be one of none, digest, redacted', { bodies: 'digest' }],
    ['ALASTOR_NETWORK', 'on', 'must be one of auto, proxy, tap, sockets', {}],
    ['ALASTOR_DIR', 'tmp', 'must be an absolute path', { dir: '/tmp/.alastor' }],
    ['ALASTOR_INNER_PORT', '65536', 'must be a port', {}],
    ['ALASTOR_BUCKET', 'file:///evidence', 'must be the name of an S3 bucket', { bucket: undefined }],
    ['ALASTOR_REDACT', '(a+)+b', 'could take long', { redact: [] }],
    ['ALASTOR_REDACT', '(', 'is not valid', { redact: [] }],
  ])('%s=%s is told, and the default holds', (name, text, problem, settings) => {
    const read = readSettings({ [name]: text });
    expect(read.problems).toEqual([expect.stringContaining(`${name} `)]);
    expect(read.problems[0]).toContain(problem);
    expect(read).toMatchObject(settings);
  });

  it('are told when nobody knows them, with the one that may have been meant', () => {
    const { problems } = checkSettings({ ALASTOR_SHP: 'end', ALASTOR_COLOUR: 'secret-value', OTHER: 'x' });
    expect(problems).toEqual([
      'ALASTOR_SHP is no setting of Alastor (did you mean ALASTOR_SHIP?)',
      'ALASTOR_COLOUR is no setting of Alastor',
    ]);
  });

  it('are read', () => {
    const env = {
      ALASTOR_SHIP: 'interval:5000',
      ALASTOR_BODIES: 'redacted',
      ALASTOR_REDACT: 'a{2}\n\nb+',
      ALASTOR_BUCKET: 'evidence',
    };
    expect(readSettings(env)).toMatchObject({
      ship: { when: 'interval', ms: 5000 },
      bodies: 'redacted',
      redact: ['a{2}', 'b+'],
      bucket: 'evidence',
      problems: [],
    });
  });
});

describe('in a container that serves plain HTTP', () => {
  it.each([
    [{ ALASTOR_BUCKET: 'file:///var/evidence' }, { bucket: 'file:///var/evidence', problems: [] }],
    [{ ALASTOR_BUCKET: 'evidence' }, { bucket: 'evidence', problems: [] }],
    [
      { ALASTOR_BUCKET: 'file://host/evidence' },
      { bucket: undefined, problems: ['ALASTOR_BUCKET must be the name of an S3 bucket or file:///directory; it is ignored'] },
    ],
    [{ ALASTOR_BUCKET: 'Evidence!' }, { bucket: undefined, problems: [expect.stringContaining('ALASTOR_BUCKET ')] }],
    [{ ALASTOR_FUNCTION: 'checkout', ALASTOR_QUALIFIER: '123456789012.eu-west-1.' }, { fn: '123456789012.eu-west-1.checkout' }],
    [{ ALASTOR_DIR: '/srv/audit' }, { dir: '/srv/audit', problems: [] }],
    [{ ALASTOR_DIR: 'audit' }, { dir: '/tmp/.alastor', problems: [expect.stringContaining('ALASTOR_DIR ')] }],
  ])('%j', (env, read) => expect(readHttpSettings(env)).toMatchObject(read));
});

describe('in the construct', () => {
  const build = (props: AlastorProps, audit: AuditSettings, environment: Record<string, string> = {}) => {
    const stack = new Stack(bench.app(), 'Shop');
    const alastor = new Alastor(stack, 'Alastor', { layerDirectory: bench.layerDirectory, ...props });
    const fn = inlineFunction(stack, 'Purchase', { environment });
    alastor.audit(fn, { settings: audit });
    return (propertiesOf(fn).Environment as { Variables: Record<string, unknown> }).Variables;
  };

  it('go from near to far: the function, the call, the construct', () => {
    const found = build(
      { settings: { ship: 'interval:1000', bodies: 'none', network: 'proxy', redact: [/acct-\d{4}/, 'x{3}'] } },
      { ship: 'size:65536', bodies: 'redacted' },
      { ALASTOR_BODIES: 'digest' },
    );
    expect(found).toMatchObject({
      ALASTOR_SHIP: 'size:65536',
      ALASTOR_BODIES: 'digest',
      ALASTOR_NETWORK: 'proxy',
      ALASTOR_REDACT: 'acct-\\d{4}\nx{3}',
    });
  });

  it.each([
    [
      'an unknown variable of the function',
      {},
      {},
      { ALASTOR_SHPI: 'end' },
      /cannot audit Shop\/Purchase: .*ALASTOR_SHPI is no setting/,
    ],
    ['an invalid one', {}, {}, { ALASTOR_SHIP: 'never' }, /Shop\/Purchase: .*ALASTOR_SHIP must be end/],
    ['an invalid prop', { settings: { ship: 'interval:1' } }, {}, {}, /Alastor \(Shop\/Alastor\): settings\.ship must be/],
    ['an invalid option', {}, { redact: ['(a+)+'] }, {}, /settings\.redact has an expression.* could take long/],
    [
      'an unknown option',
      {},
      { bodys: 'none' } as AuditSettings,
      {},
      /settings\.bodys is no setting of Alastor; there are ship/,
    ],
  ] as const)('stop the synth: %s', (_what, props, audit, environment, message) => {
    expect(() => build(props, audit, environment)).toThrow(message);
  });

  it('leave values alone that are known only when deployed', () => {
    const app = new App({ outdir: `${bench.folder}/tokens`, analyticsReporting: false });
    const stack = new Stack(app, 'Shop');
    const fn = inlineFunction(stack, 'Purchase', {
      environment: { ALASTOR_DIR: stack.stackName, ALASTOR_STEER: stack.account },
    });
    new Alastor(stack, 'Alastor', { layerDirectory: bench.layerDirectory }).audit(fn);
    expect(() => propertiesOf(fn)).toThrow(/ALASTOR_DIR must be an absolute path/);
    expect(settingsEnvironment({ steer: [] })).toEqual({});
  });
});

describe("expressions of one's own", () => {
  it.each([
    'acct-\\d{8,12}',
    '\\S+',
    'SG\\.[\\w-]{22}\\.[\\w-]{43}',
    '(?:foo|bar)=\\S+',
    '(a|b|ab){1,5}x',
    '[)(]a',
    '\\w{1,64}@\\w{1,64}',
  ])('/%s/ may be used', (source) => expect(patternProblem(source, 256)).toBeUndefined());
  it.each([
    ['(a+)+b', 'could take long'],
    ['(a|a)*c', 'could take long'],
    ['\\w+=\\w+', 'could take long'],
    ['(?:a?){30}b', 'could take long'],
    ['(x)\\1', 'refers back'],
    ['a*', 'matches the empty text'],
    ['a'.repeat(300), 'is longer than 256'],
    ['[', 'is not valid'],
  ])('/%s/ may not: it %s', (source, problem) => expect(patternProblem(source, 256)).toContain(problem));
});
