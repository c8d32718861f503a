import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';

/**
 * Runs a CDK app (a shell command such as `node app.ts`) so that it writes its cloud assembly into `directory`. Neither the CDK
 * command line nor Docker is needed. Rejects with the app's own words when it fails.
 */
export async function synthesise(app: string, directory: string, signal: AbortSignal): Promise<void> {
  const env = {
    ...process.env,
    CDK_OUTDIR: directory,
    CDK_DEFAULT_ACCOUNT: process.env.CDK_DEFAULT_ACCOUNT ?? '123456789012',
    CDK_DEFAULT_REGION: process.env.CDK_DEFAULT_REGION ?? 'us-east-1',
  };
  const child = spawn(app, { shell: true, env, stdio: ['ignore', 'pipe', 'pipe'], signal });
  const said: Buffer[] = [];
  child.stdout.on('data', (chunk: Buffer) => said.push(chunk));
  child.stderr.on('data', (chunk: Buffer) => said.push(chunk));
  const code = await new Promise<number | null>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', resolve);
  });
  const words = Buffer.concat(said).toString('utf8').trim();
  if (code !== 0) throw new Error(`The app \`${app}\` failed with exit code ${code}:\n${words}`);
  if (!existsSync(join(directory, 'manifest.json')))
    throw new Error(
      `The app \`${app}\` wrote no cloud assembly. Does it call \`app.synth()\`, or create \`new App()\` without an \`outdir\`?\n${words}`,
    );
}
