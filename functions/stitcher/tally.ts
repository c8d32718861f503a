import { parseSegmentKey } from '../../layers/record/key.ts';
import { type MetricName, PER_FUNCTION } from '../telemetry/catalogue.ts';
import { emit, nonZero } from '../telemetry/emit.ts';
import type { Outcome } from './stitch.ts';

type Sums = Partial<Record<MetricName, number>>;

/** What one invocation of the stitcher did, for its metrics. */
export class Tally {
  readonly #sums: Sums = {};
  readonly #lags: number[] = [];
  readonly #functions = new Map<string, Sums>();

  add(values: Readonly<Sums>): void {
    for (const [name, value] of Object.entries(values) as [MetricName, number][])
      this.#sums[name] = (this.#sums[name] ?? 0) + value;
  }

  /**
   * @param again the segment may have been stitched by an attempt that died before it was counted: its losses count, perhaps twice
   * @param restitching somebody asked for it again; how late it is says nothing
   */
  segment(key: string, outcome: Outcome, again: boolean, restitching: boolean): void {
    if (outcome.done === 'ignored') return;
    const fn = parseSegmentKey(key)?.fn ?? '~unnamed';
    if (outcome.done === 'set-aside') {
      this.#of(fn, { SetAside: 1 });
      return;
    }
    const { records: Records, requests: Requests, bytes: SegmentBytes, spills: Spills, linksCut: LinksCut } = outcome;
    this.add({ Segments: 1, SegmentBytes, Records, Requests, Spills, LinksCut, Duplicates: outcome.known ? 1 : 0 });
    if (!restitching) this.#lags.push(outcome.lag);
    if (!outcome.known || (again && !restitching)) this.#of(fn, outcome.losses);
  }

  publish(): void {
    emit({ ...nonZero(this.#sums), ...nonZero({ IngestLag: this.#lags }) });
    for (const [fn, values] of this.#functions) emit(nonZero(values), fn);
  }

  #of(fn: string, values: Readonly<Sums>): void {
    this.add(values);
    const own: Sums = this.#functions.get(fn) ?? {};
    for (const name of PER_FUNCTION) own[name] = (own[name] ?? 0) + (values[name] ?? 0);
    this.#functions.set(fn, own);
  }
}
