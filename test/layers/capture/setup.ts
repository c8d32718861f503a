import { mkdtempSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { onTestFailed, onTestFinished } from 'vitest';
import { buildLayer } from '../../../layers/build.ts';
import type { Arch } from '../../../layers/shim/build.ts';
import { type Bucket, startBucket } from './bucket.ts';
import { exited, Instance, Platform } from './platform.ts';

/** Environment of an instance whose evidence goes to `bucket`, with `node` for the recorder. */
export const instanceEnvironment = (bucket: Bucket, dir: string, runtimeApi: string, node = process.execPath) => ({
  PATH: `${dirname(node)}:/usr/bin:/bin`,
  ALASTOR_DIR: join(dir, 'shared'),
  ALASTOR_BUCKET: bucket.name,
  AWS_ENDPOINT_URL: bucket.url,
  AWS_REGION: 'eu-central-1',
  AWS_ACCESS_KEY_ID: 'AKIDEXAMPLE',
  AWS_SECRET_ACCESS_KEY: 'secret',
  AWS_LAMBDA_FUNCTION_NAME: 'purchase',
  AWS_LAMBDA_FUNCTION_VERSION: '$LATEST',
  AWS_LAMBDA_FUNCTION_MEMORY_SIZE: '512',
  AWS_LAMBDA_RUNTIME_API: runtimeApi,
});

/** A directory that is removed when the test is over. */
export function workplace(): string {
  const dir = mkdtempSync('/tmp/alastor-test-');
  onTestFinished(() => rmSync(dir, { recursive: true, force: true }));
  return dir;
}

/** One instance on a platform of the test's own, with a bucket; all of it ends with the test. */
export class Setup {
  readonly bucket: Bucket;
  readonly platform: Platform;
  readonly instance: Instance;
  readonly dir: string;

  private constructor(bucket: Bucket, platform: Platform, instance: Instance, dir: string) {
    this.bucket = bucket;
    this.platform = platform;
    this.instance = instance;
    this.dir = dir;
  }

  /** @param nodes for recorder and runtime; default: the Node of the tests. `arch` is the layer's */
  static async start(nodes: { recorder?: string | undefined; runtime?: string | undefined; arch?: Arch } = {}): Promise<Setup> {
    const layer = await buildLayer(nodes.arch === undefined ? {} : { arch: nodes.arch });
    const dir = workplace();
    const bucket = await startBucket();
    const platform = new Platform();
    await platform.start();
    const env = instanceEnvironment(bucket, dir, platform.address, nodes.recorder);
    const instance = new Instance(layer, env, nodes.runtime);
    onTestFailed(() => console.error(instance.stderr, platform.calls));
    onTestFinished(async () => {
      await instance.stop();
      await platform.close();
      await bucket.close();
    });
    return new Setup(bucket, platform, instance, dir);
  }

  /** Starts recorder and runtime; an environment of their own comes on top. */
  async boot(extension: Record<string, string> = {}, runtime: Record<string, string> = {}): Promise<void> {
    this.instance.startExtension(extension);
    await this.platform.extensionWaits();
    this.instance.startRuntime(runtime);
  }

  /** Settled when the recorder has ended. */
  async shutDown(reason?: string): Promise<void> {
    await this.platform.shutdown(reason);
    await exited(this.instance.children[0]!);
  }
}
