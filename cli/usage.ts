/** Wrong arguments: the command says what, how it is called, and exits with 2. */
export class UsageError extends Error {
  override readonly name = 'UsageError';

  /** Turns what `parseArgs` throws into one of these. */
  static guard<T>(parse: () => T): T {
    try {
      return parse();
    } catch (cause) {
      throw new UsageError(cause instanceof Error ? cause.message : String(cause));
    }
  }
}

const UNITS: Readonly<Record<string, number>> = { m: 60_000, h: 3_600_000, d: 86_400_000 };

/** A time as people give it: ISO 8601, a span back from now such as `90m`, `36h`, `7d`, or µs since 1970. In ms since 1970. */
export function instant(option: string, text: string, now: number): number {
  const [, count, unit] = /^(\d{1,6})([mhd])$/.exec(text) ?? [];
  if (count !== undefined && unit !== undefined) return now - Number(count) * (UNITS[unit] ?? 0);
  if (/^\d{16}$/.test(text)) return Number(text) / 1000;
  const time = Date.parse(text);
  if (/^\d{4}-/.test(text) && !Number.isNaN(time)) return time;
  throw new UsageError(`${option} must be a time (2026-11-22T10:00:00Z) or a span back from now (90m, 36h, 7d), not "${text}"`);
}

/** A whole number within bounds, as an option gives it. */
export function whole(option: string, text: string, least: number, most: number): number {
  const value = Number(text);
  if (/^\d+$/.test(text) && value >= least && value <= most) return value;
  throw new UsageError(`${option} must be a whole number from ${least} to ${most}, not "${text}"`);
}
