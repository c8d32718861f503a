import fs from 'node:fs';
import { isMainThread, Worker, workerData } from 'node:worker_threads';

if (isMainThread) {
  const workers = [1, 2, 3].map((n) => new Worker(new URL(import.meta.url), { workerData: n }));
  await Promise.all(workers.map((w) => new Promise((done) => w.on('exit', done))));
  fs.readFileSync('thread-1');
} else {
  for (let i = 0; i < 20; i++) fs.writeFileSync(`thread-${workerData}`, 'x'.repeat(i));
  await fs.promises.rename(`thread-${workerData}`, `thread-${workerData}`);
}
