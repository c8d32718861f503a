/** What is missing from the record, and who noticed: the instance itself, the numbering of its segments, or another witness. */
import type { InstanceId } from '../../layers/record/types.ts';
import type { NodeId, Partition } from '../graph/ids.ts';
import type { Witness } from './testimony.ts';

/**
 * `silenced`: a witness reports an invocation that no instance recorded. `records`: numbers missing between two segments.
 * `unrecorded`: the platform started an instance in which the recorder did not come up. `witness`: what a witness said was lost.
 * `unexplained`: nothing that is configured explains what invoked the function. `unaudited`: a function without the layer.
 * `forgotten`: a segment was deleted on purpose (`alastor forget`).
 * `tampered`: the verification of the record found it altered, forged or taken away. `chain`: a segment does not follow on the one before. `gap`: the instance itself says that something is lost.
 */
export const GAP_KINDS = [
  'silenced',
  'unrecorded',
  'unexplained',
  'unaudited',
  'witness',
  'records',
  'chain',
  'gap',
  'forgotten',
  'tampered',
] as const;
export type GapKind = (typeof GAP_KINDS)[number];

export interface Gap {
  readonly kind: GapKind;
  /** µs: of the invocation, or of the segment that shows the gap. */
  readonly at: number;
  /** When S3 took that segment, µs; only where `at`, which the instance claims, lies more than an hour from it. */
  readonly received?: number;
  /** Undefined when the witness knows the API only. */
  readonly function?: string;
  readonly instanceId?: InstanceId;
  readonly requestId?: Partition;
  /** First and last seq: missing, or of the segment that does not follow. */
  readonly from?: number;
  readonly to?: number;
  /** Of kind `gap`; `why` also of `unexplained` (what the request says invoked it), `unrecorded`, `witness` and `forgotten` (by whom, and why). */
  readonly node?: NodeId;
  readonly why?: string;
  readonly lost?: number;
  /** Of kinds `tampered` and `forgotten`: the segment. */
  readonly detail?: string;
  /** Of kind `tampered`: requests whose record is not whole, or cannot be trusted. */
  readonly requests?: readonly string[];
  /** Of kind `silenced`: whether other invocations in the same log stream, thus the same instance, were recorded. */
  readonly instance?: 'recorded' | 'not recorded' | 'unknown';
  readonly witnesses?: readonly { readonly witness: Witness; readonly [fact: string]: string | number }[];
}
