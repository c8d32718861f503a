import type { Finding } from '../functions/store/finding.ts';
import type { Noted } from '../functions/verify/evidence.ts';
import type { InstanceId } from '../layers/record/types.ts';
import { type Api, ApiError } from './api.ts';

/** Pages of a list that are read. */
const MOST_PAGES = 200;
/** What the lists of the API look back when nothing is said, in ms. */
const WEEK = 7 * 86_400_000;

interface Scope {
  readonly part: { readonly fn?: string; readonly instanceId?: InstanceId };
  /** ms since 1970. */
  readonly from: number;
  readonly to: number;
  readonly now: number;
}

interface Place {
  readonly fn: string;
  readonly instanceId: InstanceId;
}

/** What the query API knows beside the segments themselves: the second witness of `alastor verify`. */
export class Register {
  readonly #api: Api;

  constructor(api: Api) {
    this.#api = api;
  }

  /** Undefined when nothing of the instance was stitched; `cut` is told when there is more than the API gave. */
  async noted(instanceId: InstanceId, cut: string[]): Promise<Noted | undefined> {
    interface Answer {
      readonly segments: readonly { readonly segment: string; readonly digest: string }[];
      readonly requests: readonly { readonly requestId: string }[];
      readonly cut: readonly string[];
    }
    try {
      const told = await this.#api.get<Answer>(`instances/${instanceId}`, {}, ['segments', 'requests', 'cut']);
      // What is cut of the index does not matter here.
      const parts = told.cut.filter((line) => line.startsWith('requests, segments:'));
      cut.push(...parts.map((line) => `what was noted of instance ${instanceId}: ${line}`));
      return {
        digests: new Map(told.segments.map(({ segment, digest }) => [segment, digest])),
        requests: told.requests.map(({ requestId }) => requestId),
      };
    } catch (error) {
      if (error instanceof ApiError && error.status === 404) return undefined;
      throw error;
    }
  }

  /** Instances that were stitched; `cut` is told when there are others. */
  async instances({ part, from, to, now }: Scope, cut: string[]): Promise<readonly Place[]> {
    if (part.instanceId !== undefined && part.fn !== undefined) return [{ fn: part.fn, instanceId: part.instanceId }];
    interface Page {
      readonly instances: readonly { readonly instanceId: InstanceId; readonly function: string }[];
      readonly cursor?: string;
    }
    const query = {
      ...{ since: from * 1000 || (now - WEEK) * 1000, function: part.fn, limit: 100 },
      ...(Number.isFinite(to) ? { until: to * 1000 } : {}),
    };
    const found: Place[] = [];
    await this.#pages<Page>('instances', query, 'instances', cut, ({ instances }) => {
      found.push(...instances.map((one) => ({ fn: one.function, instanceId: one.instanceId })));
    });
    if (from === 0)
      cut.push('instances without any segment: looked for among those of the last 7 days; --from looks further back');
    return found;
  }

  /** Invocations that the platform saw and no instance recorded. */
  async silenced({ part, from, to, now }: Scope, cut: string[]): Promise<readonly Finding[]> {
    interface Gap {
      readonly at: number;
      readonly function?: string;
      readonly instanceId?: InstanceId;
      readonly requestId?: string;
    }
    interface Page {
      readonly gaps: readonly Gap[];
      readonly cursor?: string;
    }
    const query = { kind: 'silenced', since: from * 1000 || (now - WEEK) * 1000, function: part.fn, limit: 500 };
    const found: Finding[] = [];
    await this.#pages<Page>('gaps', query, 'gaps', cut, ({ gaps }) => {
      for (const { at, function: fn = '', instanceId, requestId } of gaps) {
        if (at / 1000 >= to || (part.instanceId !== undefined && part.instanceId !== instanceId)) continue;
        const why = `the platform reports an invocation at ${new Date(at / 1000).toISOString()} that no segment tells of`;
        const requests = requestId === undefined ? [] : [requestId];
        const place = { function: fn, ...(instanceId === undefined ? {} : { instanceId }) };
        found.push({ kind: 'silenced', sure: 'certain', ...place, requests, why });
      }
    });
    return found;
  }

  async #pages<Page extends { readonly cursor?: string }>(
    path: string,
    query: Readonly<Record<string, string | number | undefined>>,
    list: keyof Page & string,
    cut: string[],
    take: (page: Page) => void,
  ): Promise<void> {
    let cursor: string | undefined;
    for (let pages = 0; pages < MOST_PAGES; pages++) {
      const page: Page = await this.#api.get<Page>(path, { ...query, cursor }, [list]);
      take(page);
      cursor = page.cursor;
      if (cursor === undefined) return;
    }
    cut.push(`${path}: more than ${MOST_PAGES} pages; --from and --to ask for less`);
  }
}
