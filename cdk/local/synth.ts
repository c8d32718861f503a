import { spawn } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

function contextOf(file: string, read: (content: Record<string, unknown>) => unknown): Record<string, unknown> {
  if (!existsSync(file)) return {};
  try {
    return (read(JSON.parse(readFileSync(file, 'utf8')) as Record<string, unknown>) ?? {}) as Record<string, unknown>;
  } catch (cause) {
    throw new Error(`Cannot read ${file}: ${cause instanceof Error ? cause.message : String(cause)}`, { cause });
  }
}

/**
 * The context the CDK command line would give the app: that of cdk.json (feature flags!) and cdk.context.json of the working
 * directory, which what is deployed depends on, and construct paths in the template, which errors name.
 */
function context(): Record<string, unknown> {
  return {
    ...contextOf('cdk.json', (content) => content.context),
    ...contextOf('cdk.context.json', (content) => content),
    'aws:cdk:enable-path-metadata': true,
    'aws:cdk:enable-asset-metadata': true,
  };
}

/**
 * Runs a CDK app (a shell command such as `node app.ts`) so that it writes its cloud assembly into `directory`. Neither the CDK
 * command line nor Docker is needed. Rejects with the app's own words when it fails.
 */
export async function synthesise(app: string, directory: string, signal: AbortSignal): Promise<void> {
  const env = {
    ...process.env,
    CDK_OUTDIR: directory,
    CDK_CONTEXT_JSON: JSON.stringify(context()),
    CDK_DEFAULT_ACCOUNT: process.env.CDK_DEFAULT_ACCOUNT ?? '123456789012',
    CDK_DEFAULT_REGION: process.env.CDK_DEFAULT_REGION ?? 'us-east-1',
  };
  const child = spawn(app, { shell: true, env, stdio: ['ignore', 'pipe', 'pipe'], signal });
  const said: Buffer[] = [];
  child.stdout.on('data', (chunk: Buffer) => said.push(chunk));
  child.stderr.on('data', (chunk: Buffer) => said.push(chunk));
  const code = await new Promise<number | null>((resolve, reject) => {
    // Told to stop, it goes on writing for a moment: whoever removes the directory then must not do so before its end.
    let failed: Error | undefined;
    child.once('error', (error) => {
      failed = error;
      if (child.pid === undefined) reject(error);
    });
    child.once('close', (status) => (failed === undefined ? resolve(status) : reject(failed)));
  });
  const words = Buffer.concat(said).toString('utf8').trim();
  if (code !== 0) throw new Error(`The app \`${app}\` failed with exit code ${code}:\n${words}`);
  if (!existsSync(join(directory, 'manifest.json')))
    throw new Error(
      `The app \`${app}\` wrote no cloud assembly. Does it call \`app.synth()\`, or create \`new App()\` without an \`outdir\`?\n${words}`,
    );
}
