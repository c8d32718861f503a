import { execFileSync } from 'node:child_process';
import { copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, onTestFailed, onTestFinished } from 'vitest';
import { descendants } from '../../../cdk/local/lambda/freezer.ts';
import type { FunctionSpec } from '../../../cdk/local/lambda/index.ts';
import { buildLayer } from '../../../layers/build.ts';
import type { AuditRecord } from '../../../layers/record/types.ts';
import { startService } from '../../cdk/local/lambda/service.fixture.ts';
import { type Bucket, startBucket } from '../../layers/capture/bucket.ts';

const HERE = import.meta.dirname;

export interface Step {
  readonly do: string;
  readonly [option: string]: unknown;
}

interface Told {
  readonly value?: string;
  readonly disk?: number;
  /** What the last step had to say. */
  readonly said?: unknown;
  readonly error?: string;
}

/** An audited function in the local engine, and the bucket that its evidence goes to. */
export interface Audited {
  readonly bucket: Bucket;
  readonly lines: readonly string[];
  /** Carries the steps out in one request; settled when the instance is done with it. `error`: type of the function's error. */
  request(...steps: readonly Step[]): Promise<Told>;
  /** The same with any event. */
  invoke(event: object): Promise<{ readonly payload: string; readonly error: boolean; readonly log: string }>;
  /** Ends the instance as the platform ends idle ones. */
  end(): Promise<void>;
  records(): readonly AuditRecord[];
  of<K extends AuditRecord['kind']>(kind: K): readonly Extract<AuditRecord, { kind: K }>[];
  /** Records that gaps say are missing. */
  lost(): number;
  /** Peak resident memory of the recorder, MB. */
  recorderPeakMb(): number;
}

const compiled = mkdtempSync(join(tmpdir(), 'alastor-never-hurt-'));
execFileSync('gcc', ['-O2', '-pthread', '-o', join(compiled, 'flood'), join(HERE, 'flood.c')]);
afterAll(() => rmSync(compiled, { recursive: true, force: true }));

let value = 0;

export async function audited(
  environment: Readonly<Record<string, string>> = {},
  spec: Partial<FunctionSpec> & { readonly port?: number } = {},
): Promise<Audited> {
  const { port, ...rest } = spec;
  const layer = await buildLayer();
  const bucket = await startBucket(port);
  onTestFinished(() => bucket.close());
  const fixture = startService({ endpoint: bucket.url });
  onTestFailed(() => console.error(fixture.lines.slice(-40).join('\n')));
  const codeDir = join(fixture.dir, 'task');
  mkdirSync(codeDir);
  copyFileSync(join(HERE, 'function.mjs'), join(codeDir, 'index.mjs'));
  for (const marker of ['marker', 'marker-init']) writeFileSync(join(codeDir, marker), marker);
  copyFileSync(join(compiled, 'flood'), join(codeDir, 'flood'));
  await fixture.add(
    'purchase',
    {},
    {
      codeDir,
      layerDirs: [layer],
      environment: { AWS_LAMBDA_EXEC_WRAPPER: '/opt/alastor/wrapper', ALASTOR_BUCKET: bucket.name, ...environment },
      timeoutMs: 30_000,
      ...rest,
    },
  );
  const { service } = fixture;
  const one: Audited = {
    bucket,
    lines: fixture.lines,
    async invoke(event) {
      const options = { type: 'RequestResponse', logType: 'Tail' } as const;
      const result = await service.invoke('purchase', Buffer.from(JSON.stringify(event)), options);
      return { payload: result.payload.toString(), error: result.functionError !== undefined, log: result.logTail ?? '' };
    },
    async request(...steps) {
      const asked = `value-${value++}`;
      const { payload, error } = await one.invoke({ value: asked, steps });
      const answer = JSON.parse(payload);
      if (error) return { error: answer.errorType };
      if (answer.value !== asked) throw new Error(`asked for ${asked}, got ${payload.slice(0, 200)}`);
      return answer;
    },
    end: () => service.stop(),
    records: () => bucket.records(),
    of: (kind) => bucket.records().filter((r): r is Extract<AuditRecord, { kind: typeof kind }> => r.kind === kind),
    lost: () => one.of('gap').reduce((sum, gap) => sum + gap.lost, 0),
    recorderPeakMb() {
      const inside = service.instances().flatMap(({ pid }) => descendants(pid));
      const recorder = inside.find((pid) => readFileSync(`/proc/${pid}/cmdline`, 'latin1').includes('recorder.cjs'));
      const [, kb] = /^VmHWM:\s*(\d+) kB$/m.exec(readFileSync(`/proc/${recorder}/status`, 'latin1')) ?? [];
      return Number(kb) / 1024;
    },
  };
  return one;
}
