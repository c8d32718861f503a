import { parentPort } from 'node:worker_threads';
import { s3Store } from './s3-store.ts';
import { type SegmentStore, StoreRefusal } from './shipper.ts';
import type { Answer, Order } from './worker-store.ts';

/** The thread that talks to S3. Loading the AWS client blocks its thread long enough for a request to notice; so it has its own. */
const stores = new Map<string, SegmentStore>();
const underWay = new Map<number, AbortController>();

parentPort?.on('message', (order: Order) => {
  if (order.do === 'abort') underWay.get(order.id)?.abort(new Error('given up'));
  else void put(order).then((answer) => parentPort?.postMessage(answer));
});

parentPort?.postMessage('ready');

async function put({ id, bucket, key, bytes }: Extract<Order, { do: 'put' }>): Promise<Answer> {
  const controller = new AbortController();
  underWay.set(id, controller);
  try {
    const store = stores.get(bucket) ?? s3Store(bucket);
    stores.set(bucket, store);
    return { id, result: await store.putNew(key, bytes, controller.signal) };
  } catch (error) {
    const message = error instanceof Error ? `${error.name}: ${error.message}` : String(error);
    return { id, error: message, refused: error instanceof StoreRefusal };
  } finally {
    underWay.delete(id);
  }
}
