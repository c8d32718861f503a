import { get } from 'node:http';

/** Keys of the function's role. */
export interface Credentials {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly sessionToken?: string;
}

/** Renewed so long before they expire, ms. */
const EARLY_MS = 60_000;
const ANSWER_MS = 1000;
const ANSWER_BYTES = 64 * 1024;

let fetched: { readonly credentials: Credentials; readonly until: number } | undefined;

/**
 * Inside a function there are two sources of keys: the environment and, for functions with SnapStart, the endpoint that the
 * environment names (Lambda documentation, "Handling credentials with SnapStart").
 * @throws Error when there are none
 */
export async function credentials(): Promise<Credentials> {
  const own = fromEnvironment();
  if (own !== undefined) return own;
  if (fetched === undefined || Date.now() > fetched.until - EARLY_MS) fetched = await fromContainer();
  return fetched.credentials;
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

async function fromContainer(): Promise<NonNullable<typeof fetched>> {
  const { AWS_CONTAINER_CREDENTIALS_FULL_URI: uri, AWS_CONTAINER_AUTHORIZATION_TOKEN: token } = process.env;
  if (!uri) throw new Error('no credentials: neither AWS_ACCESS_KEY_ID nor AWS_CONTAINER_CREDENTIALS_FULL_URI is set');
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
