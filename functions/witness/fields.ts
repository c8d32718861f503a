/** Fields of logs, which anybody may have had a hand in: checked and bounded, or not taken at all. */

/** Ids and names longer than this are no ids (UUIDs, ARNs, API ids are shorter). */
const ID_MOST = 256;
const TEXT_MOST = 512;

/** Text from a log, bounded; undefined when it is none. */
export function words(value: unknown, most: number = TEXT_MOST): string | undefined {
  return typeof value === 'string' && value !== '' && value !== '-' ? value.slice(0, most) : undefined;
}

/** An id from a log: printable, without spaces, whole or not at all. */
export function identifier(value: unknown): string | undefined {
  return typeof value === 'string' && value.length <= ID_MOST && /^[\x21-\x7e]+$/.test(value) && value !== '-'
    ? value
    : undefined;
}

/** ISO 8601, or ms since 1970, as µs; undefined when it is no time between 2014 (the first Lambda) and 2100. */
export function micros(value: unknown): number | undefined {
  const ms =
    typeof value === 'number'
      ? value
      : typeof value === 'string'
        ? /^\d{1,15}$/.test(value)
          ? Number(value)
          : Date.parse(value)
        : Number.NaN;
  return ms > 1_388_534_400_000 && ms < 4_102_444_800_000 ? Math.trunc(ms * 1000) : undefined;
}

/** Name of a function from its name or ARN (qualified or not). */
export function functionName(value: unknown): string | undefined {
  const text = identifier(value);
  const name = text?.startsWith('arn:') ? text.split(':')[6] : text?.split(':')[0];
  return name !== undefined && /^[A-Za-z0-9_-]{1,140}$/.test(name) ? name : undefined;
}
