/** Which AWS account a command talks to. */
import { runningEngines } from './local-engine.ts';

export const awsOptions = {
  profile: { type: 'string', value: 'name', says: 'profile of the AWS configuration (default: AWS_PROFILE)' },
  region: { type: 'string', value: 'name', says: 'AWS region (default: AWS_REGION, or that of the profile)' },
} as const;

/** The same of commands that ask services of AWS, which may be others' or the local engine's. */
export const serviceOptions = {
  ...awsOptions,
  endpoint: {
    type: 'string',
    value: 'url',
    says: 'address of the AWS services, e.g. of `alastor local` (default: AWS_ENDPOINT_URL, or AWS itself)',
  },
} as const;

export interface AwsAsked {
  readonly profile?: string | undefined;
  readonly region?: string | undefined;
  /** Address of the AWS services, where they are not AWS's own. */
  readonly endpoint?: string | undefined;
}

/** Configuration for a client of the AWS SDK, which looks for what is missing as every AWS tool does. */
export function clientOf({ profile, region, endpoint = process.env.AWS_ENDPOINT_URL }: AwsAsked): {
  readonly profile?: string;
  readonly region?: string;
  readonly endpoint?: string;
  readonly credentials?: { readonly accessKeyId: string; readonly secretAccessKey: string };
} {
  const named = profile !== undefined || process.env.AWS_PROFILE !== undefined || process.env.AWS_ACCESS_KEY_ID !== undefined;
  const here = endpoint !== undefined && URL.canParse(endpoint) && isLoopback(new URL(endpoint).hostname);
  return {
    ...(profile === undefined ? {} : { profile }),
    ...(region === undefined ? {} : { region }),
    ...(endpoint === undefined ? {} : { endpoint }),
    // The engine on this machine takes any.
    ...(here && !named ? { credentials: { accessKeyId: 'local', secretAccessKey: 'local' } } : {}),
  };
}

export const isLoopback = (host: string): boolean =>
  host === 'localhost' || host === '[::1]' || /^127\.\d+\.\d+\.\d+$/.test(host);

/**
 * Fills in what was left out from the engine on this machine: outputs of its stack, by how their names end, and its address.
 * Nothing is filled in when any of them was given: then something else is meant.
 */
export function located<Asked extends AwsAsked & { readonly [name: string]: unknown }>(
  asked: Asked,
  outputs: { readonly [Name in keyof Asked]?: string },
): Asked {
  const [engine] = runningEngines().running;
  if (
    engine === undefined ||
    [...Object.keys(outputs), 'endpoint', 'profile', 'region'].some((name) => asked[name] !== undefined)
  )
    return asked;
  const found = Object.entries(outputs).map(([name, suffix]) => {
    const output = Object.keys(engine.outputs).find((one) => suffix !== undefined && one.endsWith(suffix));
    return [name, output === undefined ? undefined : engine.outputs[output]] as const;
  });
  return { ...asked, ...Object.fromEntries(found), endpoint: engine.endpoint, region: engine.region };
}
