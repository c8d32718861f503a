import { shown } from '../functions/graph/ids.ts';

/** The query API over HTTP. */
export interface Api {
  /** @throws Error with the API's own words when it refuses */
  get(path: string, query?: Readonly<Record<string, string>>): Promise<unknown>;
}

/** @param endpoint address of the query API, as the stack's output or `alastor local` names it */
export function connect(endpoint: string): Api {
  const base = endpoint.replace(/\/*$/, '/');
  return {
    async get(path, query = {}) {
      const url = new URL(`${base}v1/${path}`);
      for (const [name, value] of Object.entries(query)) url.searchParams.set(name, value);
      const response = await fetch(url, { redirect: 'error', signal: AbortSignal.timeout(60_000) }).catch((cause: unknown) => {
        const why = cause instanceof Error && cause.cause instanceof Error ? cause.cause.message : String(cause);
        throw new Error(`${base} does not answer: ${why}`, { cause });
      });
      const text = await response.text();
      let body: unknown;
      try {
        body = JSON.parse(text);
      } catch {
        throw new Error(`${base} is no query API of Alastor: it answered ${response.status} with something that is not JSON`);
      }
      if (response.ok) return body;
      const { detail, title, message } = (body ?? {}) as Readonly<Record<string, unknown>>;
      throw new Error(shown(`${response.status}: ${String(detail ?? title ?? message ?? 'refused')}`, 1000));
    },
  };
}
