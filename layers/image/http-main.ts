import { fileURLToPath } from 'node:url';
import { log } from '../capture/log.ts';
import { straceCommand } from '../capture/strace/source.ts';
import { chooseBackend } from './backend.ts';
import { freePort } from './free-port.ts';
import { FrontDoor } from './front-door.ts';
import { FunctionProcess } from './function-process.ts';
import { HttpCapture } from './http-capture.ts';
import { readHttpSettings } from './settings.ts';

/**
 * The first process of an audited container that serves HTTP: starts the function, stands before it, and ends as it ends.
 * What fails in the capture is logged and recorded; requests are served regardless.
 */
const SHUTDOWN_MS = 2000;
/** How often a dead strace is looked for, in ms. */
const WATCH_MS = 20;
const STOPS = ['SIGTERM', 'SIGINT', 'SIGHUP', 'SIGQUIT'] as const;

const command = process.argv.slice(2);
const env = originalEnvironment(process.env);
const settings = readHttpSettings(env);
for (const problem of settings.problems) log(problem);
const home = process.env.ALASTOR_HOME ?? fileURLToPath(new URL('.', import.meta.url));
process.on('uncaughtException', (error) => log('uncaught exception in the recorder', error));
process.on('unhandledRejection', (error) => log('unhandled rejection in the recorder', error));

const choice = await chooseBackend(settings, command, home, env);
const capture = await HttpCapture.start({ settings, env, home, choice });
const inner = settings.innerPort || (await freePort());
let current = start();
let stopping: NodeJS.Signals | undefined;

for (const signal of STOPS) {
  process.on(signal, () => {
    stopping ??= signal;
    void door.close();
    current.signal(signal);
  });
}
const door = new FrontDoor({
  listener: capture,
  target: async () => ((await listening()) ? inner : undefined),
});
const watch = setInterval(() => {
  if (capture.strace?.gone === true && current.running && stopping === undefined) replaceTraced();
}, WATCH_MS);
// Who asks the port whether the function is ready gets the function's answer.
if (await listening()) {
  await door.listen(settings.port).catch((error: unknown) => log(`cannot listen on port ${settings.port}`, error));
}

for (;;) {
  const watched = current;
  const { code, signal } = await watched.exited;
  if (watched !== current) continue;
  clearInterval(watch);
  const reason = stopping ?? (signal === null ? `exit ${code}` : `killed by ${signal}`);
  await capture.stop(reason, SHUTDOWN_MS);
  process.exit(code ?? 128 + (signal === 'SIGKILL' ? 9 : signal === 'SIGTERM' ? 15 : 1));
}

/** True when the function accepts connections, be it one that was started meanwhile in place of another; false when none runs. */
async function listening(): Promise<boolean> {
  for (;;) {
    const asked = current;
    if (await asked.listening(inner)) return true;
    if (asked === current) return false;
  }
}

function start(): FunctionProcess {
  const { strace } = capture;
  const under = strace === undefined ? command : straceCommand(strace.path, command);
  const port = String(inner);
  return new FunctionProcess({ command: under, env: { ...env, PORT: port, port, ...capture.environment } });
}

/** Under `--seccomp-bpf` the calls of a program whose tracer is gone fail (ENOSYS): it cannot go on, so it is started anew. */
function replaceTraced(): void {
  log('strace has ended; starting the function again without it');
  const old = current;
  capture.straceLost();
  old.destroy();
  current = start();
}

/** What the entrypoint has put aside, so that it does not work on the recorder. */
function originalEnvironment({ ALASTOR_NODE_OPTIONS, ALASTOR_LD_PRELOAD, ...rest }: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  return {
    ...rest,
    ...(ALASTOR_NODE_OPTIONS ? { NODE_OPTIONS: ALASTOR_NODE_OPTIONS } : {}),
    ...(ALASTOR_LD_PRELOAD ? { LD_PRELOAD: ALASTOR_LD_PRELOAD } : {}),
  };
}
