import type { ConfiguredFunction, SeenFunction } from '../store/inventory.ts';

const HOUR = 3_600_000_000;
/** What an earlier look said counts for so long, µs: who took the audit off a function on purpose is not told of it for ever. */
const REMEMBERED = 7 * 24 * HOUR;
/** A function is new for so long, µs. */
const NEW = 24 * HOUR;

export interface Look {
  /** The functions as now seen, each with what is remembered of it. */
  readonly functions: readonly ConfiguredFunction[];
  readonly audited: number;
  readonly notAudited: number;
  /** Of those not audited, the ones that were so within the last week. */
  readonly drifted: readonly string[];
  /** Of those not audited, the ones that were not there a day ago. None at the first look, when everything is new. */
  readonly fresh: readonly string[];
}

/**
 * Compares a look at the account with the one before.
 * @param before empty at the first look
 * @param at µs
 */
export function compare(before: ReadonlyMap<string, SeenFunction>, now: readonly ConfiguredFunction[], at: number): Look {
  const functions = now.map((one): ConfiguredFunction => {
    const known = before.get(one.name);
    const auditedAt = one.audited ? at : (known?.auditedAt ?? (known?.audited ? known.seen : undefined));
    const since = known === undefined ? (before.size === 0 ? 0 : at) : (known.since ?? 0);
    return { ...one, since, ...(auditedAt === undefined ? {} : { auditedAt }) };
  });
  const bare = functions.filter(({ audited }) => !audited);
  const isDrifted = ({ auditedAt = 0 }: ConfiguredFunction) => auditedAt > at - REMEMBERED;
  return {
    functions,
    audited: functions.length - bare.length,
    notAudited: bare.length,
    drifted: bare.filter(isDrifted).map(({ name }) => name),
    fresh: bare.filter((one) => !isDrifted(one) && (one.since ?? 0) > at - NEW).map(({ name }) => name),
  };
}
