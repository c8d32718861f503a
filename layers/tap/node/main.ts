import { subscribe } from 'node:diagnostics_channel';
import { watchRequest } from './http.ts';
import { watchUndici } from './undici.ts';
import { isHeard } from './wire.ts';

/**
 * Loaded into every Node of the function before its own code (NODE_OPTIONS=--require). It loads nothing itself: what a
 * program does not use must not cost it anything. Where it cannot work, connections go through the network proxy.
 */
function start(): void {
  if (typeof process.getBuiltinModule !== 'function' || !isHeard()) return;
  subscribe('http.client.request.created', watchRequest);
  watchUndici(subscribe);
}

try {
  start();
} catch {
  // Then the network proxy sees everything.
}
