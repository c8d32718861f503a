import { hash } from 'node:crypto';
import { Agent, type IncomingMessage, request } from 'node:http';
import { authorization, signingDate } from './aws-signature.ts';
import { credentials } from './environment-credentials.ts';
import { type SegmentStore, StoreRefusal } from './shipper.ts';

/** Connections not used for longer are not trusted: the environment was probably frozen, and the other end has gone. */
const STALE_MS = 3000;
/** Answers that do not change by asking again at once. */
const REFUSALS = new Set([400, 401, 403, 404, 405]);
/** Of an error's XML, of which only its code is wanted. */
const ERROR_BYTES = 8192;
/** A bucket elsewhere is found with the first redirection; more would be a circle. */
const REDIRECTIONS = 2;

interface Answer {
  readonly status: number;
  readonly headers: IncomingMessage['headers'];
  /** S3's name of the error (S3 API reference, "Error responses"), empty when there is none. */
  readonly code: string;
}

/**
 * Segments as S3 objects, written with `If-None-Match: *`: what is stored is never overwritten, not even by this function.
 * Region, credentials and endpoint come from the environment as for any AWS client. That client itself would take 20 MB and several
 * milliseconds of CPU per object, for one kind of request.
 */
export function s3Store(bucket: string | undefined): SegmentStore {
  if (bucket === undefined) {
    const refusal = new StoreRefusal('ALASTOR_BUCKET is not set: nothing can be stored');
    return { putNew: () => Promise.reject(refusal) };
  }
  const place = new BucketPlace(bucket);
  const client = new Client();
  return {
    async putNew(key, bytes, signal) {
      const payload = hash('sha256', bytes);
      for (let redirections = 0; ; redirections++) {
        const { path, url } = place.of(key);
        const headers = await signed(path, url.host, place.region, payload);
        const answer = await client.put(url, path, { ...headers, 'content-length': String(bytes.length) }, bytes, signal);
        if (answer.status < 300) return 'stored';
        if (answer.status === 412) return 'taken';
        if (redirections < REDIRECTIONS && place.follow(answer)) continue;
        const what = `${answer.status} ${answer.code}`.trim();
        if (REFUSALS.has(answer.status)) throw new StoreRefusal(`bucket ${bucket} refused ${key}: ${what}`);
        throw new Error(`bucket ${bucket} answered ${what} for ${key}`);
      }
    },
  };
}

/** Where the bucket is, as far as known. */
export class BucketPlace {
  readonly #bucket: string;
  readonly #custom = process.env.AWS_ENDPOINT_URL_S3 || process.env.AWS_ENDPOINT_URL;
  #redirected: URL | undefined;
  region = process.env.AWS_REGION || process.env.AWS_DEFAULT_REGION || 'us-east-1';

  constructor(bucket: string) {
    this.#bucket = bucket;
  }

  of(key: string): { readonly url: URL; readonly path: string } {
    const url = this.#redirected ?? this.#endpoint();
    const name = this.#byHost(url) ? '' : `/${encode(this.#bucket)}`;
    return { url, path: `${url.pathname.replace(/\/$/, '')}${name}/${key.split('/').map(encode).join('/')}` };
  }

  /** Whether the answer says where the bucket is instead (S3 user guide, "Making requests using the REST API", redirects). */
  follow({ status, headers, code }: Answer): boolean {
    if (status !== 301 && status !== 307 && code !== 'AuthorizationHeaderMalformed') return false;
    const region = headers['x-amz-bucket-region'];
    if (typeof region === 'string' && region !== this.region && /^[a-z0-9-]{1,32}$/.test(region)) {
      this.region = region;
      return true;
    }
    const { location = '' } = headers;
    if (status !== 307 || !URL.canParse(location)) return false;
    const [to, from] = [new URL(location), this.#endpoint()];
    // Segments go to AWS, or to the endpoint that was configured, and nowhere else.
    const known = this.#custom ? to.hostname === from.hostname : to.hostname.endsWith(`.${domainOf(this.region)}`);
    if (!known || to.protocol !== from.protocol) return false;
    this.#redirected = new URL('/', to);
    return true;
  }

  #endpoint(): URL {
    // A custom endpoint (local engine, LocalStack) has no name per bucket, and a certificate for a name with dots does not exist.
    if (this.#custom) return new URL(this.#custom);
    const host = `s3.${this.region}.${domainOf(this.region)}`;
    return new URL(`https://${this.#bucket.includes('.') ? '' : `${this.#bucket}.`}${host}/`);
  }

  #byHost(url: URL): boolean {
    return !this.#custom && url.hostname.startsWith(`${this.#bucket}.`);
  }
}

/** Domain of the partition of AWS that the region is in. */
function domainOf(region: string): string {
  return region.startsWith('cn-') ? 'amazonaws.com.cn' : 'amazonaws.com';
}

/** RFC 3986, as signatures want it. */
function encode(text: string): string {
  return encodeURIComponent(text).replace(/[!'()*]/g, (char) => `%${char.charCodeAt(0).toString(16).toUpperCase()}`);
}

async function signed(path: string, host: string, region: string, payload: string): Promise<Record<string, string>> {
  const keys = await credentials();
  const date = signingDate(new Date());
  const headers: Record<string, string> = {
    'content-type': 'application/zstd',
    host,
    'if-none-match': '*',
    // S3 asks for a checksum where a bucket has a default retention ("PutObject", Content-MD5).
    'x-amz-checksum-sha256': Buffer.from(payload, 'hex').toString('base64'),
    'x-amz-content-sha256': payload,
    'x-amz-date': date,
    ...(keys.sessionToken === undefined ? {} : { 'x-amz-security-token': keys.sessionToken }),
  };
  const scope = { region, service: 's3', date };
  return { ...headers, authorization: authorization({ method: 'PUT', path, query: '', headers, payload }, scope, keys) };
}

/** One kept connection, in the clear or with TLS. */
class Client {
  readonly #plain = new Agent({ keepAlive: true });
  #secure: Agent | undefined;
  #used = 0;

  put(url: URL, path: string, headers: Record<string, string>, body: Uint8Array, signal: AbortSignal): Promise<Answer> {
    if (Date.now() - this.#used > STALE_MS) {
      this.#plain.destroy();
      this.#secure?.destroy();
    }
    this.#used = Date.now();
    // Loaded only where it is needed: it reads all the roots that are trusted.
    const https = url.protocol === 'https:' ? process.getBuiltinModule('node:https') : undefined;
    if (https !== undefined) this.#secure ??= new https.Agent({ keepAlive: true });
    const agent = https === undefined ? this.#plain : this.#secure;
    const { hostname, port } = url;
    const options = { method: 'PUT', hostname: hostname.replace(/^\[|\]$/g, ''), port, path, headers, agent, signal };
    return new Promise((resolve, reject) => {
      const sent = (https?.request ?? request)(options, (answer) => {
        let text = '';
        answer.setEncoding('latin1').on('data', (chunk: string) => {
          if (text.length < ERROR_BYTES) text += chunk;
        });
        answer.on('error', reject).on('aborted', () => reject(new Error('the answer of S3 ended early')));
        answer.on('end', () => {
          const code = /<Code>([A-Za-z0-9]{1,64})<\/Code>/.exec(text)?.[1] ?? '';
          resolve({ status: answer.statusCode ?? 500, headers: answer.headers, code });
        });
      });
      sent.on('error', reject);
      sent.end(body);
    });
  }
}
