import { tmpdir } from 'node:os';
import { isAbsolute, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { FUNCTION_NAME } from '../record/key.ts';
import { type Bodies, checkSettings, patternLines } from '../settings.ts';

export type Backend = 'shim' | 'strace';

/** What the environment says about a function that serves plain HTTP. */
export interface HttpSettings {
  /** Directory of the files shared with the shim. */
  readonly dir: string;
  /** Where requests come in: PORT, of-watchdog's `port`, or 8080. */
  readonly port: number;
  /** Where the program is to listen; 0: one that is free. */
  readonly innerPort: number;
  readonly backend: Backend | 'auto';
  /** S3 bucket, or `file:///directory`; undefined: nothing can be stored. */
  readonly bucket: string | undefined;
  readonly bodies: Bodies;
  /** The user's own expressions for secrets. */
  readonly redact: readonly string[];
  readonly fn: string;
  readonly version: string;
  readonly region: string;
  /** What was not understood; each is logged once, and the default holds. */
  readonly problems: readonly string[];
}

/** Never throws: a wrong setting must not keep the function from serving. */
export function readHttpSettings(env: NodeJS.ProcessEnv): HttpSettings {
  const directory = env.ALASTOR_BUCKET?.startsWith('file:') ? env.ALASTOR_BUCKET : undefined;
  const { texts, problems: wrong } = checkSettings(directory === undefined ? env : { ...env, ALASTOR_BUCKET: '' });
  const problems = [...wrong];
  if (directory !== undefined && !isDirectoryUrl(directory))
    problems.push('ALASTOR_BUCKET must be the name of an S3 bucket or file:///directory; it is ignored');
  const port = (name: string, fallback: number): number => {
    const text = env[name];
    if (text === undefined || text === '') return fallback;
    const value = Number(text);
    if (Number.isInteger(value) && value >= 0 && value < 65_536) return value;
    problems.push(`${name} must be a port number; it is ${JSON.stringify(text)}, ${fallback} is used`);
    return fallback;
  };
  const name = texts.ALASTOR_FUNCTION || env.OPENFAAS_NAME || env.K_SERVICE || env.HOSTNAME || 'unknown';
  const fn = `${texts.ALASTOR_QUALIFIER}${name}`;
  return {
    dir: env.ALASTOR_DIR ? texts.ALASTOR_DIR : join(tmpdir(), '.alastor'),
    port: port('PORT', port('port', 8080)),
    innerPort: Number(texts.ALASTOR_INNER_PORT),
    backend: texts.ALASTOR_BACKEND as HttpSettings['backend'],
    bodies: texts.ALASTOR_BODIES as Bodies,
    redact: patternLines(texts.ALASTOR_REDACT),
    bucket: (directory !== undefined && isDirectoryUrl(directory) ? directory : texts.ALASTOR_BUCKET) || undefined,
    fn: FUNCTION_NAME.test(fn) ? fn : 'unknown',
    version: env.K_REVISION || '$LATEST',
    region: env.AWS_REGION || env.AWS_DEFAULT_REGION || '',
    problems,
  };
}

function isDirectoryUrl(text: string): boolean {
  try {
    return isAbsolute(fileURLToPath(text));
  } catch {
    return false;
  }
}
