import { execFileSync, spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';

/** A directory with these files; an empty text makes an empty file. */
export function filesIn(folder: string, files: Readonly<Record<string, string>>): string {
  for (const [name, text] of Object.entries(files)) {
    mkdirSync(dirname(join(folder, name)), { recursive: true });
    writeFileSync(join(folder, name), text);
  }
  return folder;
}

export interface BuiltImage {
  readonly entrypoint: readonly string[];
  readonly cmd: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  readonly workingDirectory: string;
  /** Where its files can be read. */
  readonly root: string;
}

/** A real builder of container images that needs no daemon, with images and containers of its own. */
export class Builder {
  readonly folder = mkdtempSync(join(tmpdir(), 'alastor-builder-'));
  #images = 0;

  #run(...args: readonly string[]): string {
    const where = ['--storage-driver', 'vfs', '--root', join(this.folder, 'root'), '--runroot', join(this.folder, 'run')];
    return execFileSync('buildah', [...where, ...args], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });
  }

  /** An image under this name, of which others can be built: it has a directory /var/task and this entrypoint. */
  base(name: string, ...more: readonly string[]): void {
    const context = filesIn(join(this.folder, 'base'), {
      'files/var/task/.keep': '',
      Dockerfile: ['FROM scratch', 'COPY files /', ...more, ''].join('\n'),
    });
    this.#run('build', '-t', name, context);
  }

  /** @param options of the build, as `docker build` has them */
  build(context: string, file = 'Dockerfile', ...options: readonly string[]): BuiltImage {
    const name = `image-${this.#images++}`;
    const root = join(this.folder, name);
    const how = ['--pull-never', '--format', 'docker', '--output', `type=local,dest=${root}`];
    this.#run('build', ...how, ...options, '-f', join(context, file), '-t', name, context);
    const { OCIv1 } = JSON.parse(this.#run('inspect', '--type', 'image', name)) as {
      OCIv1: { config: { Entrypoint?: string[]; Cmd?: string[]; Env?: string[]; WorkingDir?: string } };
    };
    const { Entrypoint = [], Cmd = [], Env = [], WorkingDir = '/' } = OCIv1.config;
    const env = Object.fromEntries(Env.map((one) => [one.slice(0, one.indexOf('=')), one.slice(one.indexOf('=') + 1)]));
    return { entrypoint: Entrypoint, cmd: Cmd, env, workingDirectory: WorkingDir, root };
  }

  remove(): void {
    rmSync(this.folder, { recursive: true, force: true });
  }
}

/** Whether there is one here that works. */
export function builderWorks(): boolean {
  const builder = new Builder();
  try {
    builder.base('localhost/probe');
    return true;
  } catch {
    const installed = spawnSync('buildah', ['--version']).error === undefined;
    console.warn(`buildah ${installed ? 'does not work here (root?)' : 'is not installed'}: images are not built for real`);
    return false;
  } finally {
    builder.remove();
  }
}
