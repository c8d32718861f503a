import './new-enough.ts';
import { setTimeout as sleep } from 'node:timers/promises';
import { ExtensionApi } from './extension-api.ts';
import { runLifecycle } from './lifecycle.ts';
import { log } from './log.ts';
import { prepare, standAside } from './prepare.ts';
import type { Recording } from './recording.ts';
import { readSettings } from './settings.ts';

/**
 * The extension process. What fails in the capture is logged and recorded; the loop with the platform goes on regardless.
 * The platform starts the runtime when we have registered, so everything that can be done beside it is loaded and done after.
 */
const settings = readSettings(process.env);
const registered = Promise.withResolvers<void>();
const home = process.env.ALASTOR_HOME ?? import.meta.dirname;

let recording: Recording | undefined;
process.on('uncaughtException', (error) => onStray('uncaught exception in the extension', error));
process.on('unhandledRejection', (error) => onStray('unhandled rejection in the extension', error));

void main();

async function main(): Promise<void> {
  const prepared = await prepare(settings, process.env, home);
  await runLifecycle({
    api: new ExtensionApi(settings.extensionsApi),
    shutdownOnly: settings.managed,
    onRegistered: async () => {
      try {
        // In the bundle this is the same file: its modules are run now.
        const { Recording } = await import('./recording.ts');
        recording = await Recording.start({ settings, env: process.env, prepared, registered: registered.promise });
      } catch (error) {
        log('nothing can be recorded; the function runs without it', error);
        standAside(settings, process.env, prepared);
      }
      // After the call for the first event has left: from then on Init waits only for the runtime.
      void sleep(1).then(registered.resolve);
    },
    onInvoke: async (event) => recording?.requestOver(event),
    onShutdown: async ({ shutdownReason, deadlineMs }) => recording?.end(shutdownReason, deadlineMs),
  });
  process.exit(0);
}

function onStray(what: string, error: unknown): void {
  if (recording === undefined) log(what, error);
  else recording.failed(what, error);
}
