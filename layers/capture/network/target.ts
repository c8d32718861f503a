import { parse } from 'node:url';
import { WildcardMatcher } from 'mockttp/dist/rules/matchers';
import type { OngoingRequest } from 'mockttp/dist/types';

/**
 * Matches every request, and keeps its target as the client wrote it.
 *
 * mockttp builds the upstream path from a parsed URL, which rewrites it: `/a/../b` becomes `/b`, `'` becomes `%27`. A
 * signed request would not be the signed one any more, and an S3 key could become another. url.parse(), which mockttp
 * uses, returns its own result as it is, so a corrected one of those is what it gets. HTTP/2 requests do not allow the
 * replacement; their targets go through the parser.
 */
export class EveryRequest extends WildcardMatcher {
  override matches(request?: OngoingRequest): boolean {
    const descriptor = request && Object.getOwnPropertyDescriptor(request, 'url');
    if (request?.path?.startsWith('/') && descriptor?.writable) {
      const question = request.path.indexOf('?');
      const exact = Object.assign(parse(request.url), {
        pathname: question === -1 ? request.path : request.path.slice(0, question),
        search: question === -1 ? null : request.path.slice(question),
      });
      Object.defineProperty(request, 'url', { value: exact, writable: true, configurable: true });
    }
    return true;
  }
}
