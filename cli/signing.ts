/** AWS Signature Version 4 for the query API, by the credentials that every AWS tool would take. */
import type { AwsAsked } from './aws.ts';

export type Sign = (url: URL) => Promise<Readonly<Record<string, string>>>;

/** `https://<id>.execute-api.<region>.amazonaws.com`, `https://<id>.lambda-url.<region>.on.aws`. */
const ADDRESS = /\.(execute-api|lambda-url)\.([a-z0-9-]+)\.(?:amazonaws\.com(?:\.cn)?|on\.aws)$/;

/**
 * Loaded only where requests are signed. A name of one's own says neither region nor service: then it is an API Gateway in the region
 * asked for. @throws Error naming what is missing: credentials or region
 */
export async function signer(endpoint: URL, { profile, region: asked }: AwsAsked): Promise<Sign> {
  const [{ SignatureV4 }, { SQSClient }] = await Promise.all([
    import('@smithy/signature-v4'),
    // Any client resolves credentials and region in the way all do.
    import('@aws-sdk/client-sqs'),
  ]);
  const [, service, named] = ADDRESS.exec(endpoint.hostname) ?? [];
  const region = asked ?? named;
  const { config } = new SQSClient({
    ...(profile === undefined ? {} : { profile }),
    ...(region === undefined ? {} : { region }),
  });
  const signature = new SignatureV4({
    service: service === 'lambda-url' ? 'lambda' : 'execute-api',
    region: await config.region().catch((cause: unknown) => {
      throw new Error(`no region: ${endpoint.hostname} does not tell it, so give --region or AWS_REGION`, { cause });
    }),
    credentials: () =>
      config.credentials().catch((cause: unknown) => {
        const why = cause instanceof Error ? cause.message : String(cause);
        const how = 'give --profile or AWS_PROFILE (`aws sso login` first), or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY';
        throw new Error(`no AWS credentials to sign with: ${why}\n${how}`, { cause });
      }),
    sha256: config.sha256,
  });
  return async (url) => {
    const query = Object.fromEntries(url.searchParams);
    const { protocol, hostname, port, pathname: path, host } = url;
    const signed = await signature.sign({
      ...{ method: 'GET', protocol, hostname, ...(port === '' ? {} : { port: Number(port) }), path, query, headers: { host } },
    });
    return signed.headers;
  };
}
