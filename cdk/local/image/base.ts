import { baseName } from '../../image-start.ts';

/** What the engine has in place of an image that others are built on: its own runtimes, in the same places. */
export interface BaseImage {
  /** As a managed runtime is called. */
  readonly runtime: string;
  /** Has AWS's runtime and `/lambda-entrypoint.sh` in it; else it is a language and nothing more. */
  readonly lambda: boolean;
  readonly environment: Readonly<Record<string, string>>;
  readonly workingDirectory: string;
}

const PATH = '/var/lang/bin:/usr/local/bin:/usr/bin/:/bin:/opt/bin';

/** What can be built on: for errors. */
export const KNOWN_BASES = 'public.ecr.aws/lambda/nodejs, public.ecr.aws/lambda/python, node and python';

/** Undefined when the engine has nothing like it. */
export function baseImage(image: string): BaseImage | undefined {
  const [, lambda, language = '', version = ''] =
    /^(lambda\/)?(nodejs|node|python):v?(\d+(?:\.\d+)?)/.exec(baseName(image)) ?? [];
  if (language === '' || language === (lambda === undefined ? 'nodejs' : 'node')) return undefined;
  const runtime = language === 'python' ? `python${version}` : `nodejs${version.split('.')[0]}.x`;
  if (lambda === undefined) return { runtime, lambda: false, environment: { PATH }, workingDirectory: '/' };
  const environment = { PATH, LAMBDA_TASK_ROOT: '/var/task', LAMBDA_RUNTIME_DIR: '/var/runtime' };
  return { runtime, lambda: true, environment, workingDirectory: '/var/task' };
}
