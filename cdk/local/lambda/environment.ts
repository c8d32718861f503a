/** The environment variables of an instance. Source: "Defined runtime environment variables" in the Lambda developer guide. */
import { createHash } from 'node:crypto';
import { UnsupportedFunctionError } from './errors.ts';
import type { Runtime } from './runtimes.ts';
import type { FunctionSpec } from './types.ts';

export interface EnvironmentInput {
  readonly spec: FunctionSpec;
  readonly runtime: Runtime;
  /** `127.0.0.1:<port>` of this instance's Runtime API. */
  readonly runtimeApi: string;
  readonly logStream: string;
  readonly endpoint: string;
  /** Is there a /var/runtime/ca-cert.pem to point Node to? */
  readonly extraCa: boolean;
}

/** Lambda does not let users set these. */
const RESERVED = new Set([
  '_HANDLER',
  '_X_AMZN_TRACE_ID',
  'AWS_ACCESS_KEY',
  'AWS_ACCESS_KEY_ID',
  'AWS_DEFAULT_REGION',
  'AWS_EXECUTION_ENV',
  'AWS_LAMBDA_FUNCTION_MEMORY_SIZE',
  'AWS_LAMBDA_FUNCTION_NAME',
  'AWS_LAMBDA_FUNCTION_VERSION',
  'AWS_LAMBDA_INITIALIZATION_TYPE',
  'AWS_LAMBDA_LOG_GROUP_NAME',
  'AWS_LAMBDA_LOG_STREAM_NAME',
  'AWS_LAMBDA_RUNTIME_API',
  'AWS_REGION',
  'AWS_SECRET_ACCESS_KEY',
  'AWS_SESSION_TOKEN',
  'LAMBDA_RUNTIME_DIR',
  'LAMBDA_TASK_ROOT',
]);

/** What the runtime process has and extensions do not ("Extensions API" in the developer guide). */
const RUNTIME_ONLY = new Set([
  '_HANDLER',
  'AWS_EXECUTION_ENV',
  'AWS_LAMBDA_LOG_GROUP_NAME',
  'AWS_LAMBDA_LOG_STREAM_NAME',
  'AWS_XRAY_CONTEXT_MISSING',
  'AWS_XRAY_DAEMON_ADDRESS',
  'LAMBDA_RUNTIME_DIR',
  'LAMBDA_TASK_ROOT',
  '_AWS_XRAY_DAEMON_ADDRESS',
  '_AWS_XRAY_DAEMON_PORT',
]);

/** Refuses what CloudFormation would refuse. */
export function checkEnvironment(spec: FunctionSpec): void {
  for (const name of Object.keys(spec.environment)) {
    if (RESERVED.has(name)) {
      throw new UnsupportedFunctionError(spec.name, `environment variable ${name} is reserved by Lambda. Use another name.`);
    }
    if (!/^[a-zA-Z_][a-zA-Z0-9_]*$/.test(name)) {
      throw new UnsupportedFunctionError(spec.name, `"${name}" is not a valid name of an environment variable.`);
    }
  }
}

export function runtimeEnvironment(input: EnvironmentInput): Record<string, string> {
  const { spec, runtime } = input;
  const managed = runtime.family === 'node' || runtime.family === 'python';
  return {
    AWS_LAMBDA_FUNCTION_NAME: spec.name,
    AWS_LAMBDA_FUNCTION_VERSION: '$LATEST',
    AWS_LAMBDA_FUNCTION_MEMORY_SIZE: String(spec.memoryMb),
    AWS_LAMBDA_INITIALIZATION_TYPE: 'on-demand',
    AWS_LAMBDA_LOG_GROUP_NAME: `/aws/lambda/${spec.name}`,
    AWS_LAMBDA_LOG_STREAM_NAME: input.logStream,
    AWS_LAMBDA_RUNTIME_API: input.runtimeApi,
    AWS_REGION: spec.region,
    AWS_DEFAULT_REGION: spec.region,
    AWS_ENDPOINT_URL: input.endpoint,
    ...credentials(spec),
    AWS_XRAY_CONTEXT_MISSING: 'LOG_ERROR',
    AWS_XRAY_DAEMON_ADDRESS: '169.254.79.129:2000',
    _AWS_XRAY_DAEMON_ADDRESS: '169.254.79.129',
    _AWS_XRAY_DAEMON_PORT: '2000',
    LAMBDA_TASK_ROOT: '/var/task',
    LAMBDA_RUNTIME_DIR: '/var/runtime',
    _HANDLER: spec.handler,
    TZ: ':UTC',
    LANG: 'en_US.UTF-8',
    PATH: '/var/lang/bin:/usr/local/bin:/usr/bin/:/bin:/opt/bin',
    LD_LIBRARY_PATH: '/var/lang/lib:/lib64:/usr/lib64:/var/runtime:/var/runtime/lib:/var/task:/var/task/lib:/opt/lib',
    ...(managed ? { AWS_EXECUTION_ENV: `AWS_Lambda_${spec.runtime}` } : {}),
    ...((runtime.family === 'node' || runtime.family === 'image') && input.extraCa
      ? { NODE_EXTRA_CA_CERTS: '/var/runtime/ca-cert.pem' }
      : {}),
    ...runtime.environment,
    ...spec.environment,
  };
}

export function extensionEnvironment(input: EnvironmentInput): Record<string, string> {
  return Object.fromEntries(Object.entries(runtimeEnvironment(input)).filter(([name]) => !RUNTIME_ONLY.has(name)));
}

const digestOf = (arn: string) => createHash('sha256').update(arn).digest();

/** The access key of a function's role, by the function's ARN. */
export function accessKeyId(arn: string): string {
  const letters = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567';
  return `ASIA${Array.from(digestOf(arn).subarray(0, 16), (byte) => letters[byte % 32]).join('')}`;
}

/** Stable per function, so that a local service can tell who called. Signatures are not checked: this keeps no attacker out. */
function credentials(spec: FunctionSpec): Record<string, string> {
  return {
    AWS_ACCESS_KEY_ID: accessKeyId(spec.arn),
    AWS_SECRET_ACCESS_KEY: digestOf(spec.arn).toString('base64').slice(0, 40),
    AWS_SESSION_TOKEN: Buffer.from(`local-session:${spec.name}`).toString('base64'),
  };
}
