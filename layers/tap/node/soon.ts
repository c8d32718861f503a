import { quietly } from './quietly.ts';

/* Taken at load: an application under test may replace the timers. */
const later = setImmediate;
/** More than this does not wait. */
const WAITING_MOST = 64;

let waiting: (() => void)[] = [];
let prepared = false;
let atOnce = false;

/**
 * Tells when the running turn of the event loop is over: the application has then sent its next request or its answer, and
 * the time falls into its waiting. A process that ends before tells on its way out; one that is killed within that turn does
 * not, and its connection then shows as a socket alone.
 */
export function tellSoon(tell: () => void): void {
  if (!prepared) prepare();
  if (atOnce) {
    tell();
    return;
  }
  waiting.push(tell);
  if (waiting.length === 1) later(tellAll);
  else if (waiting.length >= WAITING_MOST) tellAll();
}

function prepare(): void {
  prepared = true;
  // A worker can be terminated between two turns, and has no way out to tell on.
  atOnce = !process.getBuiltinModule('node:worker_threads').isMainThread;
  if (!atOnce) process.on('exit', tellAll);
}

function tellAll(): void {
  const all = waiting;
  waiting = [];
  for (const tell of all) quietly(tell);
}
