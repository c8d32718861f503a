import './new-enough.ts';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { Capture } from './capture.ts';
import { ExtensionApi } from './extension-api.ts';
import { runLifecycle } from './lifecycle.ts';
import { log } from './log.ts';
import { finishInstance, finishRequest } from './request-end.ts';
import { readSettings } from './settings.ts';

/** The extension process. What fails in the capture is logged and recorded; the loop with the platform goes on regardless. */
const settings = readSettings(process.env);
const registered = Promise.withResolvers<void>();
const home = process.env.ALASTOR_HOME ?? fileURLToPath(new URL('.', import.meta.url));

const running: { capture?: Capture } = {};
process.on('uncaughtException', (error) => onStray('uncaught exception in the extension', error));
process.on('unhandledRejection', (error) => onStray('unhandled rejection in the extension', error));

const capture = await Capture.start({ settings, env: process.env, home, registered: registered.promise });
running.capture = capture;

let ending: Promise<void> | undefined;
const end = (reason: string, deadlineMs: number): Promise<void> => {
  ending ??= finishInstance(capture, reason, deadlineMs);
  return ending;
};
process.on('SIGTERM', () => void end('SIGTERM', Date.now() + 1500).then(() => process.exit(0)));

await runLifecycle({
  api: new ExtensionApi(settings.extensionsApi),
  shutdownOnly: settings.managed,
  onRegistered: () => {
    // After the call for the first event has left: from then on Init waits only for the runtime.
    void sleep(1).then(registered.resolve);
  },
  onInvoke: (event) => finishRequest(capture, event),
  onShutdown: ({ shutdownReason, deadlineMs }) => end(shutdownReason, deadlineMs),
});
process.exit(0);

function onStray(what: string, error: unknown): void {
  if (running.capture === undefined) log(what, error);
  else running.capture.failed(what, error);
}
