import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { Capabilities, Observation } from '../record/types.ts';
import { type PlatformCapabilities, probePlatform } from './capabilities.ts';
import { nowMicros } from './clock.ts';
import { portsFile, prepareDir, writeShared } from './instance-dir.ts';
import { Invocations } from './invocations.ts';
import { log } from './log.ts';
import { type Front, startFront } from './network/front.ts';
import { type EventSource, Recorder } from './recorder.ts';
import { Ring } from './ring.ts';
import { RuntimeProcess } from './runtime-process.ts';
import { type RuntimeProxy, startRuntimeProxy } from './runtime-proxy.ts';
import { loadS3Store } from './s3-client.ts';
import { type Settings, steeredEndpoints } from './settings.ts';
import { Shipper } from './shipper.ts';
import { SteeredConnections } from './steered.ts';

/** How often the ring is emptied while the function runs, in ms. */
const DRAIN_MS = 8;

export interface CaptureOptions {
  readonly settings: Settings;
  readonly env: NodeJS.ProcessEnv;
  /** Folder of the shim and the probe (/opt/alastor). */
  readonly home: string;
  /** Settled when Init does not wait for us any more; heavy parts load then. */
  readonly registered: Promise<void>;
}

/** All that observes, in one place. Each part may fail to start: the others go on, and the gap is recorded. */
export class Capture {
  readonly recorder: Recorder;
  readonly shipper: Shipper;
  readonly invocations: Invocations;
  readonly runtime: RuntimeProcess;
  #front: Front | undefined;
  #proxy: RuntimeProxy | undefined;
  #ticker: NodeJS.Timeout | undefined;
  #platform: PlatformCapabilities = { ptrace: false, seccomp: false, userNamespaces: false };
  #shim: boolean;
  #heard = false;
  readonly #steered = new SteeredConnections();
  readonly #settings: Settings;

  private constructor({ settings, home }: CaptureOptions, ring: EventSource | undefined) {
    this.#settings = settings;
    this.#shim = ring !== undefined && existsSync(join(home, 'libalastor.so'));
    this.shipper = new Shipper({
      store: async () => {
        if (settings.bucket === undefined) throw new Error('ALASTOR_BUCKET is not set: nothing can be stored');
        return loadS3Store(settings.bucket);
      },
      fn: settings.fn,
      version: settings.version,
      caps: () => this.capabilities,
      onLost: (why, lost, detail) => this.recorder.gap(why, lost, detail),
    });
    this.recorder = new Recorder({ ring, sink: this.shipper, onEvent: (event) => this.#onEvent(event) });
    this.runtime = new RuntimeProcess(settings.dir);
    this.invocations = new Invocations({
      recorder: this.recorder,
      managed: settings.managed,
      onAsked: (first) => this.#onAsked(first),
      onBegun: () => this.#tick(true),
      onDone: () => this.#onDone(),
    });
  }

  /** Everything the wrapper needs is in place when this is settled; never rejects. */
  static async start(options: CaptureOptions): Promise<Capture> {
    const { settings } = options;
    const failures: string[] = [];
    const attempt = async <T>(what: string, work: () => T | Promise<T>): Promise<T | undefined> => {
      try {
        return await work();
      } catch (error) {
        log(`${what} could not be started; the function runs without it`, error);
        failures.push(`${what}: ${String(error)}`);
        return undefined;
      }
    };
    const probing = probePlatform(join(options.home, 'probe'));
    const ring = await attempt('the event ring', () => {
      prepareDir(settings.dir);
      return Ring.create(join(settings.dir, 'ring'));
    });
    const capture = new Capture(options, ring);
    const steer = (await attempt('endpoint overrides', () => steeredEndpoints(options.env))) ?? [];
    capture.#proxy = await attempt('the Runtime API proxy', () => startRuntimeProxy(settings.upstream, capture.invocations));
    // `sockets`: peers and bytes are known from the shim; what is said in the connections stays unread.
    if (options.env.ALASTOR_NETWORK !== 'sockets') {
      capture.#front = await attempt('the network proxy', () => capture.#startFront(options, steer));
    }
    const ca = await attempt('the audit certificate', async () => capture.#front?.caPem());
    await attempt('the shared files', () => {
      if (ca !== undefined) writeShared(settings.dir, 'ca.pem', ca);
      // Without the certificate nothing may be steered: every TLS client would fail.
      const proxy = ca === undefined ? undefined : capture.#front?.port;
      writeShared(settings.dir, 'ports', portsFile({ runtime: capture.#proxy?.port, proxy, steer }));
    });
    capture.#platform = await probing;
    capture.#recordInit();
    for (const failure of failures) capture.recorder.gap('proxy-lost', 0, failure);
    capture.#tick(true);
    return capture;
  }

  get capabilities(): Capabilities {
    return {
      shim: this.#shim,
      runtimeProxy: this.#proxy !== undefined,
      networkProxy: this.#front !== undefined,
      ...this.#platform,
    };
  }

  /** Something failed that nobody was waiting for. */
  failed(what: string, error: unknown): void {
    log(what, error);
    this.recorder.gap('proxy-lost', 0, `${what}: ${String(error)}`);
  }

  /** Gets everything recorded so far out of the instance, or as far as `withinMs` allows. */
  async ship(withinMs: number): Promise<boolean> {
    // The network proxy reports an exchange some turns of the event loop after the application has seen its end.
    for (let turn = 0; turn < 4; turn++) await new Promise((resolve) => setImmediate(resolve));
    this.recorder.drain();
    this.recorder.cut();
    return this.shipper.flush(withinMs);
  }

  #startFront({ env, registered }: CaptureOptions, steerExtra: readonly string[]): Promise<Front> {
    return startFront({
      env,
      steerExtra,
      loadAfter: registered,
      lookup: (port: number, waitMs: number) => this.#steered.find(port, waitMs, () => this.recorder.drain()),
      observe: (observation: Observation) => this.recorder.observe(observation),
      log: (line: string) => log(line),
    });
  }

  #recordInit(): void {
    const { fn, version, region, runtime, memoryMb, initType } = this.#settings;
    const what = { fn, version, region, runtime, memoryMb, initType, caps: this.capabilities };
    this.recorder.observe({ kind: 'init', t: nowMicros(), ...what });
  }

  #onEvent(event: Observation): void {
    this.#steered.learn(event);
    if (event.kind === 'process-start') this.#heard = this.#shim = true;
  }

  #onAsked(first: boolean): void {
    this.runtime.look();
    if (first) this.#checkShim();
    if (this.recorder.active.size === 0 && !this.#settings.managed) this.#tick(false);
  }

  /** A runtime that asks for work has been running for a while: a shim inside would have been heard. */
  #checkShim(): void {
    if (this.#heard) return;
    this.#shim = false;
    this.recorder.observe({
      kind: 'unobserved',
      t: nowMicros(),
      what: 'process',
      detail: 'the runtime does not run under the shim: is AWS_LAMBDA_EXEC_WRAPPER set to the wrapper of this layer?',
    });
  }

  #onDone(): void {
    // Concurrent requests never all end at once: nothing waits for a flush, so it goes as it comes.
    if (this.#settings.managed) this.recorder.cut();
    else if (this.recorder.active.size === 0) this.#tick(false);
  }

  #tick(on: boolean): void {
    if (!on) {
      clearInterval(this.#ticker);
      this.#ticker = undefined;
    } else {
      this.#ticker ??= setInterval(() => this.recorder.tick(), DRAIN_MS);
    }
  }
}
