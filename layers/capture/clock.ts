/** How far this clock may be ahead of the wall clock's millisecond before it is set again, in µs. */
const AHEAD = 1050;

const ticks = (): number => Number(process.hrtime.bigint() / 1000n);

let offset: number | undefined;

/**
 * CLOCK_REALTIME in whole microseconds since 1970, the clock that the shim's events bear. `Date.now()` alone has milliseconds,
 * too coarse to tell what came first; the monotonic clock has the rest but stands still while the environment is frozen, so it
 * is set again whenever the two disagree.
 */
export function nowMicros(): number {
  const now = ticks() + (offset ?? 0);
  const wall = Date.now() * 1000;
  if (offset !== undefined && now >= wall && now < wall + AHEAD) return now;
  // Behind by a little: the millisecond has just begun, the best moment to set it.
  if (offset !== undefined && now < wall && now > wall - AHEAD) offset = wall - ticks();
  else offset = calibrate();
  return ticks() + offset;
}

/** Waits for the next millisecond to begin, at most one. */
function calibrate(): number {
  const begun = Date.now();
  let wall = begun;
  while (wall === begun) wall = Date.now();
  return wall * 1000 - ticks();
}
