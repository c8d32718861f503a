/**
 * What an HTTP exchange costs more through the tap and through the network proxy than directly. All sources run at the same
 * time and take turns, so that whatever else the machine does falls on all of them.
 *
 *     node test/bench/taps.ts [rounds] [--json]
 */
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface, type Interface } from 'node:readline';
import { Instance, type Source } from '../layers/tap/harness.ts';

const SOURCES: readonly Source[] = ['direct', 'shim', 'tap', 'proxy'];
const PER_ROUND = 50;
const json = process.argv.includes('--json');
const rounds = Number(process.argv[2]) || 10;

interface Turn {
  readonly times: readonly number[];
  readonly cpu: number;
}
interface Runner {
  readonly child: ChildProcess;
  readonly lines: Interface;
  readonly times: number[];
  cpu: number;
}

async function turn(runner: Runner, count: number): Promise<Turn> {
  const line = once(runner.lines, 'line');
  runner.child.stdin?.write(`${count}\n`);
  return JSON.parse(String((await line)[0])) as Turn;
}

function quantile(values: readonly number[], q: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(q * sorted.length))] ?? 0;
}

const instance = new Instance();
const servers = {
  http: await instance.http('127.91.1.1', (request, response) => request.resume().on('end', () => response.end('{"ok":true}'))),
  https: await instance.https((request, response) => request.resume().on('end', () => response.end('{"ok":true}'))),
};
await instance.start();
const results: object[] = [];
for (const [scheme, url] of Object.entries(servers)) {
  for (const client of ['request', 'fetch']) {
    const runners = new Map<Source, Runner>();
    for (const source of SOURCES) {
      const child = instance.spawn(source, process.execPath, [join(import.meta.dirname, 'taps.client.mjs'), url, client]);
      child.stderr?.pipe(process.stderr);
      const lines = createInterface({ input: child.stdout as NodeJS.ReadableStream });
      const runner = { child, lines, times: [], cpu: 0 };
      await turn(runner, 2 * PER_ROUND);
      runners.set(source, runner);
    }
    for (let round = 0; round < rounds; round++) {
      for (const runner of runners.values()) {
        const { times, cpu } = await turn(runner, PER_ROUND);
        runner.times.push(...times);
        runner.cpu += cpu;
      }
    }
    const base = quantile(runners.get('direct')?.times ?? [], 0.5);
    for (const [source, { times, cpu, child }] of runners) {
      const p50 = quantile(times, 0.5);
      const added = Math.round((p50 - base) * 1000);
      const result = {
        ...{ scheme, client, source, n: times.length },
        ...{ p50Ms: +p50.toFixed(3), p95Ms: +quantile(times, 0.95).toFixed(3), addedUs: added },
        cpuUsPerExchange: Math.round((cpu / times.length) * 1000),
      };
      results.push(result);
      if (!json) console.log(Object.values(result).join('\t'));
      child.stdin?.end();
      await once(child, 'close');
    }
  }
}
if (json) console.log(JSON.stringify(results));
await instance.stop();
