/**
 * How commands find the engine that runs on this machine: each running one keeps a small file with its addresses in a folder of
 * its user. Nothing in it is secret, but who could write it could lead an investigator to an endpoint of his own: the folder is
 * taken only when it belongs to the user and nobody else may write it.
 */
import { lstatSync, mkdirSync, readdirSync, readFileSync, rmdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir, userInfo } from 'node:os';
import { join } from 'node:path';
import type { Engine } from '../cdk/local/engine.ts';

export interface LocalEngine {
  readonly pid: number;
  /** ISO 8601. */
  readonly started: string;
  /** Address of the query API; none when the app that runs has no Alastor. */
  readonly query?: string;
  /** Address of all AWS services, and where they pretend to be. */
  readonly endpoint: string;
  readonly region: string;
  readonly accountId: string;
  /** Outputs of the stack. */
  readonly outputs: Readonly<Record<string, string>>;
}

/** `$XDG_RUNTIME_DIR/alastor` where there is one, else a folder of the user's among the temporary files. */
function folder(): string {
  const runtime = process.env.XDG_RUNTIME_DIR;
  return runtime ? join(runtime, 'alastor') : join(tmpdir(), `alastor-${userInfo().uid}`);
}

/** Lets the other commands find an engine. Call what it returns when the engine stops. */
export function announce(engine: Engine): () => void {
  const where = folder();
  mkdirSync(where, { recursive: true, mode: 0o700 });
  if (!trusted(where)) {
    process.stderr.write(`alastor: ${where} can be written by others, so that other commands will not find this engine\n`);
    return () => undefined;
  }
  const { endpoint, region, accountId, outputs } = engine;
  const query = Object.keys(outputs).find((name) => name.endsWith('QueryUrl'));
  const told: LocalEngine = {
    ...{ pid: process.pid, started: new Date().toISOString(), ...(query === undefined ? {} : { query: engine.apiUrl(query) }) },
    ...{ endpoint, region, accountId, outputs },
  };
  const file = join(where, `engine-${process.pid}.json`);
  rmSync(file, { force: true });
  writeFileSync(file, `${JSON.stringify(told)}\n`, { mode: 0o600, flag: 'wx' });
  return () => {
    rmSync(file, { force: true });
    try {
      rmdirSync(where);
    } catch {
      // Another engine runs.
    }
  };
}

/** Engines of this user, newest first, and files of such that ended without removing theirs: those are removed here. */
export function runningEngines(): { readonly running: readonly LocalEngine[]; readonly stale: readonly number[] } {
  const where = folder();
  if (!trusted(where)) return { running: [], stale: [] };
  const running: LocalEngine[] = [];
  const stale: number[] = [];
  for (const name of readdirSync(where)) {
    const pid = Number(/^engine-(\d+)\.json$/.exec(name)?.[1]);
    if (!Number.isSafeInteger(pid)) continue;
    const file = join(where, name);
    const engine = read(file);
    if (engine !== undefined && alive(pid)) running.push(engine);
    else {
      stale.push(pid);
      rmSync(file, { force: true });
    }
  }
  return { running: running.sort((a, b) => (a.started < b.started ? 1 : -1)), stale };
}

function trusted(where: string): boolean {
  const found = lstatSync(where, { throwIfNoEntry: false });
  return found?.isDirectory() === true && found.uid === userInfo().uid && (found.mode & 0o022) === 0;
}

function read(file: string): LocalEngine | undefined {
  try {
    const told = JSON.parse(readFileSync(file, 'utf8')) as Partial<LocalEngine>;
    return typeof told.endpoint === 'string' && typeof told.outputs === 'object' ? (told as LocalEngine) : undefined;
  } catch {
    return undefined;
  }
}

function alive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}
