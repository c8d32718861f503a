import type { InstanceId } from '../../layers/record/types.ts';

/**
 * - `missing`: records that were numbered and are not there
 * - `deleted`: a segment was there and is not, or a delete marker hides it
 * - `altered`: the bytes are not those that were stored, or the next segment followed on
 * - `swapped`: what is stored under this key belongs under another
 * - `forged`: somebody else than the recorder wrote it, or it claims to be what it cannot be
 * - `overwritten`: stored more than once, with different bytes
 * - `reordered`: segments were stored in another order than the recorder stores them in
 * - `truncated`: the record ends where it should go on
 * - `silenced`: the platform tells of an invocation that no segment tells of
 * - `foreign`: an object that is no segment lies among segments
 * - `forgotten`: segments were deleted on purpose, and a tombstone says so
 */
export type FindingKind =
  | 'missing'
  | 'deleted'
  | 'altered'
  | 'swapped'
  | 'forged'
  | 'overwritten'
  | 'reordered'
  | 'truncated'
  | 'silenced'
  | 'foreign'
  | 'forgotten';

/** `certain`: nothing lawful looks like this. `likely`: something lawful would be very odd. `possible`: a crash looks the same. `told`: nothing is wrong. */
export type Sureness = 'certain' | 'likely' | 'possible' | 'told';

export interface Finding {
  readonly kind: FindingKind;
  readonly sure: Sureness;
  readonly function: string;
  /** Absent for an object that belongs to no instance. */
  readonly instanceId?: InstanceId;
  /** Key of the segment that it is about. */
  readonly segment?: string;
  /** First and last record that it is about. */
  readonly from?: number;
  readonly to?: number;
  /** Requests whose record is not whole, or cannot be trusted. Those that lie in a hole altogether cannot be named. */
  readonly requests: readonly string[];
  readonly why: string;
}
