/** The query API as the demo asks it. Shapes: functions/query. */

export interface Evidence {
  readonly segment: string;
  readonly seq: number;
}
export interface PathStep {
  readonly node: string;
  readonly kind: string;
  readonly label: string;
  readonly role: string;
  readonly requestId?: string;
  readonly instanceId?: string;
  readonly function?: string;
  /** µs since 1970. */
  readonly at: number;
  readonly reason: string;
  readonly sure: 'exact' | 'inferred';
  /** Of a hand-over: the identifier that both ends know. */
  readonly by?: string;
  readonly evidence: readonly Evidence[];
  /** Index of the step that it explains; absent for the start. */
  readonly parent?: number;
}
export interface PathAnswer {
  readonly steps: readonly PathStep[];
  readonly requests: readonly {
    readonly requestId: string;
    readonly instanceId: string;
    readonly function: string;
    readonly entry: boolean;
  }[];
  readonly instances: readonly string[];
  readonly reused: readonly {
    readonly what: string;
    readonly label: string;
    readonly instanceId: string;
    readonly from: string;
    readonly to: string;
  }[];
  /** The steps, by index, that belong to one act of one process. */
  readonly acts: readonly {
    readonly head: number;
    readonly steps: readonly number[];
    readonly at: number;
    readonly text: string;
  }[];
  readonly cut: readonly string[];
}
export interface GraphAnswer {
  readonly counts: { readonly nodes: number; readonly edges: number };
  readonly nodes: readonly { readonly id: string; readonly kind: string; readonly label: string }[];
  readonly edges: readonly {
    readonly from: string;
    readonly to: string;
    readonly op: string;
    readonly sure: 'exact' | 'inferred';
    readonly by?: string;
  }[];
  readonly cut: readonly string[];
}
export interface WorkflowAnswer extends GraphAnswer {
  readonly requests: readonly {
    readonly node: string;
    readonly requestId: string;
    readonly instanceId: string;
    readonly function: string;
  }[];
}
export interface SearchAnswer {
  readonly results: readonly {
    readonly node: string;
    readonly kind: string;
    readonly label: string;
    readonly seen: readonly { readonly requestId?: string }[];
  }[];
}
export interface Stats {
  readonly requests: number;
  readonly records: number;
  readonly segments: number;
  readonly gaps: number;
  readonly instances: number;
  readonly functions: number;
}

export class Api {
  readonly url: string;

  /** `url`: base address of the API, ending in `/`. */
  constructor(url: string) {
    this.url = url;
  }

  address(path: string, query: Readonly<Record<string, string>> = {}): string {
    const search = new URLSearchParams(query).toString();
    return `${this.url}v1/${path}${search === '' ? '' : `?${search}`}`;
  }

  /** @throws Error with the API's own words when it does not answer 200. */
  async get<T>(path: string, query: Readonly<Record<string, string>> = {}): Promise<T> {
    const address = this.address(path, query);
    const response = await fetch(address);
    const text = await response.text();
    if (response.status !== 200)
      throw new Error(`GET ${address}: the query API answered ${response.status}: ${text.slice(0, 500)}`);
    return JSON.parse(text) as T;
  }

  /** Lambda request that an API Gateway request became. @throws Error when it has not been stitched. */
  async entryRequest(apiRequestId: string): Promise<string> {
    const { results } = await this.get<SearchAnswer>('search', { q: `apigw:${apiRequestId}` });
    const found = results
      .find(({ kind }) => kind === 'request')
      ?.seen.find(({ requestId }) => requestId !== undefined)?.requestId;
    if (found === undefined)
      throw new Error(`No request came from API Gateway request ${apiRequestId}: its segments have not been stitched.`);
    return found;
  }
}
