import { join } from 'node:path';
import { Attribution } from '../capture/attribution.ts';
import { probePlatform } from '../capture/capabilities.ts';
import { nowMicros } from '../capture/clock.ts';
import { beginnings } from '../capture/excerpt.ts';
import { prepareDir, writeShared } from '../capture/instance-dir.ts';
import { log } from '../capture/log.ts';
import { type Front, startFront, stopFront } from '../capture/network/front.ts';
import { javaToolOptions, javaTruststore, mayBeJava } from '../capture/network/truststore.ts';
import { type EventSource, Recorder } from '../capture/recorder.ts';
import { Redactor } from '../capture/redact.ts';
import { Ring } from '../capture/ring.ts';
import { s3Store } from '../capture/s3-store.ts';
import { steeredEndpoints } from '../capture/settings.ts';
import { Shipper } from '../capture/shipper.ts';
import { SteeredConnections } from '../capture/steered.ts';
import { StraceSource } from '../capture/strace/source.ts';
import type { Capabilities, Observation } from '../record/types.ts';
import type { BackendChoice } from './backend.ts';
import { directoryStore } from './directory-store.ts';
import type { Arrival, DoorListener } from './front-door.ts';
import type { HttpSettings } from './settings.ts';

/** How often events are read, in ms. strace stops the function when nobody reads what it says. */
const DRAIN_MS = 8;
/** How long after its answer a request is still taken to be the one at work, in ms. */
const AFTER_MS = 100;

export interface HttpCaptureOptions {
  readonly settings: HttpSettings;
  readonly env: NodeJS.ProcessEnv;
  readonly home: string;
  readonly choice: BackendChoice;
}

/** Both backends behind one door: the recorder reads whichever is at work. */
class Sources implements EventSource {
  ring: Ring | undefined;
  strace: StraceSource | undefined;
  read(take: (observation: Observation) => void, briefly: boolean): void {
    this.ring?.read(take, briefly);
    this.strace?.drain().forEach(take);
  }
}

/** The recorder of a container that serves plain HTTP: no Lambda APIs, requests as the front door sees them. */
export class HttpCapture implements DoorListener {
  readonly recorder: Recorder;
  readonly shipper: Shipper;
  readonly #sources = new Sources();
  readonly #attribution: Attribution;
  readonly #steered = new SteeredConnections();
  readonly #options: HttpCaptureOptions;
  readonly #afterwards = new Map<string, NodeJS.Timeout>();
  readonly #ticker: NodeJS.Timeout;
  #front: Front | undefined;
  #caps: Capabilities = {
    shim: false,
    runtimeProxy: false,
    networkProxy: false,
    ptrace: false,
    seccomp: false,
    userNamespaces: false,
  };
  /** What the function's environment gets besides what it has. */
  #injected: Record<string, string> = {};

  private constructor(options: HttpCaptureOptions) {
    this.#options = options;
    const { fn, version, bucket } = options.settings;
    this.shipper = new Shipper({
      store: bucket?.startsWith('file:') ? directoryStore(bucket) : s3Store(bucket),
      fn,
      version,
      caps: () => this.#caps,
      onLost: (why, lost, detail) => this.recorder.gap(why, lost, detail),
    });
    this.#attribution = new Attribution((proc) => {
      const detail = 'this process works on several requests at once: what it does meanwhile is attributed to none of them';
      this.recorder.observe({ kind: 'unobserved', t: nowMicros(), proc, what: 'process', detail });
    });
    const onEvent = (event: Observation): void => this.#steered.learn(event);
    beginnings.wanted = options.settings.bodies === 'redacted';
    this.recorder = new Recorder({
      ring: this.#sources,
      sink: this.shipper,
      redactor: new Redactor({ env: process.env, patterns: options.settings.redact, bodies: options.settings.bodies }),
      onEvent,
      attribution: this.#attribution,
    });
    this.#ticker = setInterval(() => this.recorder.tick(), DRAIN_MS);
  }

  /** Never rejects: what cannot be started is missing, and the record says so. */
  static async start(options: HttpCaptureOptions): Promise<HttpCapture> {
    const capture = new HttpCapture(options);
    const { settings, home, choice } = options;
    const probing = probePlatform(join(home, 'probe'));
    const failures: string[] = [];
    try {
      prepareDir(settings.dir);
      if (choice.backend === 'strace') capture.#sources.strace = new StraceSource(join(settings.dir, 'strace'), process.cwd());
      // Made in any case: what replaces a dead strace is the shim.
      if (choice.backend !== 'none') await capture.#prepareShim();
    } catch (error) {
      log('part of the capture could not be started; the function runs without it', error);
      failures.push(String(error));
    }
    const shim = choice.backend === 'shim' && capture.#sources.ring !== undefined;
    const probed = await probing;
    // strace was tried out: that answers two of the probe's questions, even if the probe ran out of time.
    const traced = choice.backend === 'strace' ? { ptrace: true, seccomp: true } : {};
    capture.#caps = { ...capture.#caps, shim, networkProxy: shim && capture.#front !== undefined, ...probed, ...traced };
    capture.recorder.observe({
      kind: 'init',
      t: nowMicros(),
      fn: settings.fn,
      version: settings.version,
      region: settings.region,
      runtime: `http; backend ${choice.backend} (${choice.why})`,
      memoryMb: 0,
      initType: 'http',
      caps: capture.#caps,
    });
    for (const failure of failures) capture.recorder.gap('proxy-lost', 0, failure);
    return capture;
  }

  /** Pipe for strace's output; undefined when the function is not to be started under it. */
  get strace(): StraceSource | undefined {
    return this.#sources.strace;
  }

  get environment(): Readonly<Record<string, string>> {
    return this.#sources.strace === undefined ? this.#injected : {};
  }

  /** strace is dead: from now on the shim watches, which is less for some programs, and the record says so. */
  straceLost(): void {
    this.recorder.drain();
    this.#sources.strace?.close();
    this.#sources.strace = undefined;
    this.#caps = { ...this.#caps, shim: this.#sources.ring !== undefined, networkProxy: this.#front !== undefined };
    this.recorder.gap('shim-lost', 0, 'strace has ended: the function was started again, under the shim');
  }

  begun(arrival: Arrival): void {
    for (const req of [...this.#afterwards.keys()]) this.#done(req);
    const { reqId, callId, method, path, sourceIp, userAgent, body } = arrival;
    this.recorder.begin(reqId, {
      kind: 'request-begin',
      t: nowMicros(),
      deadlineMs: 0,
      fnArn: `http:${this.#options.settings.fn}`,
      event: body,
      trigger: {
        type: 'http',
        method,
        path,
        ...(sourceIp === undefined ? {} : { sourceIp }),
        ...(userAgent === undefined ? {} : { userAgent }),
      },
      // Anyone may have chosen this id: it is a hint, not a proof.
      keys: callId === undefined ? [] : [{ key: `call:${callId}`, sure: 'inferred' }],
      resources: [],
    });
  }

  handed(reqId: string, localPort: number): void {
    this.#attribution.handed(reqId, localPort, nowMicros());
  }

  ended(reqId: string, outcome: Parameters<DoorListener['ended']>[1]): void {
    this.recorder.end(reqId, { kind: 'request-end', t: nowMicros(), ...outcome });
    clearTimeout(this.#afterwards.get(reqId));
    this.#afterwards.set(
      reqId,
      setTimeout(() => this.#done(reqId), AFTER_MS),
    );
  }

  /** Ends the record; settled when it is stored, or `withinMs` are over. */
  async stop(reason: string, withinMs: number): Promise<void> {
    for (const req of [...this.#afterwards.keys()]) this.#done(req);
    clearInterval(this.#ticker);
    // First: only then it tells what the connections that were still open have carried.
    await stopFront(this.#front);
    this.recorder.shutdown(reason);
    await this.shipper.flush(withinMs);
  }

  #done(reqId: string): void {
    clearTimeout(this.#afterwards.get(reqId));
    this.#afterwards.delete(reqId);
    this.recorder.done(reqId);
    this.recorder.cut();
  }

  async #prepareShim(): Promise<void> {
    const { settings, home, env } = this.#options;
    const { dir } = settings;
    this.#sources.ring = Ring.create(join(dir, 'ring'));
    const preload = [join(home, 'libalastor.so'), ...(env.LD_PRELOAD ? [env.LD_PRELOAD] : [])].join(':');
    this.#injected = { LD_PRELOAD: preload, ALASTOR_RING: join(dir, 'ring') };
    const steer = await steeredEndpoints(env);
    const front = await startFront({
      env,
      steerExtra: steer,
      lookup: (port, waitMs) => this.#steered.find(port, waitMs, () => this.recorder.drain()),
      observe: (observation) => this.recorder.observe(observation),
      log: (line) => log(line),
    });
    this.#front = front;
    const pem = await front.caPem();
    writeShared(dir, 'ca.pem', pem);
    const ca = join(dir, 'ca.pem');
    const java = mayBeJava(env);
    if (java) writeShared(dir, 'ca.jks', javaTruststore(pem));
    this.#injected = {
      ...this.#injected,
      ALASTOR_PROXY_PORT: String(front.port),
      ALASTOR_STEER: steer.join(','),
      NODE_EXTRA_CA_CERTS: ca,
      SSL_CERT_FILE: ca,
      REQUESTS_CA_BUNDLE: ca,
      AWS_CA_BUNDLE: ca,
      CURL_CA_BUNDLE: ca,
      ...(java ? { JAVA_TOOL_OPTIONS: javaToolOptions(join(dir, 'ca.jks'), env.JAVA_TOOL_OPTIONS) } : {}),
    };
  }
}
