import { setTimeout as sleep } from 'node:timers/promises';
import type { ExtensionApi, ExtensionEvent } from './extension-api.ts';
import { log } from './log.ts';

type InvokeEvent = Extract<ExtensionEvent, { eventType: 'INVOKE' }>;
type ShutdownEvent = Extract<ExtensionEvent, { eventType: 'SHUTDOWN' }>;

export interface LifecycleOptions {
  readonly api: ExtensionApi;
  /** Lambda Managed Instances accept no other event than SHUTDOWN. */
  readonly shutdownOnly: boolean;
  /** The runtime starts now. Awaited before the first event is asked for, which ends our part of Init. */
  readonly onRegistered: () => Promise<void>;
  /** The environment may freeze as soon as this is settled. */
  readonly onInvoke: (event: InvokeEvent) => Promise<void>;
  readonly onShutdown: (event: ShutdownEvent) => Promise<void>;
}

/** Pause after a failed call, in ms: doubles up to the second number. */
const RETRY_MS = [10, 1000] as const;

/**
 * Registers, and goes from event to event until SHUTDOWN. As long as this loop runs the function works, whatever has become
 * of the rest of the extension; so nothing ends it.
 */
export async function runLifecycle(options: LifecycleOptions): Promise<void> {
  const { api } = options;
  await untilDone('registering', () => api.register(options.shutdownOnly ? ['SHUTDOWN'] : ['INVOKE', 'SHUTDOWN']));
  await options.onRegistered();
  for (;;) {
    const event = await untilDone('waiting for the next event', () => api.next());
    if (event.eventType === 'SHUTDOWN') {
      await options.onShutdown(event).catch((error: unknown) => log('shutting down failed', error));
      return;
    }
    if (event.eventType === 'INVOKE') {
      await options.onInvoke(event).catch((error: unknown) => log('finishing a request failed', error));
    }
  }
}

async function untilDone<T>(what: string, attempt: () => Promise<T>): Promise<T> {
  for (let failures = 0; ; failures++) {
    try {
      return await attempt();
    } catch (error) {
      log(`${what} failed, trying again`, error);
      await sleep(Math.min(RETRY_MS[1], RETRY_MS[0] * 2 ** failures));
    }
  }
}
