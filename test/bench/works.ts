/** What the functions are given to do. */
export interface Work {
  readonly name: string;
  readonly title: string;
  /** Requests of one batch. */
  readonly requests: number;
  /** Requests before them, not measured: connections broke while the process was stopped, caches cooled. */
  readonly warmUp: number;
  /** Whether it calls services, so that their latency matters. */
  readonly callsServices: boolean;
  /** Pause between requests, ms: what a request sets off besides its answer shall not slow the next one down. */
  readonly pauseMs: number;
}

export const WORKS: readonly Work[] = [
  {
    name: 'purchase',
    title: 'Hello, Retail! purchase workflow (four functions)',
    requests: 12,
    warmUp: 2,
    callsServices: true,
    pauseMs: 120,
  },
  { name: 'json', title: 'event-driven JSON function', requests: 30, warmUp: 2, callsServices: false, pauseMs: 15 },
  { name: 'http', title: 'outbound HTTP: 20 HTTPS requests', requests: 8, warmUp: 2, callsServices: true, pauseMs: 30 },
  {
    name: 'files',
    title: 'I/O: 10,000 files written, read, removed',
    requests: 3,
    warmUp: 1,
    callsServices: false,
    pauseMs: 60,
  },
  { name: 'fork', title: 'processes: 200 sh -c', requests: 2, warmUp: 1, callsServices: false, pauseMs: 60 },
];

/** Names under which the functions of single works are deployed; `purchase` is the sample's own. */
export const FUNCTION_WORKS = ['json', 'http', 'files', 'fork'] as const;

/** The event of the JSON function: an order of 40 lines, about 3 KB. */
export const ORDER = JSON.stringify({
  lines: Array.from({ length: 40 }, (_, i) => ({
    sku: `sku-${(i * 37) % 100}`,
    name: `Product ${i}`,
    price: 100 + i,
    quantity: 2,
  })),
});
