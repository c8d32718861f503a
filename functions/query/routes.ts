import type { Store } from '../store/connect.ts';
import { baseline, deviations } from './baseline.ts';
import { evidence } from './evidence.ts';
import { changes, gaps, inventory } from './gaps.ts';
import { instanceGraph, requestGraph, requestWorkflow } from './graphs.ts';
import { instance, instances, nothing, reuse } from './instances.ts';
import { functions, poison, requests, stats } from './lists.ts';
import { openApi } from './openapi.ts';
import { read } from './parameters.ts';
import { Problem } from './problem.ts';
import { search } from './search.ts';
import { deviation, explanation, path, reuseQuestion } from './stories.ts';
import { blast, causes, paths, trace } from './traces.ts';

export interface Asked {
  /** Named parts of the path. */
  readonly path: { readonly [name: string]: string };
  readonly query: URLSearchParams;
  readonly store: Store;
}
export type Route = (asked: Asked) => Promise<object>;

const document: Route = async ({ query }) => {
  read(nothing, query);
  return openApi();
};

/** All of the API; every route is a GET and answers JSON. contract.ts says what each takes and answers. */
export const routes: readonly (readonly [path: string, route: Route])[] = [
  ['/v1/openapi.json', document],
  ['/v1/stats', stats],
  ['/v1/functions', functions],
  ['/v1/requests', requests],
  ['/v1/requests/{reqId}/graph', requestGraph],
  ['/v1/requests/{reqId}/workflow', requestWorkflow],
  ['/v1/instances', instances],
  ['/v1/instances/{id}', instance],
  ['/v1/instances/{id}/graph', instanceGraph],
  ['/v1/instances/{id}/deviations', deviations],
  ['/v1/instances/{id}/reuse', reuse],
  ['/v1/baseline', baseline],
  ['/v1/inventory', inventory],
  ['/v1/changes', changes],
  ['/v1/gaps', gaps],
  ['/v1/segments/poison', poison],
  ['/v1/evidence', evidence],
  ['/v1/search', search],
  ['/v1/trace', trace],
  ['/v1/blast', blast],
  ['/v1/paths', paths],
  ['/v1/causes', causes],
  ['/v1/path', path],
  ['/v1/questions/deviation', deviation],
  ['/v1/questions/explanation', explanation],
  ['/v1/questions/reuse', reuseQuestion],
];

/** @throws Problem 404 when no route has this path */
export async function answer(rawPath: string, query: URLSearchParams, store: Store): Promise<object> {
  const parts = split(rawPath);
  for (const [pattern, route] of routes) {
    const path = match(split(pattern), parts);
    if (path !== undefined) return await route({ path, query, store });
  }
  throw new Problem(404, 'No such route', `${rawPath} is none of: ${routes.map(([pattern]) => pattern).join(', ')}`);
}

/** A stage or a base path may stand before the version. */
function split(path: string): readonly string[] {
  const from = path.indexOf('/v1/');
  return (from < 0 ? path : path.slice(from)).split('/').filter((part) => part !== '');
}

function match(pattern: readonly string[], parts: readonly string[]): { readonly [name: string]: string } | undefined {
  if (pattern.length !== parts.length) return undefined;
  const found: { [name: string]: string } = {};
  for (const [i, wanted] of pattern.entries()) {
    const part = parts[i] ?? '';
    const name = /^\{(.*)\}$/.exec(wanted)?.[1];
    if (name === undefined && part !== wanted) return undefined;
    if (name !== undefined) found[name] = decode(part, name);
  }
  return found;
}

function decode(part: string, name: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    throw new Problem(400, 'Invalid parameter', `${name}: is not percent-encoded UTF-8`, name);
  }
}
