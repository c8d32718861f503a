import { readFile } from 'node:fs/promises';
import { get } from 'node:http';

/** Keys of the function's role. */
export interface Credentials {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly sessionToken?: string;
}

/** Keys that are good for a while. */
export interface PassingCredentials {
  readonly credentials: Credentials;
  /** ms since 1970. */
  readonly until: number;
}

/** Renewed so long before they expire, ms. */
const EARLY_MS = 60_000;
const ANSWER_MS = 1000;
const ANSWER_BYTES = 64 * 1024;
/** Where ECS and Fargate answer ("Task IAM role", Amazon ECS developer guide). */
const ECS = 'http://169.254.170.2';

let fetched: PassingCredentials | undefined;

/**
 * Keys stand in the environment of a Lambda function. Elsewhere it names where they can be had: an endpoint (Lambda with SnapStart,
 * ECS and Fargate, EKS Pod Identity), or a token that STS takes for them (EKS, other clusters with OIDC).
 * @throws Error when there are none
 */
export async function credentials(): Promise<Credentials> {
  const own = fromEnvironment();
  if (own !== undefined) return own;
  if (fetched === undefined || Date.now() > fetched.until - EARLY_MS) fetched = await fetchKeys(process.env);
  return fetched.credentials;
}

async function fetchKeys(env: NodeJS.ProcessEnv): Promise<PassingCredentials> {
  const uri = containerEndpoint(env);
  if (uri !== undefined) return fromContainer(uri, env);
  // Loaded where it is needed: not on Lambda.
  if (env.AWS_WEB_IDENTITY_TOKEN_FILE && env.AWS_ROLE_ARN) return (await import('./web-identity.ts')).assumeRole(env);
  throw new Error(
    'no credentials: neither AWS_ACCESS_KEY_ID nor AWS_CONTAINER_CREDENTIALS_FULL_URI or _RELATIVE_URI nor AWS_WEB_IDENTITY_TOKEN_FILE is set',
  );
}

export function containerEndpoint(env: NodeJS.ProcessEnv): string | undefined {
  const { AWS_CONTAINER_CREDENTIALS_RELATIVE_URI: relative, AWS_CONTAINER_CREDENTIALS_FULL_URI: full } = env;
  return relative ? `${ECS}${relative}` : full || undefined;
}

function fromEnvironment(): Credentials | undefined {
  const { AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_SESSION_TOKEN } = process.env;
  if (!AWS_ACCESS_KEY_ID || !AWS_SECRET_ACCESS_KEY) return undefined;
  return {
    accessKeyId: AWS_ACCESS_KEY_ID,
    secretAccessKey: AWS_SECRET_ACCESS_KEY,
    ...(AWS_SESSION_TOKEN ? { sessionToken: AWS_SESSION_TOKEN } : {}),
  };
}

interface ContainerCredentials {
  readonly AccessKeyId: string;
  readonly SecretAccessKey: string;
  readonly Token: string;
  readonly Expiration: string;
}

async function fromContainer(uri: string, env: NodeJS.ProcessEnv): Promise<PassingCredentials> {
  const { AWS_CONTAINER_AUTHORIZATION_TOKEN: given, AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE: file } = env;
  // Read every time: the cluster puts a new one there before the old one expires.
  const token = file ? (await readFile(file, 'utf8')).trim() : given;
  const found = JSON.parse(await answerOf(uri, token)) as ContainerCredentials;
  const until = Date.parse(found.Expiration);
  return {
    credentials: { accessKeyId: found.AccessKeyId, secretAccessKey: found.SecretAccessKey, sessionToken: found.Token },
    until: Number.isNaN(until) ? 0 : until,
  };
}

/** By `node:http`: the global `fetch` would load 10 MB for this one call. */
function answerOf(uri: string, token: string | undefined): Promise<string> {
  return new Promise((resolve, reject) => {
    const headers = token ? { Authorization: token } : {};
    const request = get(uri, { headers, agent: false, signal: AbortSignal.timeout(ANSWER_MS) }, (answer) => {
      let text = '';
      answer.setEncoding('utf8').on('data', (chunk: string) => {
        text += chunk;
        if (text.length > ANSWER_BYTES) request.destroy(new Error(`credentials endpoint ${uri} answered too much`));
      });
      answer.on('error', reject).on('end', () => {
        if (answer.statusCode === 200) resolve(text);
        else reject(new Error(`credentials endpoint ${uri} answered ${answer.statusCode}`));
      });
    });
    request.on('error', reject);
  });
}
