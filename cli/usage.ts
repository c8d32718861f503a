/** Wrong arguments: the command says what, prints its help and exits with 2. */
export class UsageError extends Error {
  override readonly name = 'UsageError';
  readonly help: string;

  constructor(message: string, help: string) {
    super(message);
    this.help = help;
  }

  /** Turns what `parseArgs` throws into one of these. */
  static guard<T>(help: string, parse: () => T): T {
    try {
      return parse();
    } catch (cause) {
      throw new UsageError(cause instanceof Error ? cause.message : String(cause), help);
    }
  }
}

const UNITS: Readonly<Record<string, number>> = { m: 60_000, h: 3_600_000, d: 86_400_000 };

/** A time as people give it: ISO 8601, or a span back from now such as `90m`, `36h`, `7d`. In ms since 1970. */
export function instant(option: string, text: string, now: number): number {
  const [, count, unit] = /^(\d{1,6})([mhd])$/.exec(text) ?? [];
  if (count !== undefined && unit !== undefined) return now - Number(count) * (UNITS[unit] ?? 0);
  const time = Date.parse(text);
  if (/^\d{4}-/.test(text) && !Number.isNaN(time)) return time;
  throw new UsageError(
    `${option} must be a time (2026-11-22T10:00:00Z) or a span back from now (90m, 36h, 7d), not "${text}"`,
    '',
  );
}
