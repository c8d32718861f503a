/** Which runtimes the engine knows, what they need mounted at /var/lang and how they are started. */
import { statSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { UnsupportedFunctionError } from './errors.ts';
import type { FunctionImage, FunctionSpec } from './types.ts';

export interface Runtime {
  readonly family: 'node' | 'python' | 'provided' | 'image';
  /** bubblewrap arguments that make /var/lang. */
  readonly mounts: readonly string[];
  /** What AWS_LAMBDA_EXEC_WRAPPER gets as its arguments, or is started as it is. */
  readonly command: readonly string[];
  /** Environment of the runtime process that depends on the runtime; the user's own values win over it. */
  readonly environment: Readonly<Record<string, string>>;
}

const SYSTEM_PYTHON = '/usr/bin/python3';

/**
 * Resolves `spec.runtime`. All `nodejs` versions run on the Node 24 that this project brings, all `python` versions on the
 * system's Python 3: the local engine checks the application's behaviour, not a language version.
 * Throws UnsupportedFunctionError for other runtimes and for a missing bootstrap or interpreter.
 */
export function runtimeOf(spec: FunctionSpec, optDir: string | undefined): Runtime {
  return spec.image === undefined ? managed(spec, optDir) : imageRuntime(spec, spec.image, managed(spec, optDir));
}

function managed(spec: FunctionSpec, optDir: string | undefined): Runtime {
  if (/^nodejs(20|22|24)\.x$/.test(spec.runtime)) return nodeRuntime(spec.runtime);
  if (/^python3\.(9|1[0-4])$/.test(spec.runtime)) return pythonRuntime(spec);
  if (/^provided\.al2(023)?$/.test(spec.runtime)) return providedRuntime(spec, optDir);
  throw new UnsupportedFunctionError(
    spec.name,
    `runtime "${spec.runtime}" cannot run locally. Supported: nodejs20.x, nodejs22.x, nodejs24.x, python3.9 to python3.14, ` +
      'provided.al2, provided.al2023.',
  );
}

/** In a Lambda image the managed runtime is there to be started; in one of a language only the language is. */
function imageRuntime(spec: FunctionSpec, { lambda, command, mounts, environment }: FunctionImage, base: Runtime): Runtime {
  if (command.length === 0)
    throw new UnsupportedFunctionError(spec.name, 'its image says nothing to start: set CMD or ENTRYPOINT.');
  const starter = lambda
    ? ['--symlink', '/var/runtime/lambda-entrypoint.sh', '/lambda-entrypoint.sh']
    : ['--symlink', '/var/runtime/docker-entrypoint.sh', '/var/lang/bin/docker-entrypoint.sh'];
  return {
    family: 'image',
    mounts: [...base.mounts, ...starter, ...mounts],
    command,
    environment: {
      ...(lambda ? { ...base.environment, AWS_EXECUTION_ENV: `AWS_Lambda_${spec.runtime}` } : {}),
      ...environment,
    },
  };
}

function nodeRuntime(name: string): Runtime {
  const major = name.slice('nodejs'.length, -'.x'.length);
  return {
    family: 'node',
    mounts: ['--ro-bind', nodeBinary(), '/var/lang/bin/node'],
    command: ['/var/lang/bin/node', '--max-http-header-size=81920', '/var/runtime/node.mjs'],
    environment: {
      NODE_PATH: `/opt/nodejs/node${major}/node_modules:/opt/nodejs/node_modules:/var/runtime/node_modules:/var/runtime:/var/task`,
    },
  };
}

function pythonRuntime(spec: FunctionSpec): Runtime {
  if (!isFile(SYSTEM_PYTHON)) {
    throw new UnsupportedFunctionError(spec.name, `${SYSTEM_PYTHON} does not exist. Install it: apt-get install python3`);
  }
  return {
    family: 'python',
    mounts: [
      ...['--symlink', SYSTEM_PYTHON, '/var/lang/bin/python3'],
      ...['--symlink', SYSTEM_PYTHON, `/var/lang/bin/${spec.runtime}`],
    ],
    command: [`/var/lang/bin/${spec.runtime}`, '/var/runtime/python.py'],
    environment: { PYTHONPATH: '/var/runtime', SSL_CERT_FILE: '/etc/pki/tls/certs/ca-bundle.crt' },
  };
}

function providedRuntime(spec: FunctionSpec, optDir: string | undefined): Runtime {
  const inCode = isFile(join(spec.codeDir, 'bootstrap'));
  if (!inCode && (optDir === undefined || !isFile(join(optDir, 'bootstrap')))) {
    throw new UnsupportedFunctionError(spec.name, `${spec.runtime} needs a file "bootstrap" in the code or in a layer.`);
  }
  return {
    family: 'provided',
    mounts: [],
    command: [inCode ? '/var/task/bootstrap' : '/opt/bootstrap'],
    environment: {},
  };
}

/** The binary of the npm package `node` when the engine itself runs on an older one. */
function nodeBinary(): string {
  if (Number(process.versions.node.split('.')[0]) >= 24) return process.execPath;
  return join(dirname(createRequire(import.meta.url).resolve('node/package.json')), 'bin', 'node');
}

function isFile(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isFile() === true;
}
