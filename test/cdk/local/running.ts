import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { App, Stack } from 'aws-cdk-lib';
import { vi } from 'vitest';
import { type Engine, type EngineOptions, startEngine } from '../../../cdk/local/engine.ts';

// Loading the CDK and starting Java take many seconds on a busy machine; nothing here is about time.
vi.setConfig({ testTimeout: 120_000, hookTimeout: 120_000 });

/** Credentials that every client of a test uses; the engine checks none. */
export const credentials = { accessKeyId: 'AKIAEXAMPLE', secretAccessKey: 'secret' };

export interface Running {
  readonly engine: Engine;
  /** Arguments of an SDK client. */
  readonly client: { endpoint: string; region: string; credentials: typeof credentials };
  readonly log: string[];
  stop(): Promise<void>;
}

/** Synthesises a stack into a temporary directory. */
export function synthesised(build: (stack: Stack) => void): { assembly: string; remove(): void } {
  const assembly = mkdtempSync(join(tmpdir(), 'alastor-test-assembly-'));
  const app = new App({ outdir: assembly, analyticsReporting: false, context: { 'aws:cdk:bundling-stacks': [] } });
  build(new Stack(app, 'Test'));
  app.synth();
  return { assembly, remove: () => rmSync(assembly, { recursive: true, force: true }) };
}

/** Synthesises and starts a stack. */
export async function running(build: (stack: Stack) => void, options: Partial<EngineOptions> = {}): Promise<Running> {
  const { assembly, remove } = synthesised(build);
  const log: string[] = [];
  try {
    const engine = await startEngine({ assembly, log: (line) => log.push(line), ...options });
    return {
      engine,
      client: { endpoint: engine.endpoint, region: engine.region, credentials },
      log,
      async stop() {
        await engine.stop();
        remove();
      },
    };
  } catch (cause) {
    remove();
    throw cause;
  }
}
