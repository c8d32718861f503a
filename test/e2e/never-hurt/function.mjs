// The function under audit: does what its event says, and answers with what it was given.
import { execFileSync, spawnSync } from 'node:child_process';
import { closeSync, openSync, readdirSync, readFileSync, statSync, writeFileSync, writeSync } from 'node:fs';

if (process.env.FAIL_INIT) {
  readFileSync('/var/task/marker-init');
  throw new Error('cannot start');
}

const DO = {
  echo: () => {},
  open: ({ times = 1 }) => {
    for (let i = 0; i < times; i++) closeSync(openSync('/var/task/marker', 'r'));
  },
  'kill-recorder': () => {
    for (const pid of readdirSync('/proc').filter((name) => /^\d+$/.test(name))) {
      try {
        if (readFileSync(`/proc/${pid}/cmdline`, 'latin1').includes('recorder.cjs')) process.kill(Number(pid), 'SIGKILL');
      } catch {}
    }
  },
  'kill-all': () => spawnSync('/bin/sh', ['-c', 'kill -9 -1']),
  'fill-tmp': () => {
    const file = openSync('/tmp/fill', 'w');
    const block = Buffer.alloc(1 << 16, 1);
    try {
      for (;;) writeSync(file, block);
    } catch (error) {
      if (error.code !== 'ENOSPC') throw error;
    }
    closeSync(file);
  },
  flood: ({ times, processes = 1, threads = 1 }) => {
    const args = [times, '/var/task/marker', processes, threads].map(String);
    return Number(execFileSync('/var/task/flood', args));
  },
  exit: () => process.exit(3),
  'kill-self': () => process.kill(process.pid, 'SIGKILL'),
  hang: () => new Promise(() => setInterval(() => {}, 1000)),
  'use-up-memory': () => {
    const kept = [];
    for (;;) kept.push(Array.from({ length: 1000 }, (_, i) => ({ i })));
  },
  'run-script': ({ script }) => void spawnSync('/bin/bash', ['-c', script], { stdio: 'ignore' }),
  run: ({ argv }) => void spawnSync(argv[0], argv.slice(1), { stdio: 'ignore' }),
  fetch: async ({ url, headers, body }) => {
    const answer = await fetch(url, { headers, ...(body === undefined ? {} : { method: 'POST', body }) });
    await answer.arrayBuffer();
  },
  write: ({ path }) => writeFileSync(path, 'x'),
};

export const handler = async (event) => {
  readFileSync('/var/task/marker');
  let said;
  for (const step of event.steps ?? []) said = await DO[step.do](step);
  const shared = readdirSync('/tmp/.alastor', { withFileTypes: true });
  const disk = shared.reduce((sum, { name }) => sum + statSync(`/tmp/.alastor/${name}`).size, 0);
  return { value: event.value, disk, said, ...(event.big === undefined ? {} : { big: 'x'.repeat(event.big) }) };
};

export const streaming = globalThis.awslambda?.streamifyResponse(async (event, stream) => {
  readFileSync('/var/task/marker');
  for (let i = 0; i < event.pieces; i++) stream.write('y'.repeat(event.size));
  if (event.fail) throw new Error('half-way');
  stream.end();
});
