import type { AwsCredentialIdentity, AwsCredentialIdentityProvider } from '@aws-sdk/types';

/**
 * Takes the place of the AWS client's credential chain in the bundle: inside a function there are only two sources, and the
 * others (profiles, SSO, instance metadata) are a fifth of the client. Keys come from the environment or, for functions with
 * SnapStart, from the endpoint the environment names (Lambda documentation, "Handling credentials with SnapStart").
 */
export function defaultProvider(): AwsCredentialIdentityProvider {
  return async () => fromEnvironment() ?? (await fromContainer());
}

function fromEnvironment(): AwsCredentialIdentity | undefined {
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

async function fromContainer(): Promise<AwsCredentialIdentity> {
  const { AWS_CONTAINER_CREDENTIALS_FULL_URI: uri, AWS_CONTAINER_AUTHORIZATION_TOKEN: token } = process.env;
  if (!uri) throw new Error('no credentials: neither AWS_ACCESS_KEY_ID nor AWS_CONTAINER_CREDENTIALS_FULL_URI is set');
  const answer = await fetch(uri, { headers: token ? { Authorization: token } : {}, signal: AbortSignal.timeout(1000) });
  if (!answer.ok) throw new Error(`credentials endpoint ${uri} answered ${answer.status}`);
  const found = (await answer.json()) as ContainerCredentials;
  return {
    accessKeyId: found.AccessKeyId,
    secretAccessKey: found.SecretAccessKey,
    sessionToken: found.Token,
    expiration: new Date(found.Expiration),
  };
}
