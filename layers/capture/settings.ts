import { existsSync } from 'node:fs';
import { isIP } from 'node:net';
import { FUNCTION_NAME } from '../record/key.ts';
import {
  type Bodies,
  checkSettings,
  type NetworkSource,
  patternLines,
  type RequestSource,
  type Ship,
  shipOf,
} from '../settings.ts';

/** Everything the environment decides. Names that begin with AWS_ are those the platform sets for extensions. */
export interface Settings {
  /** Directory of the files shared with the wrapper and the shim. */
  readonly dir: string;
  /** `host:port` of the Extensions API. */
  readonly extensionsApi: string;
  /** `host:port` the Runtime API proxy forwards to; another proxying extension may stand between. */
  readonly upstream: string;
  readonly ship: Ship;
  readonly bodies: Bodies;
  /** The user's own expressions for secrets. */
  readonly redact: readonly string[];
  /** What is wrong with the settings, one sentence each. The function runs regardless. */
  readonly problems: readonly string[];
  /** Undefined: nothing can be shipped. */
  readonly bucket: string | undefined;
  readonly fn: string;
  readonly version: string;
  readonly region: string;
  readonly runtime: string;
  readonly memoryMb: number;
  readonly initType: string;
  /** What is to see HTTP exchanges. */
  readonly network: NetworkSource;
  /** What is to see where requests begin and end. */
  readonly requests: RequestSource;
  /** The function runs on Node, whose traffic the tap sees: other programs are the exception. */
  readonly node: boolean;
  /** Requests run concurrently, and only SHUTDOWN may be registered (Lambda Managed Instances). */
  readonly managed: boolean;
}

export function readSettings(env: NodeJS.ProcessEnv): Settings {
  const api = env.AWS_LAMBDA_RUNTIME_API ?? '127.0.0.1:9001';
  const initType = env.AWS_LAMBDA_INITIALIZATION_TYPE ?? 'on-demand';
  const { texts, problems } = checkSettings(env);
  const fn = `${texts.ALASTOR_QUALIFIER}${env.AWS_LAMBDA_FUNCTION_NAME ?? 'unknown'}`;
  return {
    dir: texts.ALASTOR_DIR,
    extensionsApi: api,
    upstream: texts.ALASTOR_UPSTREAM_RUNTIME_API || api,
    ship: shipOf(texts.ALASTOR_SHIP) ?? { when: 'end' },
    bodies: texts.ALASTOR_BODIES as Bodies,
    redact: patternLines(texts.ALASTOR_REDACT),
    problems,
    bucket: texts.ALASTOR_BUCKET || undefined,
    fn: FUNCTION_NAME.test(fn) ? fn : 'unknown',
    version: env.AWS_LAMBDA_FUNCTION_VERSION || '$LATEST',
    region: env.AWS_REGION ?? env.AWS_DEFAULT_REGION ?? '',
    runtime: env.AWS_EXECUTION_ENV ?? '',
    memoryMb: Number.parseInt(env.AWS_LAMBDA_FUNCTION_MEMORY_SIZE ?? '', 10) || 0,
    initType,
    network: texts.ALASTOR_NETWORK as NetworkSource,
    requests: texts.ALASTOR_REQUESTS as RequestSource,
    node: /nodejs/i.test(env.AWS_EXECUTION_ENV ?? '') || existsSync('/var/lang/bin/node'),
    managed: initType === 'lambda-managed-instances',
  };
}

/** Longest wait for a name when Init must go on. */
const RESOLVE_MS = 150;

/**
 * `addr:port` of AWS endpoint overrides that lead to this machine (the local engine, LocalStack): the shim would leave local
 * addresses alone. Taken from ALASTOR_STEER and every AWS_ENDPOINT_URL*; `addr:port/http` where no TLS is to be expected.
 */
export async function steeredEndpoints(env: NodeJS.ProcessEnv): Promise<string[]> {
  const found = new Set(
    (env.ALASTOR_STEER ?? '').split(',').filter((entry) => /^[0-9a-fA-F.:[\]]+:\d+(?:\/http)?$/.test(entry)),
  );
  const urls = Object.entries(env).flatMap(([name, value]) =>
    name.startsWith('AWS_ENDPOINT_URL') && value !== undefined && URL.canParse(value) ? [new URL(value)] : [],
  );
  await Promise.all(
    urls.map(async (url) => {
      const port = url.port || (url.protocol === 'https:' ? '443' : '80');
      for (const address of await addresses(url.hostname.replace(/^\[|\]$/g, '')))
        found.add(`${address}:${port}${url.protocol === 'http:' ? '/http' : ''}`);
    }),
  );
  return [...found];
}

async function addresses(host: string): Promise<readonly string[]> {
  if (isIP(host) !== 0) return [host];
  const late = new Promise<readonly string[]>((resolve) => setTimeout(resolve, RESOLVE_MS, []).unref());
  const { lookup } = process.getBuiltinModule('node:dns/promises');
  const all = lookup(host, { all: true }).then(
    (list) => list.map(({ address }) => address).filter((address) => /^127\.|^::1$/.test(address)),
    () => [],
  );
  return Promise.race([all, late]);
}
