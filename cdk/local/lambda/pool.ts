/** The instances of one function: who serves the next request. */
import { throttled } from './errors.ts';
import { Instance, type PreparedFunction } from './instance.ts';
import type { Invocation } from './invocation.ts';

/** Room for instances, shared by all functions. */
export interface Capacity {
  /** False when there is no room; then an idle instance of some function may be asked to leave, and `pump` follows. */
  take(): boolean;
  give(): void;
  /** An instance has become idle: it may be asked to leave for a request of another function that waits. */
  parked(): void;
}

interface Waiting {
  readonly invocation: Invocation;
  readonly timer: NodeJS.Timeout;
  /** Runs while the request waits for an instance that is about to be free. */
  readonly patience: NodeJS.Timeout | undefined;
}

const MAX_IDLE_MS = 300_000;
const QUEUE_TIMEOUT_MS = 10_000;
const REUSE_WAIT_MS = 100;

export class FunctionPool {
  readonly instances = new Set<Instance>();
  readonly #fn: PreparedFunction;
  readonly #capacity: Capacity;
  /** Frozen instances, the most recently used last. */
  readonly #idle: Instance[] = [];
  readonly #reapers = new Map<Instance, NodeJS.Timeout>();
  readonly #queue: Waiting[] = [];
  /** Times of becoming idle, for choosing the one that has been idle longest. */
  readonly #idleSince = new Map<Instance, number>();
  #stopping = false;

  constructor(fn: PreparedFunction, capacity: Capacity) {
    this.#fn = fn;
    this.#capacity = capacity;
  }

  get fn(): PreparedFunction {
    return this.#fn;
  }

  get busy(): boolean {
    return this.#queue.length > 0 || this.instances.size > this.#idle.length;
  }

  /** Epoch ms since when the longest-idle instance has been idle. */
  get oldestIdle(): number | undefined {
    const oldest = this.#idle[0];
    return oldest === undefined ? undefined : this.#idleSince.get(oldest);
  }

  /** Takes a request on. It is throttled at once or later, or served. */
  submit(invocation: Invocation): void {
    const limit = this.#fn.spec.reservedConcurrency ?? Number.POSITIVE_INFINITY;
    if (this.#stopping || limit === 0) {
      invocation.refuse(throttled('ReservedFunctionConcurrentInvocationLimitExceeded'));
      return;
    }
    const idle = this.#takeIdle();
    if (idle === undefined && this.#finishing > this.#queue.length) {
      this.#enqueue(invocation, this.#fn.options.reuseWaitMs ?? REUSE_WAIT_MS);
      return;
    }
    const instance = idle ?? this.#create(limit);
    if (instance !== undefined) void this.#serve(instance, invocation);
    else this.#enqueue(invocation);
  }

  /** Instances that have answered and will be free when runtime and extensions ask for the next event. */
  get #finishing(): number {
    let count = 0;
    for (const instance of this.instances) if (instance.finishing) count++;
    return count;
  }

  /** There may be room now: serves who waits. */
  pump(): void {
    const limit = this.#fn.spec.reservedConcurrency ?? Number.POSITIVE_INFINITY;
    while (this.#queue.length > 0) {
      const instance = this.#takeIdle() ?? this.#create(limit);
      if (instance === undefined) return;
      const invocation = this.#dequeue();
      if (invocation !== undefined) void this.#serve(instance, invocation);
    }
  }

  /** Shuts the longest-idle instance down to make room. */
  evict(): void {
    const oldest = this.#idle[0];
    if (oldest !== undefined) void this.#retire(oldest);
  }

  async stop(): Promise<void> {
    this.#stopping = true;
    while (this.#queue.length > 0) this.#dequeue()?.refuse(throttled('ReservedFunctionConcurrentInvocationLimitExceeded'));
    await Promise.all([...this.instances].map((instance) => this.#retire(instance)));
  }

  async #serve(instance: Instance, first: Invocation): Promise<void> {
    for (let next: Invocation | undefined = first; next !== undefined; next = this.#dequeue()) {
      await instance.run(next);
      if (instance.state === 'dead' || this.#stopping) {
        this.#forget(instance);
        this.pump();
        return;
      }
    }
    this.#park(instance);
  }

  #create(limit: number): Instance | undefined {
    if (this.instances.size >= limit || !this.#capacity.take()) return undefined;
    const instance = new Instance(this.#fn);
    this.instances.add(instance);
    return instance;
  }

  #park(instance: Instance): void {
    instance.freeze();
    this.#idle.push(instance);
    this.#idleSince.set(instance, Date.now());
    const timer = setTimeout(() => void this.#retire(instance), this.#fn.options.maxIdleMs ?? MAX_IDLE_MS);
    timer.unref();
    this.#reapers.set(instance, timer);
    this.#capacity.parked();
  }

  #takeIdle(): Instance | undefined {
    for (let instance = this.#idle.pop(); instance !== undefined; instance = this.#idle.pop()) {
      this.#stopReaper(instance);
      if (instance.state === 'idle') return instance;
      this.#forget(instance); // it was killed from outside while it slept
    }
    return undefined;
  }

  async #retire(instance: Instance): Promise<void> {
    this.#stopReaper(instance);
    const at = this.#idle.indexOf(instance);
    if (at >= 0) this.#idle.splice(at, 1);
    await instance.shutdown();
    this.#forget(instance);
  }

  #forget(instance: Instance): void {
    if (this.instances.delete(instance)) this.#capacity.give();
  }

  #stopReaper(instance: Instance): void {
    clearTimeout(this.#reapers.get(instance));
    this.#reapers.delete(instance);
    this.#idleSince.delete(instance);
  }

  #enqueue(invocation: Invocation, patienceMs?: number): void {
    const timer = setTimeout(() => {
      const at = this.#queue.findIndex((waiting) => waiting.invocation === invocation);
      if (at >= 0) this.#queue.splice(at, 1);
      invocation.refuse(throttled('ConcurrentInvocationLimitExceeded'));
    }, this.#fn.options.queueTimeoutMs ?? QUEUE_TIMEOUT_MS);
    const patience = patienceMs === undefined ? undefined : setTimeout(() => this.pump(), patienceMs);
    this.#queue.push({ invocation, timer, patience });
  }

  #dequeue(): Invocation | undefined {
    const waiting = this.#queue.shift();
    clearTimeout(waiting?.timer);
    clearTimeout(waiting?.patience);
    return waiting?.invocation;
  }
}
