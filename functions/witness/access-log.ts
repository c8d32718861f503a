/** Access logs of API Gateway, in the format below. Variables: docs.aws.amazon.com/apigateway/latest/developerguide (`$context`). */
import type { AccessTestimony, Heard } from '../store/testimony.ts';
import { identifier, micros, words } from './fields.ts';

/** To be set as the stage's access log format. `$context.integration.requestId` is the id of the function's invocation. */
export const ACCESS_LOG_FORMAT = JSON.stringify({
  apiId: '$context.apiId',
  requestId: '$context.requestId',
  extendedRequestId: '$context.extendedRequestId',
  integrationRequestId: '$context.integration.requestId',
  requestTimeEpoch: '$context.requestTimeEpoch',
  sourceIp: '$context.identity.sourceIp',
  userAgent: '$context.identity.userAgent',
  method: '$context.httpMethod',
  path: '$context.path',
  status: '$context.status',
});

/** One line each; lines in another format are counted. */
export function readAccessLog(lines: readonly string[]): Heard {
  const testimonies: AccessTestimony[] = [];
  let unread = 0;
  for (const line of lines) {
    const said = readLine(line);
    if (said === undefined) unread++;
    else testimonies.push(said);
  }
  return { testimonies, unread };
}

function readLine(line: string): AccessTestimony | undefined {
  let fields: Record<string, unknown> | null;
  try {
    fields = JSON.parse(line) as typeof fields;
  } catch {
    return undefined;
  }
  const at = micros(fields?.requestTimeEpoch);
  const apiRequestId = identifier(fields?.requestId);
  if (!fields || at === undefined || apiRequestId === undefined) return undefined;
  const optional = {
    api: identifier(fields.apiId),
    extendedRequestId: identifier(fields.extendedRequestId),
    requestId: identifier(fields.integrationRequestId),
    sourceIp: words(fields.sourceIp, 128),
    userAgent: words(fields.userAgent),
    method: words(fields.method, 32),
    path: words(fields.path),
    status: words(fields.status, 8),
  };
  const known = Object.fromEntries(Object.entries(optional).filter(([, value]) => value !== undefined));
  return { what: 'access', witness: 'access-log', at, apiRequestId, ...known };
}
