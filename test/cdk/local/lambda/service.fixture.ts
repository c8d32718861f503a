/** A Lambda service over a temporary directory, with functions whose code is given as text. */
import { chmodSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { onTestFinished, vi } from 'vitest';
import { type FunctionSpec, type LambdaOptions, LambdaService } from '../../../../cdk/local/lambda/index.ts';

// Real processes on a machine that may be busy with other things.
vi.setConfig({ testTimeout: 30_000, hookTimeout: 30_000 });

export type Files = Readonly<Record<string, string>>;

export interface Answer {
  // biome-ignore lint/suspicious/noExplicitAny: its shape is what each test's function makes it
  readonly value?: any; // any: its shape is what each test's function makes it
  readonly error?: { readonly errorType: string; readonly errorMessage: string; readonly [field: string]: unknown };
}

export interface Fixture {
  readonly service: LambdaService;
  readonly dir: string;
  /** Log lines of all instances, in order. */
  readonly lines: string[];
  /** Adds a function. Files whose text starts with `#!` become executable. */
  add(name: string, files: Files, spec?: Partial<FunctionSpec>): Promise<void>;
  layer(name: string, files: Files): string;
  /** Invokes and parses; `error` is the function error's payload. */
  call(name: string, event?: unknown): Promise<Answer>;
}

export function startService(options: Partial<LambdaOptions> = {}): Fixture {
  const dir = mkdtempSync(join(tmpdir(), 'alastor-lambda-test-'));
  const lines: string[] = [];
  const service = new LambdaService({
    stateDir: join(dir, 'state'),
    endpoint: 'http://127.0.0.1:9',
    hosts: {},
    log: () => {},
    onLog: (_fn, _instance, line) => lines.push(line),
    ...options,
  });
  onTestFinished(async () => {
    await service.stop();
    rmSync(dir, { recursive: true, force: true });
  });
  return {
    service,
    dir,
    lines,
    layer: (name, files) => writeFiles(join(dir, 'layers', name), files),
    add: (name, files, spec = {}) =>
      service.add({
        name,
        arn: `arn:aws:lambda:eu-central-1:111122223333:function:${name}`,
        runtime: 'nodejs24.x',
        handler: 'index.handler',
        codeDir: writeFiles(join(dir, 'code', name), files),
        layerDirs: [],
        environment: {},
        memoryMb: 256,
        timeoutMs: 10_000,
        region: 'eu-central-1',
        accountId: '111122223333',
        ...spec,
      }),
    async call(name, event = {}) {
      const result = await service.invoke(name, Buffer.from(JSON.stringify(event)), { type: 'RequestResponse' });
      const parsed = JSON.parse(result.payload.toString());
      return result.functionError === undefined ? { value: parsed } : { error: parsed };
    },
  };
}

export function writeFiles(dir: string, files: Files): string {
  mkdirSync(dir, { recursive: true });
  for (const [name, text] of Object.entries(files)) {
    const file = join(dir, name);
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, text);
    if (text.startsWith('#!')) chmodSync(file, 0o755);
  }
  return dir;
}

/** A Node handler that runs shell code from its event and answers with the output. */
export const SHELL_FUNCTION: Files = {
  'index.mjs': `
    import { spawnSync } from 'node:child_process';
    export const handler = async ({ sh }) => {
      const { stdout, stderr, status } = spawnSync('/bin/sh', ['-c', sh], { encoding: 'utf8' });
      return { stdout, stderr, status };
    };`,
};

export async function until(holds: () => boolean, what: string, ms = 8000): Promise<void> {
  for (const end = Date.now() + ms; !holds(); await new Promise((resolve) => setTimeout(resolve, 10))) {
    if (Date.now() > end) throw new Error(`Did not happen within ${ms} ms: ${what}`);
  }
}

/** Host processes whose command line contains `text`, zombies left out. */
export function processesWith(text: string): number[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name) && Number(name) !== process.pid)
    .filter((pid) => {
      try {
        return readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes(text);
      } catch {
        return false;
      }
    })
    .map(Number);
}
