import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { App, Stack } from 'aws-cdk-lib';
import { Architecture, Function as LambdaFunction, Runtime } from 'aws-cdk-lib/aws-lambda';
import { afterAll, expect, it } from 'vitest';
import { bundledCode } from '../../cdk/bundle.ts';

const folder = mkdtempSync(join(tmpdir(), 'alastor-bundle-'));
const STORE = 'build/functions';
const kept = () => readdirSync(STORE).filter((name) => name.startsWith(basename(folder)));
afterAll(() => {
  rmSync(folder, { recursive: true, force: true });
  for (const name of kept()) rmSync(join(STORE, name), { recursive: true, force: true });
});

let synths = 0;
/** The code of the function, as it would be deployed. */
function code(): string {
  const outdir = join(folder, `out${synths++}`);
  const app = new App({ outdir, analyticsReporting: false });
  new LambdaFunction(new Stack(app, 'Stack'), 'Function', {
    ...{ runtime: Runtime.NODEJS_24_X, architecture: Architecture.X86_64, handler: 'index.handler' },
    code: bundledCode(join(folder, 'handler.ts')),
  });
  app.synth();
  const [asset = ''] = readdirSync(outdir).filter((name) => name.startsWith('asset.'));
  return readFileSync(join(outdir, asset, 'index.js'), 'utf8');
}

it('is made once, and again when anything that it was made from has changed or is gone', async () => {
  mkdirSync(join(folder, 'part'));
  const part = join(folder, 'part', 'index.ts');
  writeFileSync(join(folder, 'package.json'), '{"type":"module"}');
  writeFileSync(
    join(folder, 'handler.ts'),
    "import { word } from './part/index.ts';\nexport const handler = async () => word;\n",
  );
  writeFileSync(part, "export const word: string = 'first';\n");
  // What was made from a file that was written at that very moment is not kept.
  await sleep(100);
  const made = code();
  expect(made).toContain('first');
  const [bundle = ''] = kept().filter((name) => !name.endsWith('.json'));
  writeFileSync(join(STORE, bundle, 'index.js'), `${made}// taken`);
  expect(code()).toBe(`${made}// taken`);

  writeFileSync(part, "export const word: string = 'other';\n");
  await sleep(100);
  expect(code()).toContain('other');
  writeFileSync(join(folder, 'package.json'), '{"type":"module","sideEffects":false}');
  await sleep(100);
  expect(code()).not.toContain('taken');
  rmSync(part);
  expect(() => code()).toThrow(/part\/index\.ts/);
});
