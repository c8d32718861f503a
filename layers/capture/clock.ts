let offset = 0;

/**
 * CLOCK_REALTIME in whole microseconds since 1970. `Date.now()` alone has milliseconds; the monotonic clock has the rest but
 * stands still while the environment is frozen, so it is set again whenever the two disagree.
 */
export function nowMicros(): number {
  const wall = Date.now() * 1000;
  const ticks = Number(process.hrtime.bigint() / 1000n);
  const now = ticks + offset;
  if (now >= wall && now < wall + 1500) return now;
  offset = wall - ticks;
  return wall;
}
