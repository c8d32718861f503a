import type { APIGatewayProxyEventV2, APIGatewayProxyStructuredResultV2, Context } from 'aws-lambda';
import { type Store, storeFromEnvironment } from '../store/connect.ts';
import { StoreError } from '../store/errors.ts';
import { emit, logger, nonZero } from '../telemetry/emit.ts';
import { Problem } from './problem.ts';
import { answer } from './routes.ts';

/** Bytes: Lambda takes 6,291,556 of a function's answer, in which the body stands as a JSON string; some is left for the envelope. */
const MAX_BODY = 6_200_000;
/** Characters of a body that is no larger, whatever is in it: escaped, and in UTF-8, one has at most three bytes. */
const SURELY_FITS = 1_000_000;

let store: Store | undefined;

/** The query API behind an API Gateway HTTP API (payload format 2.0). */
export async function handler(event: APIGatewayProxyEventV2, context?: Context): Promise<APIGatewayProxyStructuredResultV2> {
  store ??= storeFromEnvironment();
  logger.appendKeys({ requestId: context?.awsRequestId });
  return await respond(event, store);
}

export async function respond(event: APIGatewayProxyEventV2, from: Store): Promise<APIGatewayProxyStructuredResultV2> {
  const began = performance.now();
  let cut = false;
  let failed = false;
  try {
    const { method } = event.requestContext.http;
    if (method !== 'GET' && method !== 'HEAD')
      throw new Problem(405, 'Method not allowed', `${method}: this API is read with GET`);
    const query = new URLSearchParams(event.rawQueryString || (event.queryStringParameters as Record<string, string>) || '');
    const found = await answer(event.rawPath, query, from);
    cut = 'cut' in found && Array.isArray(found.cut) && found.cut.length > 0;
    const body = JSON.stringify(found);
    const size = body.length < SURELY_FITS ? 0 : Buffer.byteLength(JSON.stringify(body));
    if (size > MAX_BODY) {
      const detail = `the answer has ${size} bytes, of which ${MAX_BODY} can be sent; ask for less`;
      throw new Problem(413, 'Answer too large', detail, 'limit');
    }
    return { statusCode: 200, headers: { 'content-type': 'application/json', 'cache-control': 'no-store' }, body };
  } catch (error) {
    const problem = asProblem(error);
    failed = problem.status >= 500;
    const headers = { 'content-type': 'application/problem+json', 'cache-control': 'no-store' };
    return { statusCode: problem.status, headers, body: JSON.stringify(problem.body()) };
  } finally {
    emit(nonZero({ QueryLatency: performance.now() - began, QueryErrors: Number(failed), CutAnswers: Number(cut) }));
  }
}

function asProblem(error: unknown): Problem {
  if (error instanceof Problem) return error;
  logger.error('a question failed', { error: error instanceof Error ? error : new Error(String(error)) });
  if (error instanceof StoreError) return new Problem(503, 'Store unavailable', 'the store did not answer; try again');
  return new Problem(500, 'Internal error', 'the query failed; the function log says why');
}
