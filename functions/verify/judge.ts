import { parseSegmentKey } from '../../layers/record/key.ts';
import type { InstanceId } from '../../layers/record/types.ts';
import type { Finding, FindingKind, Sureness } from '../store/finding.ts';
import type { Tombstone } from '../store/tombstone.ts';
import type { Noted } from './evidence.ts';
import { forgottenAmong, type Graves } from './forgotten.ts';
import type { Inspected } from './inspect.ts';
import { aroundEach } from './open-requests.ts';

/** A segment of an instance: its oldest version, and what else is known of the object. */
export interface Seen extends Inspected {
  readonly key: string;
  /** ms since 1970; undefined when only the bytes are known. */
  readonly stored?: number;
  /** Digests of later versions under the same key that differ. */
  readonly rewritten: readonly string[];
  /** ms since 1970: a delete marker was put before it. */
  readonly hidden?: number;
}

export interface Instance {
  readonly fn: string;
  readonly instanceId: InstanceId;
  /** In any order. Keys that are none of a segment are left out. */
  readonly segments: readonly Seen[];
  /** Undefined: nobody noted anything, or could not be asked. */
  readonly noted: Noted | undefined;
  /** Segments of it that were deleted on purpose. */
  readonly forgotten?: readonly Tombstone[];
  /** ms since 1970. */
  readonly now: number;
  /** How long segments are kept, in ms: what is older may be gone lawfully. Undefined: for ever. */
  readonly kept?: number;
}

/** Clocks of S3 and of an instance may differ by so many ms; Lambda's hosts are kept to well below a second. */
const SKEW = 5 * 60_000;
/** S3 stores times in whole seconds. */
const SECOND = 1000;
/** The longest that a function may run, and then some, in ms. */
const LONGEST_RUN = 20 * 60_000;
/** An instance that nobody has heard of for so long, in ms, is gone: Lambda recycles them within hours. */
const SURELY_OVER = 24 * 3_600_000;

/** Life-cycle rules are carried out at midnight, and not at once. */
const LIFE_CYCLE = 48 * 3_600_000;

const ENDLESS =
  'the last segment does not say that the instance was shut down. One that was killed, or still runs, looks the same';

/** A segment with its place in the numbering of its instance. */
interface Placed extends Seen {
  readonly first: number;
  readonly last: number;
  /** Requests that were open when it begins. */
  readonly open: readonly string[];
  /** Requests of it and of later segments that begin nowhere. */
  readonly unbegun: readonly string[];
}

/** What is wrong with the record of one instance: each segment by itself, then how they follow on each other, then the end. */
export function judge(instance: Instance): readonly Finding[] {
  return new Judgement(instance).found;
}

class Judgement {
  readonly found: Finding[] = [];
  readonly #instance: Instance;
  readonly #segments: readonly Placed[];
  readonly #openAtEnd: readonly string[];
  readonly #graves: Graves;
  /** Requests that were noted and that no segment tells of any more. */
  readonly #unseen: readonly string[];

  constructor(instance: Instance) {
    this.#instance = instance;
    this.#graves = forgottenAmong(instance);
    const placed = [...instance.segments, ...this.#graves.segments]
      .flatMap((one) => {
        const { first, last } = parseSegmentKey(one.key) ?? {};
        return first === undefined || last === undefined ? [] : [{ ...one, first, last }];
      })
      .sort((a, b) => a.first - b.first || a.last - b.last);
    const { around, openAtEnd } = aroundEach(placed);
    this.#segments = placed.map((one, i) => ({ ...one, open: around[i]?.open ?? [], unbegun: around[i]?.unbegun ?? [] }));
    this.#openAtEnd = openAtEnd;
    const seen = new Set(placed.flatMap(({ requests }) => requests));
    this.#unseen = (instance.noted?.requests ?? []).filter((request) => !seen.has(request));
    for (const one of this.#segments) if (!this.#isForgotten(one)) this.#alone(one);
    for (const { kind, sure, why, ...about } of this.#graves.findings) this.#add(kind, sure, why, about);
    this.#inOrder();
    this.#end();
  }

  #add(kind: FindingKind, sure: Sureness, why: string, about: Partial<Finding>): void {
    const { fn, instanceId } = this.#instance;
    this.found.push({ kind, sure, function: fn, instanceId, requests: [], ...about, why });
  }

  /** The segment, and the requests that it concerns: of one that cannot be read, those that must have been going on. */
  #about({ key, first, last, requests, header, open, unbegun }: Placed): Partial<Finding> {
    const concerned = header === undefined ? [...open, ...unbegun, ...this.#unseen] : requests;
    return { segment: key, from: first, to: last, requests: [...new Set(concerned)] };
  }

  #alone(one: Placed): void {
    const { key, hidden, rewritten, digest, belongs, problem, taken } = one;
    if (hidden !== undefined && !this.#hasExpired(one.stored, hidden)) {
      const why = `deleted at ${time(hidden)}; its content is still there as an older version`;
      this.#add('deleted', 'certain', why, this.#about(one));
    }
    if (rewritten.length > 0) {
      const often = rewritten.length === 1 ? 'once' : `${rewritten.length} times`;
      const why = `stored again ${often} with other bytes; judged here is the oldest version`;
      this.#add('overwritten', 'certain', why, this.#about(one));
    }
    const noted = this.#instance.noted?.digests.get(key);
    const differs = noted !== undefined && noted !== digest;
    if (belongs !== undefined) {
      this.#add('swapped', 'certain', `holds the segment that belongs under ${belongs}`, this.#about(one));
    } else if (differs || problem !== undefined) {
      const why = [...(problem === undefined ? [] : [problem]), ...(differs ? ['it is not what was stitched'] : [])];
      this.#add('altered', 'certain', why.join('; '), this.#about(one));
    }
    for (const stolen of taken) {
      const why = 'the recorder found this key taken when it came to store its own segment there';
      this.#add('forged', 'certain', why, { segment: stolen });
    }
  }

  #inOrder(): void {
    let before: Placed | undefined;
    let next = 0;
    for (const one of this.#segments) {
      if (one.first > next) {
        const requests = [...new Set([...one.open, ...one.unbegun, ...this.#unseen])];
        // Of a long-lived instance the beginning may be over its time.
        const old = next === 0 && this.#hasExpired(this.#began, this.#instance.now);
        const why = `records ${next} to ${one.first - 1} are not there${old ? '; they may have expired' : ''}`;
        this.#add('missing', old ? 'possible' : 'certain', why, { from: next, to: one.first - 1, requests });
      } else if (before !== undefined && one.first < next) this.#overlap(before, one);
      else if (one.header !== undefined && one.belongs === undefined) this.#follows(one, before);
      this.#times(one, before);
      next = Math.max(next, one.last + 1);
      before = one;
    }
  }

  /** The recorder numbers each record once: one of the two is not its own. */
  #overlap(before: Placed, one: Placed): void {
    const guess = this.#isNoted(before) === this.#isNoted(one) ? laterOf(before, one) : this.#isNoted(before) ? one : before;
    const other = guess === one ? before : one;
    const why = `claims records that ${other.key} has, too; the recorder gives each number once`;
    this.#add('forged', 'certain', why, this.#about(guess));
  }

  /** A segment names the digest of the one before. If it does not, which of the two is to blame? */
  #follows(one: Placed, before: Placed | undefined): void {
    const prev = one.header?.prev ?? null;
    if (prev === (before?.digest ?? null)) return;
    if (before === undefined) {
      this.#add('forged', 'certain', 'names a segment before it, and is the first', this.#about(one));
      return;
    }
    if (this.#isForgotten(before)) {
      const why = `does not follow on ${before.key}, as the tombstone of that has it: one of the two is not what it was`;
      this.#add('altered', 'certain', why, this.#about(one));
      return;
    }
    // Told already.
    if (before.header === undefined || before.belongs !== undefined || this.#isBlamed(before)) return;
    const isLast = one === this.#segments.at(-1);
    if (prev === null) {
      this.#add('forged', 'certain', `claims to be the first segment, and lies behind ${before.key}`, this.#about(one));
    } else if (this.#isNoted(before) || (isLast && this.#instance.noted === undefined)) {
      const sure = this.#isNoted(before) ? 'certain' : 'likely';
      const why = `does not follow on ${before.key}: the digest that it names is another${isLast ? '; nothing follows on it' : ''}`;
      this.#add('forged', sure, why, this.#about(one));
    } else {
      const requests = [...new Set([...before.requests, ...one.requests])];
      const why = `${one.key} was written behind other bytes than these, or is forged itself`;
      this.#add('altered', 'likely', why, { ...this.#about(before), requests });
    }
  }

  #times(one: Placed, before: Placed | undefined): void {
    if (before?.shutdown) {
      this.#add('forged', 'likely', `follows on ${before.key}, with which the recorder had ended`, this.#about(one));
    }
    const { stored, newest } = one;
    if (stored === undefined) return;
    if (before?.stored !== undefined && stored < before.stored - SECOND) {
      const why = `stored at ${time(stored)}, before the one that it follows on (${time(before.stored)}); the recorder stores one after the other`;
      this.#add('reordered', 'likely', why, this.#about(one));
    }
    if (newest !== undefined && newest / 1000 > stored + SKEW) {
      const why = `tells of ${time(newest / 1000)}, which was not yet when it was stored (${time(stored)})`;
      this.#add('forged', 'likely', why, this.#about(one));
    }
  }

  #end(): void {
    const old = this.#hasExpired(this.#began, this.#instance.now);
    const there = new Set(this.#segments.map(({ key }) => key));
    const last = this.#segments.at(-1);
    let cut = false;
    for (const key of [...(this.#instance.noted?.digests.keys() ?? [])].filter((one) => !there.has(one)).sort()) {
      const { first: from = 0, last: to = 0 } = parseSegmentKey(key) ?? {};
      const tail = last === undefined || from > last.last;
      const requests = [...new Set([...(tail ? this.#openAtEnd : []), ...this.#unseen])];
      const why = `was stitched, and is not there${old ? '; it may have expired' : ''}`;
      this.#add(tail ? 'truncated' : 'deleted', old ? 'possible' : 'certain', why, { segment: key, from, to, requests });
      cut ||= tail;
    }
    if (last === undefined || cut || last.shutdown || this.#isForgotten(last)) return;
    const silent = last.stored === undefined ? Number.POSITIVE_INFINITY : this.#instance.now - last.stored;
    if (silent <= (this.#openAtEnd.length > 0 ? LONGEST_RUN : SURELY_OVER)) return;
    const since = last.stored === undefined ? '' : `; silent since ${time(last.stored)}`;
    const unended = this.#openAtEnd.length > 0 ? '; a request of it never ended' : '';
    this.#add('truncated', 'possible', `${ENDLESS}${unended}${since}`, { ...this.#about(last), requests: this.#openAtEnd });
  }

  /** ms since 1970: the id of an instance tells when it began (RFC 9562, 5.7). */
  get #began(): number {
    return Number.parseInt(this.#instance.instanceId.replace('-', '').slice(0, 12), 16);
  }

  #hasExpired(stored: number | undefined, at: number): boolean {
    const { kept } = this.#instance;
    return kept !== undefined && stored !== undefined && at > stored + kept - LIFE_CYCLE;
  }

  #isNoted({ key, digest }: Placed): boolean {
    return this.#instance.noted?.digests.get(key) === digest;
  }

  #isForgotten({ key }: Placed): boolean {
    return this.#graves.keys.has(key);
  }

  #isBlamed({ key }: Placed): boolean {
    return this.found.some(({ segment, kind }) => segment === key && kind !== 'deleted' && kind !== 'overwritten');
  }
}

function laterOf(a: Placed, b: Placed): Placed {
  return a.stored !== undefined && b.stored !== undefined && a.stored > b.stored ? a : b;
}

const time = (ms: number) => new Date(ms).toISOString();
