import { readFile } from 'node:fs/promises';
import { request } from 'node:http';
import type { PassingCredentials } from './environment-credentials.ts';

const ANSWER_MS = 5000;
const ANSWER_BYTES = 64 * 1024;

/**
 * Keys for the token that the cluster gave to the container (STS AssumeRoleWithWebIdentity, which needs no signature).
 * @throws Error with what STS said
 */
export async function assumeRole(env: NodeJS.ProcessEnv): Promise<PassingCredentials> {
  const region = env.AWS_REGION || env.AWS_DEFAULT_REGION || 'us-east-1';
  const domain = region.startsWith('cn-') ? 'amazonaws.com.cn' : 'amazonaws.com';
  const url = new URL(env.AWS_ENDPOINT_URL_STS || env.AWS_ENDPOINT_URL || `https://sts.${region}.${domain}/`);
  const form = new URLSearchParams({
    Action: 'AssumeRoleWithWebIdentity',
    Version: '2011-06-15',
    RoleArn: env.AWS_ROLE_ARN ?? '',
    RoleSessionName: env.AWS_ROLE_SESSION_NAME || 'alastor',
    WebIdentityToken: (await readFile(env.AWS_WEB_IDENTITY_TOKEN_FILE ?? '', 'utf8')).trim(),
  });
  const { status, text } = await post(url, form.toString());
  const part = (name: string): string | undefined => new RegExp(`<${name}>([^<]{1,8192})</${name}>`).exec(text)?.[1];
  const [accessKeyId, secretAccessKey, sessionToken] = ['AccessKeyId', 'SecretAccessKey', 'SessionToken'].map(part);
  if (status !== 200 || accessKeyId === undefined || secretAccessKey === undefined)
    throw new Error(
      `STS gave no keys for ${env.AWS_ROLE_ARN}: ${status} ${part('Code') ?? ''} ${part('Message') ?? ''}`.trim(),
    );
  const until = Date.parse(part('Expiration') ?? '');
  return {
    credentials: { accessKeyId, secretAccessKey, ...(sessionToken === undefined ? {} : { sessionToken }) },
    until: Number.isNaN(until) ? 0 : until,
  };
}

function post(url: URL, body: string): Promise<{ readonly status: number; readonly text: string }> {
  return new Promise((resolve, reject) => {
    const send = url.protocol === 'https:' ? process.getBuiltinModule('node:https').request : request;
    const headers = { 'Content-Type': 'application/x-www-form-urlencoded', 'Content-Length': String(Buffer.byteLength(body)) };
    const call = send(url, { method: 'POST', headers, agent: false, signal: AbortSignal.timeout(ANSWER_MS) }, (answer) => {
      let text = '';
      answer.setEncoding('utf8').on('data', (chunk: string) => {
        text += chunk;
        if (text.length > ANSWER_BYTES) call.destroy(new Error(`STS answered too much: ${url.host}`));
      });
      answer.on('error', reject).on('end', () => resolve({ status: answer.statusCode ?? 500, text }));
    });
    call.on('error', reject);
    call.end(body);
  });
}
