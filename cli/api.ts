/** The query API over HTTP: that of AWS, signed, or that of the engine on this machine. */
import { setTimeout as sleep } from 'node:timers/promises';
import { awsOptions, isLoopback } from './aws.ts';
import { runningEngines } from './local-engine.ts';
import { waiting } from './progress.ts';
import { safe } from './screen.ts';
import { type Sign, signer } from './signing.ts';
import { UsageError } from './usage.ts';

export const apiOptions = {
  endpoint: {
    type: 'string',
    value: 'url',
    says: 'address of the query API: stack output <id>QueryUrl (default: ALASTOR_ENDPOINT, or the engine on this machine)',
  },
  ...awsOptions,
} as const;

export interface ApiAsked {
  readonly endpoint?: string | undefined;
  readonly profile?: string | undefined;
  readonly region?: string | undefined;
}

export type Query = Readonly<Record<string, string | number | undefined>>;

export interface Api {
  readonly endpoint: string;
  /**
   * @param path below `/v1/`, its parts percent-encoded
   * @param lists what of the answer must be a list: an address of something else shall not look like an empty answer
   * @param what what is asked for, as said when it takes long
   * @throws ApiError with the API's own words when it refuses, Error when nobody answers
   */
  get<T>(path: string, query: Query, lists: readonly (keyof T & string)[], what?: string): Promise<T>;
}

/** The API refused. */
export class ApiError extends Error {
  override readonly name = 'ApiError';
  readonly status: number;
  /** What of the question was wrong, as the API names it. */
  readonly parameter: string | undefined;

  constructor(status: number, message: string, parameter?: string) {
    super(message);
    this.status = status;
    this.parameter = parameter;
  }
}

/** API Gateway gives up after 30 s. */
const TIMEOUT_MS = 60_000;
/** Pauses before asking again where asking again helps, in ms. */
const AGAIN_MS = [250, 1000, 4000] as const;
const LATER: ReadonlySet<number> = new Set([429, 502, 503, 504]);

/** @throws UsageError when there is no endpoint */
export async function connect(asked: ApiAsked): Promise<Api> {
  const endpoint = asked.endpoint ?? (process.env.ALASTOR_ENDPOINT || localEndpoint());
  const base = URL.canParse(endpoint) ? new URL(endpoint.replace(/\/*$/, '/')) : undefined;
  if (base === undefined || !/^https?:$/.test(base.protocol)) {
    throw new UsageError(`--endpoint (or ALASTOR_ENDPOINT) must be the address of the query API, not "${endpoint}"`);
  }
  const token = process.env.ALASTOR_TOKEN;
  const here = isLoopback(base.hostname);
  if (token && !here && base.protocol !== 'https:')
    throw new UsageError(`ALASTOR_TOKEN is sent over https only, not to ${base}`);
  // Nobody checks a signature on this machine, unless somebody says with what to sign.
  const signs = !token && (!here || asked.profile !== undefined);
  const sign: Sign = signs ? await signer(base, asked) : async () => (token ? { authorization: `Bearer ${token}` } : {});
  return {
    endpoint: base.href,
    async get(path, query, lists, what = `asking for ${path.split('/', 1)[0]}`) {
      const url = address(base, path, query);
      const { status, text } = await waiting(what, async () => {
        for (let tries = 0; ; tries++) {
          const found = await ask(url, await sign(url), base);
          const pause = AGAIN_MS[tries];
          if (!LATER.has(found.status) || pause === undefined) return found;
          await sleep(pause);
        }
      });
      return answered(base, status, text, lists, signs);
    },
  };
}

/** The newest engine on this machine. */
function localEndpoint(): string {
  const { running, stale } = runningEngines();
  const [engine, ...others] = running.filter(({ query }) => query !== undefined);
  for (const pid of stale) process.stderr.write(`alastor: the engine of process ${pid} has ended without tidying up\n`);
  if (others.length > 0) {
    process.stderr.write(
      `alastor: ${running.length} engines run here; asking the newest, of process ${engine?.pid} (--endpoint names another)\n`,
    );
  }
  if (engine?.query !== undefined) return engine.query;
  const why = running.length > 0 ? 'what runs on this machine has no Alastor in it' : 'no engine runs on this machine';
  throw new Error(
    `whom to ask? ${why}: give --endpoint or ALASTOR_ENDPOINT (the stack output <id>QueryUrl), or start \`alastor demo --keep\` or \`alastor local\``,
  );
}

/** Encoded as signatures want it, where a space is `%20`. */
function address(base: URL, path: string, query: Query): URL {
  const encode = (text: string) =>
    encodeURIComponent(text).replace(/[!'()*]/g, (char) => `%${char.charCodeAt(0).toString(16).toUpperCase()}`);
  const parts = Object.entries(query).flatMap(([name, value]) =>
    value === undefined ? [] : [`${encode(name)}=${encode(String(value))}`],
  );
  const url = new URL(`v1/${path}`, base);
  url.search = parts.join('&');
  return url;
}

async function ask(url: URL, headers: Readonly<Record<string, string>>, base: URL): Promise<{ status: number; text: string }> {
  try {
    const response = await fetch(url, { headers, redirect: 'error', signal: AbortSignal.timeout(TIMEOUT_MS) });
    return { status: response.status, text: await response.text() };
  } catch (cause) {
    const why = cause instanceof Error && cause.cause instanceof Error ? cause.cause.message || cause.message : String(cause);
    const how = isLoopback(base.hostname)
      ? 'does the engine (`alastor local`, `alastor demo --keep`) still run?'
      : 'is it right?';
    throw new Error(`${base} does not answer: ${why}; ${how}`, { cause });
  }
}

function answered<T>(base: URL, status: number, text: string, lists: readonly (keyof T & string)[], signed: boolean): T {
  let body: unknown;
  try {
    body = JSON.parse(text);
  } catch {
    throw new Error(`${base} is no query API of Alastor: it answered ${status} with something that is not JSON`);
  }
  const object = (typeof body === 'object' ? body : null) ?? {};
  if (status !== 200) {
    const { detail, title, message, Message, parameter } = object as Readonly<Record<string, unknown>>;
    const said = safe(String(detail ?? title ?? message ?? Message ?? 'refused'), 1000);
    const role = signed
      ? 'the credentials must be allowed execute-api:Invoke on this API; --profile names others'
      : 'it wants a signature or a token: give --profile, or ALASTOR_TOKEN';
    const named = typeof parameter === 'string' ? safe(parameter, 100) : undefined;
    throw new ApiError(status, `${status}: ${said}${status === 403 || status === 401 ? `\n${role}` : ''}`, named);
  }
  if (lists.every((name) => Array.isArray((object as Readonly<Record<string, unknown>>)[name]))) return object as T;
  throw new Error(`${base} answered with something else than asked for; is it a query API of this version?`);
}
