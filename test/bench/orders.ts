/** What the benchmark and the process of a variant say to each other. */
import type { Evidence } from './evidence.ts';

export type Order =
  | { readonly do: 'batch'; readonly work: string; readonly requests: number; readonly serviceLatencyMs: number }
  | { readonly do: 'cold' }
  | { readonly do: 'stop' };

export interface Batch {
  /** Of each request, ms. */
  readonly latencies: readonly number[];
  /** Of all instances, for one request, ms. */
  readonly cpuMs: number;
  readonly evidence: Evidence;
  /** Of the largest recorder, or of what stands in its place, KiB. */
  readonly rssKb: number;
  readonly pssKb: number;
  /** In the /tmp of all instances, KiB. */
  readonly tmpKb: number;
}

/** Ms. */
export interface Cold {
  /** From the invocation to the handler's first line. */
  readonly firstLine: number;
  /** From creating the function to its first answer. */
  readonly deploy: number;
  readonly tearDown: number;
}

export type Answer =
  | { readonly batch: Batch }
  | { readonly cold: Cold }
  | { readonly ready: number }
  | { readonly error: string };

/** How a world is started; JSON in its only argument. */
export interface WorldOptions {
  readonly variant: string;
  readonly assembly: string;
  readonly stateDir: string;
  readonly partnerAddress: string;
  readonly partnerPort: number;
}
