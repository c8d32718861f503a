/**
 * The extension's own trouble goes to stderr (the function's log group) as one JSON line, bounded, so that a failing part can
 * neither break log parsing nor flood the log.
 */
const PER_MINUTE = 60;

let minute = 0;
let written = 0;

export function log(what: string, error?: unknown): void {
  const now = Math.floor(Date.now() / 60_000);
  if (now !== minute) {
    minute = now;
    written = 0;
  }
  if (++written > PER_MINUTE) return;
  const line = { alastor: what.slice(0, 1000), ...(error === undefined ? {} : { error: describe(error) }) };
  process.stderr.write(`${JSON.stringify(line)}\n`);
}

function describe(error: unknown): string {
  const text = error instanceof Error ? (error.stack ?? error.message) : String(error);
  return text.slice(0, 2000);
}
