import { type ChildProcess, fork } from 'node:child_process';
import { join } from 'node:path';
import type { Answer, Batch, Cold, Order, WorldOptions } from './orders.ts';
import type { Variant } from './variants.ts';
import type { Work } from './works.ts';

/** A variant's process, stopped whenever another one is measured: nothing of it runs then, neither its database nor its timers. */
export class World {
  readonly variant: Variant;
  readonly #child: ChildProcess;
  #waiting: PromiseWithResolvers<Answer> | undefined;

  private constructor(variant: Variant, options: WorldOptions) {
    this.variant = variant;
    // A process group of its own, to stop it with its children.
    this.#child = fork(join(import.meta.dirname, 'world.ts'), [JSON.stringify(options)], { detached: true });
    this.#child.on('message', (answer: Answer) => this.#waiting?.resolve(answer));
    this.#child.on('exit', (code) => this.#waiting?.reject(new Error(`the process of ${variant.name} ended with ${code}`)));
  }

  static async start(variant: Variant, options: WorldOptions): Promise<World> {
    const world = new World(variant, options);
    await world.#answer();
    world.#signal('SIGSTOP');
    return world;
  }

  async batch(work: Work, requests: number, serviceLatencyMs: number): Promise<Batch> {
    const answer = await this.#ask({ do: 'batch', work: work.name, requests, serviceLatencyMs });
    if ('batch' in answer) return answer.batch;
    throw new Error(`unexpected answer ${JSON.stringify(answer)}`);
  }

  async cold(): Promise<Cold> {
    const answer = await this.#ask({ do: 'cold' });
    if ('cold' in answer) return answer.cold;
    throw new Error(`unexpected answer ${JSON.stringify(answer)}`);
  }

  async stop(): Promise<void> {
    if (this.#child.exitCode !== null) return;
    const gone = new Promise((resolve) => this.#child.once('exit', resolve));
    this.#signal('SIGCONT');
    this.#child.send({ do: 'stop' } satisfies Order);
    const late = setTimeout(() => this.#signal('SIGKILL'), 20_000);
    await gone;
    clearTimeout(late);
  }

  async #ask(order: Order): Promise<Answer> {
    this.#signal('SIGCONT');
    this.#child.send(order);
    const answer = await this.#answer();
    this.#signal('SIGSTOP');
    return answer;
  }

  async #answer(): Promise<Answer> {
    this.#waiting = Promise.withResolvers<Answer>();
    const answer = await this.#waiting.promise;
    this.#waiting = undefined;
    if ('error' in answer) throw new Error(answer.error);
    return answer;
  }

  #signal(name: NodeJS.Signals): void {
    if (this.#child.pid !== undefined && this.#child.exitCode === null) process.kill(-this.#child.pid, name);
  }
}
