/** What the platform itself says about an instance: START, END and REPORT in the log, platform.* events in the telemetry. */
import { performance } from 'node:perf_hooks';
import type { PreparedFunction } from './instance.ts';
import type { InstanceLog } from './instance-log.ts';
import type { Invocation } from './invocation.ts';
import type { Telemetry } from './telemetry.ts';

const INITIALIZATION_TYPE = 'on-demand';
const round = (ms: number): number => Math.round(ms * 1000) / 1000;

export class PlatformEvents {
  readonly #telemetry: Telemetry;
  readonly #log: InstanceLog;
  readonly #fn: PreparedFunction;
  readonly #instanceId: string;
  #initStartedAt = 0;
  /** Of an init that no REPORT has shown yet. */
  #initMs: number | undefined;
  #startedAt = 0;
  #answeredAt = 0;
  #runtimeDone = false;

  constructor(telemetry: Telemetry, log: InstanceLog, fn: PreparedFunction, instanceId: string) {
    this.#telemetry = telemetry;
    this.#log = log;
    this.#fn = fn;
    this.#instanceId = instanceId;
  }

  initStart(phase: 'init' | 'invoke'): void {
    const { spec } = this.#fn;
    this.#initStartedAt = performance.now();
    this.#log.write(`INIT_START Runtime Version: ${spec.runtime} (local engine)`);
    this.#telemetry.emit('platform.initStart', {
      initializationType: INITIALIZATION_TYPE,
      phase,
      runtimeVersion: spec.runtime,
      functionName: spec.name,
      functionVersion: '$LATEST',
      instanceId: this.#instanceId,
      instanceMaxMemory: spec.memoryMb * 1024 * 1024,
    });
  }

  initDone(phase: 'init' | 'invoke', status: 'success' | 'error' | 'timeout'): void {
    this.#initMs = performance.now() - this.#initStartedAt;
    const common = { initializationType: INITIALIZATION_TYPE, phase, status };
    this.#telemetry.emit('platform.initRuntimeDone', common);
    this.#telemetry.emit('platform.initReport', { ...common, metrics: { durationMs: round(this.#initMs) } });
    if (status === 'success') return;
    this.#log.write(`INIT_REPORT Init Duration: ${this.#initMs.toFixed(2)} ms\tPhase: ${phase}\tStatus: ${status}`);
  }

  /** What extensions have come to when init is over. */
  extensions(all: readonly { readonly name: string; readonly ready: boolean; readonly events: ReadonlySet<string> }[]): void {
    for (const { name, ready, events } of all) {
      const state = ready ? 'Ready' : 'Registered';
      this.#log.write(`EXTENSION\tName: ${name}\tState: ${state}\tEvents: [${[...events].join(', ')}]`);
      this.#telemetry.emit('platform.extension', { name, state, events: [...events] });
    }
  }

  start(invocation: Invocation): void {
    this.#startedAt = performance.now();
    this.#answeredAt = 0;
    this.#runtimeDone = false;
    this.#log.write(`START RequestId: ${invocation.requestId} Version: $LATEST`);
    this.#telemetry.emit('platform.start', {
      requestId: invocation.requestId,
      version: '$LATEST',
      tracing: this.#tracing(invocation),
    });
  }

  answered(): void {
    this.#answeredAt = performance.now();
  }

  /** The runtime asked for the next request, or will never do so. */
  runtimeDone(invocation: Invocation): void {
    if (this.#runtimeDone) return;
    this.#runtimeDone = true;
    const answeredAfter = (this.#answeredAt || performance.now()) - this.#startedAt;
    this.#telemetry.emit('platform.runtimeDone', {
      requestId: invocation.requestId,
      ...this.#status(invocation),
      tracing: this.#tracing(invocation),
      metrics: { durationMs: round(performance.now() - this.#startedAt), producedBytes: invocation.producedBytes },
      spans: [{ name: 'responseLatency', start: this.#epoch(this.#startedAt), durationMs: round(answeredAfter) }],
    });
  }

  /** The instance is done with the request. `abnormal`: it had to be stopped. */
  end(invocation: Invocation, abnormal: 'timeout' | 'failure' | undefined): void {
    this.runtimeDone(invocation);
    const { memoryMb } = this.#fn.spec;
    const durationMs = performance.now() - this.#startedAt;
    const metrics = {
      durationMs: round(durationMs),
      billedDurationMs: Math.ceil(durationMs),
      memorySizeMB: memoryMb,
      // Not measured here.
      maxMemoryUsedMB: 0,
      ...(this.#initMs === undefined ? {} : { initDurationMs: round(this.#initMs) }),
    };
    this.#log.write(`END RequestId: ${invocation.requestId}`);
    this.#log.write(
      `REPORT RequestId: ${invocation.requestId}\tDuration: ${durationMs.toFixed(2)} ms\tBilled Duration: ` +
        `${metrics.billedDurationMs} ms\tMemory Size: ${memoryMb} MB\tMax Memory Used: 0 MB\t` +
        (this.#initMs === undefined ? '' : `Init Duration: ${this.#initMs.toFixed(2)} ms\t`),
    );
    this.#telemetry.emit('platform.report', {
      requestId: invocation.requestId,
      metrics,
      tracing: this.#tracing(invocation),
      ...(abnormal === undefined ? this.#status(invocation) : { status: abnormal, errorType: invocation.errorType }),
    });
    this.#initMs = undefined;
  }

  #status(invocation: Invocation): Record<string, unknown> {
    return invocation.errorType === undefined
      ? { status: invocation.outcome }
      : { status: invocation.outcome, errorType: invocation.errorType };
  }

  #tracing(invocation: Invocation): Record<string, string> {
    return { type: 'X-Amzn-Trace-Id', value: invocation.traceHeader };
  }

  #epoch(at: number): string {
    return new Date(performance.timeOrigin + at).toISOString();
  }
}
