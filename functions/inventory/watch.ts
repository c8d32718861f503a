import type { Store } from '../store/connect.ts';
import type { GapKind } from '../store/gap.ts';
import type { GapPlace } from '../store/gaps.ts';

const HOUR = 3_600_000_000;
/** With a look each hour, what is really missing is seen twice, what was only late once: the alarm waits for the second. */
const BACK = 3 * HOUR;
/** A segment is shipped when its request ends, at the latest after 15 minutes, µs. */
const GRACE = 900_000_000;
/** Pages read for one look; one reads some 10,000 rows at most. */
const PAGES = 5;

const KINDS: readonly GapKind[] = ['silenced', 'records', 'chain'];

export interface Missing {
  readonly silenced: number;
  /** Holes in the numbers of an instance's segments, and segments that do not follow on the one before. */
  readonly segments: number;
  /** Not all was looked through. */
  readonly cut: boolean;
}

/** What is missing from the record of the last three hours, as `/v1/gaps` would list it. @param now µs */
export async function lookForMissing({ gaps }: Pick<Store, 'gaps'>, now: number): Promise<Missing> {
  let [silenced, segments] = [0, 0];
  let after: GapPlace | undefined;
  for (let page = 0; page < PAGES; page++) {
    const found = await gaps.page({
      ...{ since: now - BACK, grace: GRACE, now, kinds: new Set(KINDS), limit: 500 },
      ...(after === undefined ? {} : { after }),
    });
    for (const { kind } of found.gaps) {
      if (kind === 'silenced') silenced++;
      else segments++;
    }
    after = found.next;
    if (after === undefined) return { silenced, segments, cut: found.cut.length > 0 };
  }
  return { silenced, segments, cut: true };
}
