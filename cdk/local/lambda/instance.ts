/**
 * One execution environment: a sandbox, the APIs its processes speak, and the life cycle INIT → INVOKE* → SHUTDOWN.
 * Source: "Understanding the Lambda execution environment lifecycle" in the Lambda developer guide.
 */
import { randomBytes } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { ConditionVariable } from './condition.ts';
import { type EnvironmentInput, extensionEnvironment, runtimeEnvironment } from './environment.ts';
import { describeExit, type Fault, runtimeExited, timedOut } from './errors.ts';
import { ExtensionsApi, type ShutdownReason } from './extensions-api.ts';
import { freeze, thaw } from './freezer.ts';
import { InstanceLog } from './instance-log.ts';
import { type ApiHandler, InstanceServer } from './instance-server.ts';
import type { Invocation } from './invocation.ts';
import { PlatformEvents } from './platform-events.ts';
import { RuntimeApi } from './runtime-api.ts';
import type { Runtime } from './runtimes.ts';
import { Sandbox } from './sandbox.ts';
import type { SharedFiles } from './shared-files.ts';
import { Telemetry } from './telemetry.ts';
import type { FunctionSpec, InstanceState, LambdaOptions } from './types.ts';

/** A function with everything that is the same for all its instances. */
export interface PreparedFunction {
  readonly spec: FunctionSpec;
  readonly runtime: Runtime;
  readonly optDir: string | undefined;
  /** Names of the external extensions. */
  readonly extensions: readonly string[];
  readonly shared: SharedFiles;
  readonly options: LambdaOptions;
}

/** Limits of the phases, ms. */
const INIT_LIMIT_MS = 10_000;
const SHUTDOWN_LIMIT_MS = 2000;
/** The runtime's share of a shutdown that has extensions; they get the rest. */
const RUNTIME_SHUTDOWN_MS = 600;
const RUNTIME = 'runtime';

export class Instance {
  readonly id = randomBytes(16).toString('hex');
  state: InstanceState = 'starting';
  readonly #fn: PreparedFunction;
  readonly #log: InstanceLog;
  readonly #extensions: ExtensionsApi;
  readonly #runtime: RuntimeApi;
  readonly #telemetry: Telemetry;
  readonly #platform: PlatformEvents;
  readonly #change = new ConditionVariable();
  readonly #running = new Set<string>();
  #sandbox: Sandbox | undefined;
  #server: InstanceServer | undefined;
  #launched: Promise<void> | undefined;
  #shutdown: Promise<void> | undefined;
  #frozen: readonly number[] | undefined;
  #initialized = false;
  #fault: Fault | undefined;
  #initErrorPayload: Buffer | undefined;
  #current: Invocation | undefined;

  constructor(fn: PreparedFunction) {
    this.#fn = fn;
    const { spec, options } = fn;
    this.#log = new InstanceLog(this.id, spec.logDir, (line) => options.onLog?.(spec.name, this.id, line));
    this.#extensions = new ExtensionsApi(spec, fn.extensions, {
      onChange: () => this.#change.changed(),
      onError: (fault) => this.#failed(fault),
    });
    this.#telemetry = new Telemetry(this.#extensions, (name) => {
      this.#log.write(`TELEMETRY\tName: ${name}\tState: Subscribed`);
    });
    this.#platform = new PlatformEvents(this.#telemetry, this.#log, fn, this.id);
    this.#runtime = new RuntimeApi(spec.arn, {
      onReady: () => this.#runtimeReady(),
      onInitError: (fault, payload) => {
        this.#initErrorPayload = payload;
        this.#failed(fault);
      },
      onAnswered: () => {
        this.#sandbox?.drainLogs();
        this.#platform.answered();
      },
    });
  }

  /** Host pid of pid 1 of the sandbox; 0 before there is one. */
  get pid(): number {
    return this.#sandbox?.pid ?? 0;
  }

  /** Has it answered its request, while runtime or extensions still work? */
  get finishing(): boolean {
    return this.state === 'busy' && this.#current?.settled === true;
  }

  /**
   * Serves one request, from init if need be, until the instance can take the next one. Never rejects: what goes wrong is the
   * request's result. Afterwards the instance is reusable, or its state is `dead`.
   */
  async run(invocation: Invocation): Promise<void> {
    const cold = !this.#initialized;
    if (cold) {
      if (!this.#ending) this.state = 'starting';
      const fault = await this.#start();
      if (fault !== undefined) {
        if (this.#initErrorPayload !== undefined) invocation.failWith(this.#initErrorPayload, fault.type);
        else invocation.fail(fault, 'failure');
        invocation.finish();
        return;
      }
    }
    if (!this.#ending) this.state = 'busy';
    await this.#invoke(invocation);
    invocation.finish();
  }

  /** Stops all processes until the next `run` or `shutdown`. */
  freeze(): void {
    this.state = 'idle';
    if (this.#sandbox === undefined || !this.#initialized) return;
    this.#telemetry.pause();
    this.#frozen = freeze(this.#sandbox.pid);
  }

  /** Ends the instance the way Lambda does with idle ones. */
  shutdown(): Promise<void> {
    this.#shutdown ??= this.#spinDown();
    return this.#shutdown;
  }

  get #ending(): boolean {
    return this.state === 'stopping' || this.state === 'dead';
  }

  async #spinDown(): Promise<void> {
    const current = this.#current;
    // Lambda ends nobody who has answered and is about to ask for more.
    if (current?.settled) await Promise.race([current.finished, sleep(SHUTDOWN_LIMIT_MS, undefined, { ref: false })]);
    if (this.state === 'dead') return this.destroy();
    this.state = 'stopping';
    this.#thaw();
    if (this.#initialized && this.#extensions.registered.length > 0) {
      const deadline = Date.now() + SHUTDOWN_LIMIT_MS;
      this.#sandbox?.signal(RUNTIME, 'TERM');
      await this.#change.wait(() => !this.#running.has(RUNTIME), RUNTIME_SHUTDOWN_MS);
      this.#sandbox?.signal(RUNTIME, 'KILL');
      await this.#endExtensions('spindown', deadline);
    }
    await this.destroy();
  }

  /** Ends everything at once. */
  async destroy(): Promise<void> {
    this.state = 'dead';
    this.#initialized = false;
    this.#telemetry.reset();
    this.#running.clear();
    this.#failed({ type: 'Sandbox.Failure', message: 'Error: the instance was stopped' });
    await this.#launched?.catch(() => {}); // `run` reports it
    await this.#sandbox?.destroy();
    await this.#server?.close();
    await this.#log.close();
  }

  async #start(): Promise<Fault | undefined> {
    try {
      this.#launched ??= this.#launch();
      await this.#launched;
    } catch (error) {
      this.#fn.options.log(`lambda ${this.#fn.spec.name}: ${(error as Error).message}`);
      await this.destroy();
      return { type: 'Sandbox.LaunchError', message: `Error: ${(error as Error).message}` };
    }
    let outcome = await this.#init('init', INIT_LIMIT_MS);
    // Init that takes too long is started again, now on the function's own time.
    if (outcome === 'timeout') outcome = await this.#init('invoke', this.#fn.spec.timeoutMs);
    if (outcome === 'ok') return undefined;
    const fault = outcome === 'timeout' ? timedOut(this.#fn.spec.timeoutMs) : outcome;
    await this.#reset('failure');
    return fault;
  }

  async #launch(): Promise<void> {
    const { spec, runtime, optDir, shared } = this.#fn;
    const layout = { shared, codeDir: spec.codeDir, optDir, langMounts: runtime.mounts, ephemeralMb: spec.ephemeralMb ?? 512 };
    const apis = [this.#runtime, this.#extensions, this.#telemetry];
    const handlers = apis.map(
      (api): ApiHandler =>
        (req, res, path) =>
          api.handle(req, res, path),
    );
    this.#server = await InstanceServer.listen(handlers, () => this.#sandbox?.check());
    this.#sandbox = await Sandbox.launch(layout, shared.dir, {
      onExit: (program, code) => this.#exited(program, code),
      onLine: (source, line) => {
        this.#log.write(line);
        this.#telemetry.emit(source, line);
      },
      onLost: (detail) => this.#lost(detail),
    });
  }

  async #init(phase: 'init' | 'invoke', limitMs: number): Promise<'ok' | 'timeout' | Fault> {
    const deadline = Date.now() + limitMs;
    if (!this.#ending) this.#fault = undefined;
    this.#initErrorPayload = undefined;
    this.#platform.initStart(phase);
    const environment = this.#environment();
    for (const name of this.#fn.extensions) {
      this.#launchProgram(name, 'extension', '/', extensionEnvironment(environment), [`/opt/extensions/${name}`]);
    }
    let outcome = await this.#until(() => this.#extensions.allExternalRegistered, deadline);
    if (outcome === 'ok') {
      const variables = runtimeEnvironment(environment);
      const directory = this.#fn.spec.image?.workingDirectory ?? '/var/task';
      this.#launchProgram(RUNTIME, 'function', directory, variables, this.#runtimeCommand(variables));
      outcome = await this.#until(() => this.#runtime.waiting && this.#extensions.allWaiting(), deadline);
    }
    this.#platform.initDone(phase, outcome === 'ok' ? 'success' : outcome === 'timeout' ? 'timeout' : 'error');
    this.#platform.extensions(
      this.#extensions.registered.map(({ name, waiting, events }) => ({ name, ready: waiting !== undefined, events })),
    );
    this.#initialized = outcome === 'ok';
    this.#extensions.open = false;
    this.#telemetry.closeSubscriptions();
    if (outcome === 'timeout') await this.#reset('timeout');
    return outcome;
  }

  async #invoke(invocation: Invocation): Promise<void> {
    const { timeoutMs } = this.#fn.spec;
    this.#current = invocation;
    this.#log.invocation = invocation;
    invocation.deadlineMs = Date.now() + timeoutMs;
    this.#thaw();
    this.#platform.start(invocation);
    this.#extensions.announceInvoke(invocation);
    this.#runtime.give(invocation);
    const done = () => invocation.settled && this.#runtime.waiting && this.#extensions.allWaiting('INVOKE');
    const outcome = await this.#until(done, invocation.deadlineMs);
    this.#sandbox?.drainLogs();
    if (outcome === 'timeout') {
      this.#log.write(
        `${new Date().toISOString()} ${invocation.requestId} Task timed out after ${(timeoutMs / 1000).toFixed(2)} seconds`,
      );
      invocation.fail(timedOut(timeoutMs), 'timeout');
    } else if (outcome !== 'ok') {
      this.#log.write(`RequestId: ${invocation.requestId} ${outcome.message}`);
      if (this.#initErrorPayload !== undefined) invocation.failWith(this.#initErrorPayload, outcome.type);
      else invocation.fail(outcome, 'failure');
    }
    this.#platform.end(invocation, outcome === 'ok' ? undefined : outcome === 'timeout' ? 'timeout' : 'failure');
    this.#log.invocation = undefined;
    if (outcome !== 'ok') await this.#reset(outcome === 'timeout' ? 'timeout' : 'failure');
    this.#current = undefined;
  }

  /** Ends all processes but keeps the sandbox, and with it /tmp, for the next init. */
  async #reset(reason: ShutdownReason): Promise<void> {
    this.#initialized = false;
    if (this.state === 'dead' || this.#sandbox === undefined) return;
    this.#sandbox.signal(RUNTIME, 'KILL');
    await this.#endExtensions(reason, Date.now() + SHUTDOWN_LIMIT_MS);
    this.#sandbox.clear();
    this.#running.clear();
    this.#server?.dropConnections();
    this.#runtime.reset();
    this.#extensions.reset();
    this.#telemetry.reset();
    this.#fault = undefined;
  }

  async #endExtensions(reason: ShutdownReason, deadlineMs: number): Promise<void> {
    this.#telemetry.flush();
    this.#extensions.announceShutdown(reason, deadlineMs);
    const asked = this.#extensions.registered.filter((extension) => extension.external && extension.events.has('SHUTDOWN'));
    await this.#change.wait(() => asked.every((extension) => !this.#running.has(extension.name)), deadlineMs - Date.now());
  }

  #environment(): EnvironmentInput {
    const { spec, runtime, options } = this.#fn;
    const day = new Date().toISOString().slice(0, 10).replaceAll('-', '/');
    return {
      spec,
      runtime,
      runtimeApi: this.#server?.address ?? '',
      logStream: `${day}/[$LATEST]${this.id}`,
      endpoint: options.endpoint,
      extraCa: options.trustedCaPem !== undefined,
    };
  }

  /** Custom runtimes and images start as they are; the others are started through the wrapper that the function names. */
  #runtimeCommand(environment: Readonly<Record<string, string>>): readonly string[] {
    const wrapper = environment.AWS_LAMBDA_EXEC_WRAPPER;
    const { family, command } = this.#fn.runtime;
    return family === 'provided' || family === 'image' || wrapper === undefined || wrapper === ''
      ? command
      : [wrapper, ...command];
  }

  #launchProgram(
    name: string,
    log: 'function' | 'extension',
    cwd: string,
    environment: Record<string, string>,
    command: readonly string[],
  ): void {
    this.#running.add(name);
    this.#sandbox?.start({ name, log, cwd, environment, command });
  }

  #thaw(): void {
    if (this.#frozen === undefined) return;
    thaw(this.#frozen);
    this.#frozen = undefined;
    this.#telemetry.resume();
  }

  #runtimeReady(): void {
    this.#sandbox?.drainLogs();
    if (this.#current !== undefined) this.#platform.runtimeDone(this.#current);
    this.#change.changed();
  }

  #exited(program: string, code: number): void {
    const wasRunning = this.#running.delete(program);
    if (wasRunning && !this.#ending) {
      this.#failed(
        program === RUNTIME
          ? runtimeExited(code)
          : { type: 'Extension.Crash', message: `Error: extension ${program} exited: ${describeExit(code)}` },
      );
    }
    this.#change.changed();
  }

  #lost(detail: string): void {
    this.#running.clear();
    this.state = 'dead';
    this.#failed({ type: 'Runtime.ExitError', message: `Error: Runtime exited with error: signal: killed ${detail}`.trim() });
    void this.destroy();
  }

  /** The first fault counts: those that follow are mostly its consequences. */
  #failed(fault: Fault): void {
    this.#fault ??= fault;
    this.#change.changed();
  }

  async #until(holds: () => boolean, deadlineMs: number): Promise<'ok' | 'timeout' | Fault> {
    const inTime = await this.#change.wait(() => this.#fault !== undefined || holds(), deadlineMs - Date.now());
    return this.#fault ?? (inTime ? 'ok' : 'timeout');
  }
}
