import type { Capabilities, Observation, ProcessId, RequestId } from '../record/types.ts';
import { attempts } from './attempt.ts';
import { Attribution } from './attribution.ts';
import { Bell } from './bell.ts';
import type { PlatformCapabilities } from './capabilities.ts';
import { nowMicros } from './clock.ts';
import { beginnings } from './excerpt.ts';
import { Invocations } from './invocations.ts';
import { Ledger, type LeftBehind } from './ledger.ts';
import { log } from './log.ts';
import { type Front, type FrontDoor, startFront, stopFront } from './network/front.ts';
import { type Prepared, standAside } from './prepare.ts';
import { Recorder } from './recorder.ts';
import { Redactor } from './redact.ts';
import { Ring } from './ring.ts';
import { RuntimeProcess } from './runtime-process.ts';
import { type RuntimeProxy, startRuntimeProxy } from './runtime-proxy.ts';
import { RuntimeTap } from './runtime-tap.ts';
import { s3Store } from './s3-store.ts';
import type { Settings } from './settings.ts';
import { Shipper } from './shipper.ts';
import { Speakers } from './speakers.ts';
import { SteeredConnections } from './steered.ts';
import { UnobservedSockets } from './unobserved-sockets.ts';
import { Upstream } from './upstream.ts';
import { Conversations } from './wire/conversations.ts';

/** How often the ring is emptied while the function runs, in ms: with nobody who rings, and with a bell. */
const DRAIN_MS = 8;
const DRAIN_MS_BELL = 50;
/** Settings that are told to be wrong; a function's environment holds 4 KB. */
const PROBLEMS_MOST = 32;

export interface CaptureOptions {
  readonly settings: Settings;
  readonly env: NodeJS.ProcessEnv;
  readonly prepared: Prepared;
  /** Settled when Init does not wait for us any more; heavy parts load then. */
  readonly registered: Promise<void>;
}

/** All that observes, in one place. Each part may fail to start: the others go on, and the gap is recorded. */
export class Capture {
  readonly recorder: Recorder;
  readonly shipper: Shipper;
  readonly invocations: Invocations;
  readonly runtime: RuntimeProcess;
  readonly speakers: Speakers;
  readonly tap: RuntimeTap;
  #bell: Bell | undefined;
  #front: Front | undefined;
  #proxy: RuntimeProxy | undefined;
  #ticker: NodeJS.Timeout | undefined;
  #platform: PlatformCapabilities = { ptrace: false, seccomp: false, userNamespaces: false };
  #shim: boolean;
  readonly #tapsRequests: boolean;
  #heard = false;
  #asked = false;
  /** {@link losses} when the last request was over. */
  lossesBefore = 0;
  #watching = 0;
  /** Requests that have ended, whose sockets are still to be looked for. */
  #ended: RequestId[] = [];
  #lookingFor: RequestId | undefined;
  readonly #steered = new SteeredConnections();
  readonly #wire = new Conversations();
  readonly #exchanges = { push: (observation: Observation) => this.recorder.observe(observation) };
  readonly #sockets: UnobservedSockets;
  readonly #settings: Settings;
  readonly #attribution: Attribution | undefined;
  #ledger: Ledger | undefined;
  #stored: { readonly of: string; readonly records: number } = { of: '', records: 0 };
  #over = false;

  private constructor({ settings, env, prepared }: CaptureOptions, ring: Ring | undefined) {
    this.#settings = settings;
    this.#shim = prepared.shim;
    this.#tapsRequests = prepared.tapsRequests;
    this.shipper = new Shipper({
      store: s3Store(settings.bucket),
      fn: settings.fn,
      version: settings.version,
      caps: () => this.capabilities,
      onStored: (instanceId, last) => {
        this.#stored = { of: instanceId, records: last + 1 };
        this.#account();
      },
      onLost: (why, lost, detail) => this.recorder.gap(why, lost, detail),
    });
    const attribution = settings.managed ? new Attribution((proc) => this.#onAmbiguous(proc)) : undefined;
    this.#attribution = attribution;
    const { ship, bodies, redact: patterns } = settings;
    beginnings.wanted = bodies === 'redacted';
    this.recorder = new Recorder({
      ring,
      sink: this.shipper,
      attribution,
      redactor: new Redactor({ env, patterns, bodies }),
      ...(ship.when === 'interval' ? { batchAgeMs: ship.ms } : {}),
      ...(ship.when === 'size' ? { batchBytes: ship.bytes, batchAgeMs: Number.POSITIVE_INFINITY } : {}),
      onEvent: (event) => this.#onEvent(event),
      onDrained: () => this.#onDrained(),
    });
    this.runtime = new RuntimeProcess(settings.dir);
    this.#sockets = new UnobservedSockets({
      drain: () => this.recorder.drain(),
      observe: (observation) => this.recorder.observe(observation, this.#lookingFor),
      runtimePid: () => this.runtime.pid,
      ownPorts: () => new Set([this.#front?.port, this.#proxy?.port].filter((port) => port !== undefined)),
    });
    this.invocations = new Invocations({
      recorder: this.recorder,
      managed: settings.managed,
      attribution,
      onAsked: () => this.#onAsked(),
      onBegun: () => this.#onBegun(),
      onDone: (req) => this.#onDone(req),
      losses: () => this.losses,
    });
    this.speakers = new Speakers({
      invocations: this.invocations,
      runtime: this.runtime,
      managed: settings.managed,
      onStranger: (detail, t) => this.recorder.observe({ kind: 'unobserved', t, what: 'process', detail }),
    });
    this.tap = new RuntimeTap({
      listener: this.speakers,
      onIncomplete: (req) =>
        this.recorder.gap('ring-full', 1, `the event of request ${req} was too much for the ring: no digest, no keys`),
      onExchange: (proc, observation) => {
        if (!this.speakers.isRuntime({ proc })) this.recorder.observe(observation());
      },
    });
    if (ring !== undefined) ring.wire = (event, out) => (event.runtimeApi ? this.tap.take(event) : this.#wire.take(event, out));
  }

  /** The runtime starts meanwhile, and may be waiting already at what has been prepared; never rejects. */
  static async start(options: CaptureOptions): Promise<Capture> {
    const { settings, prepared } = options;
    const failures = [...prepared.failures];
    const attempt = attempts(failures);
    const capture = new Capture(options, prepared.ring && new Ring(prepared.ring));
    capture.#ledger = await attempt('the ledger', () => new Ledger(settings.dir));
    // Before anybody is served: the record of Init comes first.
    capture.#platform = await prepared.platform;
    const { requests, front, before } = prepared;
    if (requests !== undefined)
      capture.#proxy = await attempt('the Runtime API proxy', () => {
        return startRuntimeProxy(new Upstream(settings, options.env), capture.speakers, requests);
      });
    if (capture.#proxy !== undefined) capture.#attribution?.listensOn(capture.#proxy.port);
    if (front !== undefined) capture.#front = await attempt('the network proxy', () => capture.#startFront(options, front));
    standAside(settings, options.env, {
      requests: capture.#proxy === undefined ? requests : undefined,
      front: capture.#front === undefined ? front : undefined,
    });
    if (prepared.bell !== undefined) capture.#bell = Bell.hang(prepared.bell, () => capture.recorder.drain());
    capture.#recordInit(before);
    for (const failure of failures) capture.recorder.gap('proxy-lost', 0, failure);
    capture.#tick(true);
    return capture;
  }

  get capabilities(): Capabilities {
    return {
      shim: this.#shim,
      runtimeProxy: this.#proxy !== undefined,
      runtimeTap: this.#tapsRequests,
      networkProxy: this.#front !== undefined,
      ...this.#platform,
    };
  }

  /** What was lost of what a tap would have told of requests: counts up. */
  get losses(): number {
    return this.speakers.tapped ? this.tap.lost + this.recorder.dropped : 0;
  }

  /** Whether the runtime runs under the shim, so that it will be heard. */
  get shimmed(): boolean {
    return this.#heard;
  }

  /** Reads the ring at intervals until what it answers is called. */
  watch(): () => void {
    this.#watching++;
    this.#tick(true);
    return () => {
      this.#watching--;
      this.lossesBefore = this.losses;
      this.#rest();
    };
  }

  /** Something failed that nobody was waiting for. */
  failed(what: string, error: unknown): void {
    log(what, error);
    this.recorder.gap('proxy-lost', 0, `${what}: ${String(error)}`);
  }

  /** Gets everything recorded so far out of the instance, or as far as `withinMs` allows. */
  async ship(withinMs: number): Promise<boolean> {
    await this.#collect();
    this.recorder.cut();
    return this.shipper.flush(withinMs);
  }

  /**
   * After a request that went well: everything leaves with the strategy `end`. With the others only what is on its way already,
   * for a half-sent segment would wake up to a dead connection; the rest waits for a later request, beside which it is sent.
   */
  async shipAfterRequest(withinMs: number): Promise<boolean> {
    if (this.#settings.ship.when === 'end') return this.ship(withinMs);
    await this.#collect();
    return this.shipper.backlogBytes === 0 || this.shipper.flush(withinMs);
  }

  /** Ends what passes through the network proxy: only then it tells what connections that were still open have carried. */
  async closeNetwork(): Promise<void> {
    await stopFront(this.#front);
  }

  /** Nothing comes after this: what is not stored now is lost, and the ledger says so. */
  ended(): void {
    this.#over = true;
    this.#account();
  }

  async #collect(): Promise<void> {
    // The network proxy reports an exchange some turns of the event loop after the application has seen its end.
    for (let turn = 0; turn < 4; turn++) await new Promise((resolve) => setImmediate(resolve));
    this.recorder.drain();
  }

  #account(): void {
    const { instanceId, recorded, dropped } = this.recorder;
    const stored = this.#stored.of === instanceId ? this.#stored.records : 0;
    this.#ledger?.write({ instanceId, recorded, stored, dropped, ended: this.#over });
  }

  #startFront({ prepared, registered }: CaptureOptions, door: FrontDoor): Promise<Front> {
    return startFront({
      door,
      steerExtra: prepared.steer,
      loadAfter: registered,
      loadWhenNeeded: this.#settings.network === 'auto' && this.#settings.node,
      lookup: (port: number, waitMs: number) => this.#steered.find(port, waitMs, () => this.recorder.drain()),
      observe: (observation: Observation) => this.recorder.observe(observation),
      log: (line: string) => log(line),
    });
  }

  #recordInit(before: LeftBehind | undefined): void {
    const { fn, version, region, runtime, memoryMb, initType } = this.#settings;
    const what = { fn, version, region, runtime, memoryMb, initType, caps: this.capabilities };
    this.recorder.observe({ kind: 'init', t: nowMicros(), ...what });
    for (const detail of this.#settings.problems.slice(0, PROBLEMS_MOST)) {
      log(`setting: ${detail}`);
      this.recorder.observe({ kind: 'warning', t: nowMicros(), what: 'setting', detail });
    }
    if (before === undefined) return;
    const how = before.ended ? 'ended with records that could not be stored' : 'ended without finishing';
    const detail = `the recorder of instance ${before.instanceId}, in this environment before, ${how}`;
    this.recorder.observe({ kind: 'gap', t: nowMicros(), why: 'recorder-lost', lost: before.lost, detail });
  }

  #onEvent(event: Observation): void {
    this.#steered.learn(event);
    this.#sockets.learn(event);
    this.speakers.learn(event);
    if (event.kind === 'process-exit' && event.proc !== undefined)
      this.#wire.gone(event.child ?? event.proc, event.t, this.#exchanges);
    if (event.kind !== 'process-start') return;
    this.#heard = this.#shim = true;
    if (event.how === 'runtime') this.runtime.look();
  }

  /** Records the exchanges that are under way: nothing more will be seen of them. */
  endConnections(): void {
    this.recorder.drain();
    this.tap.end(nowMicros());
    this.#wire.end(nowMicros(), this.#exchanges);
  }

  /** Several requests in one process: what it does is recorded without a request, and this says why. */
  #onAmbiguous(proc: ProcessId): void {
    const detail = 'this process works on several requests at once: what it does meanwhile is attributed to none of them';
    this.recorder.observe({ kind: 'unobserved', t: nowMicros(), proc, what: 'process', detail });
  }

  #onBegun(): void {
    this.#tick(true);
    // What has come of age while nothing ran leaves now, beside the request.
    if (this.#settings.ship.when !== 'end') this.recorder.tick();
  }

  #onAsked(): void {
    this.runtime.look();
    if (!this.#asked) this.#checkShim();
    this.#asked = true;
    this.#rest();
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

  #onDone(req: RequestId): void {
    this.#ended.push(req);
    // Concurrent requests never all end at once: nothing waits for a flush, so it goes as it comes.
    if (this.#settings.managed && this.#settings.ship.when === 'end') this.recorder.cut();
    else this.#rest();
  }

  #onDrained(): void {
    for (const req of this.#ended.splice(0)) {
      this.#lookingFor = req;
      this.#lookForSockets((sockets) => sockets.look());
      this.#lookingFor = undefined;
    }
    this.#account();
  }

  /** Between requests there is nothing to be read that could not wait for the next. */
  #rest(): void {
    if (this.#watching === 0 && this.recorder.active.size === 0 && !this.#settings.managed) this.#tick(false);
  }

  #tick(on: boolean): void {
    if (!on) {
      clearInterval(this.#ticker);
      this.#ticker = undefined;
    } else {
      this.#ticker ??= setInterval(
        () => {
          this.recorder.tick();
          if (this.recorder.active.size > 0) this.#lookForSockets((sockets) => sockets.tick());
        },
        this.#bell === undefined ? DRAIN_MS : DRAIN_MS_BELL,
      );
    }
  }

  #lookForSockets(look: (sockets: UnobservedSockets) => void): void {
    try {
      look(this.#sockets);
    } catch (error) {
      log('looking for unreported sockets failed', error);
    }
  }
}
