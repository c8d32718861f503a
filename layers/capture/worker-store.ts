import { Worker } from 'node:worker_threads';
import { type SegmentStore, StoreRefusal } from './shipper.ts';

export type Order =
  | { readonly do: 'put'; readonly id: number; readonly bucket: string; readonly key: string; readonly bytes: Uint8Array }
  | { readonly do: 'abort'; readonly id: number };

export type Answer =
  | { readonly id: number; readonly result: 'stored' | 'taken'; readonly error?: undefined }
  | { readonly id: number; readonly error: string; readonly refused: boolean };

/** In the source tree a neighbour; in the layer a bundle of its own. */
const WORKER = new URL(import.meta.url.endsWith('.ts') ? './s3-worker.ts' : './s3.mjs', import.meta.url);

export interface WorkerStore extends SegmentStore {
  /** Ends the thread. */
  close(): Promise<void>;
}

/**
 * S3 as a {@link SegmentStore}, reached through a thread of its own; settled when the thread has loaded its client.
 * @throws Error when the thread cannot be started
 */
export async function workerStore(bucket: string): Promise<WorkerStore> {
  const waiting = new Map<number, PromiseWithResolvers<'stored' | 'taken'>>();
  let last = 0;
  let worker: Worker | undefined;

  const ready = Promise.withResolvers<void>();

  const lose = (error: Error): void => {
    worker = undefined;
    ready.reject(error);
    for (const wait of waiting.values()) wait.reject(error);
    waiting.clear();
  };
  const start = (): Worker => {
    const started = new Worker(WORKER, { execArgv: [], stdout: false, name: 's3' });
    started.on('message', (answer: Answer | 'ready') => {
      if (answer === 'ready') return ready.resolve();
      const wait = waiting.get(answer.id);
      waiting.delete(answer.id);
      if (answer.error === undefined) wait?.resolve(answer.result);
      else wait?.reject(answer.refused ? new StoreRefusal(answer.error) : new Error(answer.error));
    });
    started.on('error', (error) => lose(error instanceof Error ? error : new Error(String(error))));
    started.on('exit', (code) => lose(new Error(`the S3 thread ended with code ${code}`)));
    return started;
  };
  worker = start();
  await ready.promise;

  return {
    putNew(key, bytes, signal) {
      // One that died (out of memory, say) is replaced by the next attempt.
      worker ??= start();
      const to = worker;
      const id = ++last;
      const wait = Promise.withResolvers<'stored' | 'taken'>();
      waiting.set(id, wait);
      to.postMessage({ do: 'put', id, bucket, key, bytes } satisfies Order);
      const abort = (): void => {
        to.postMessage({ do: 'abort', id } satisfies Order);
        waiting.delete(id);
        wait.reject(signal.reason);
      };
      if (signal.aborted) abort();
      else signal.addEventListener('abort', abort, { once: true });
      return wait.promise.finally(() => signal.removeEventListener('abort', abort));
    },
    async close() {
      await worker?.terminate();
    },
  };
}
