/** One segment of a route: literal text, `{name}`, or `{name+}` which takes everything that is left. */
type Segment =
  | { readonly kind: 'literal'; readonly text: string }
  | { readonly kind: 'parameter' | 'greedy'; readonly name: string };

export interface RoutePattern {
  /** Upper case; `ANY` takes every method. */
  readonly method: string;
  readonly path: string;
  readonly segments: readonly Segment[];
}

export interface RouteMatch<R extends RoutePattern> {
  readonly route: R;
  readonly parameters: Readonly<Record<string, string>>;
}

export function segmentsOf(path: string): Segment[] {
  return path
    .split('/')
    .filter((text) => text !== '')
    .map((text) => {
      const match = /^\{([^}+]+)(\+?)\}$/.exec(text);
      return match === null
        ? { kind: 'literal', text }
        : { kind: match[2] === '+' ? 'greedy' : 'parameter', name: match[1] ?? '' };
    });
}

const decode = (text: string): string => {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
};

function parameters(route: RoutePattern, parts: readonly string[]): Record<string, string> | null {
  const found: Record<string, string> = {};
  for (const [index, segment] of route.segments.entries()) {
    const part = parts[index];
    if (part === undefined) return null;
    if (segment.kind === 'greedy') {
      found[segment.name] = decode(parts.slice(index).join('/'));
      return found;
    }
    if (segment.kind === 'literal') {
      if (segment.text !== decode(part)) return null;
    } else found[segment.name] = decode(part);
  }
  return parts.length === route.segments.length ? found : null;
}

/** Literal before parameter before greedy, segment by segment; then the method before ANY. */
function rank(route: RoutePattern): string {
  const order = { literal: 'a', parameter: 'b', greedy: 'c' };
  return `${route.segments.map((segment) => order[segment.kind]).join('')}${route.method === 'ANY' ? '~~' : '~'}`;
}

/** The most specific route for a request, as API Gateway chooses it; null when none fits. */
export function findRoute<R extends RoutePattern>(routes: readonly R[], method: string, path: string): RouteMatch<R> | null {
  const parts = path.split('/').filter((part) => part !== '');
  const fitting = routes.flatMap((route) => {
    if (route.method !== 'ANY' && route.method !== method) return [];
    const found = parameters(route, parts);
    return found === null ? [] : [{ route, parameters: found }];
  });
  fitting.sort((a, b) => (rank(a.route) < rank(b.route) ? -1 : 1));
  return fitting[0] ?? null;
}
