import { existsSync } from 'node:fs';
import { expect, it } from 'vitest';
import { SHELL_FUNCTION, startService } from './service.fixture.ts';

const strace = existsSync('/usr/bin/strace');
if (!strace) process.stderr.write('skipped: strace is not installed\n');

it.skipIf(!strace).each([
  ['lets nothing be traced, as on Lambda', {}, false],
  ['lets strace work when told so, with its filters', { traceable: true }, true],
])('%s', async (_name, options, works) => {
  const { add, call } = startService(options);
  await add('fn', SHELL_FUNCTION);
  const sh = 'strace -f --seccomp-bpf -e trace=execve -o /tmp/log /bin/true && grep -c execve /tmp/log';
  const { value } = await call('fn', { sh });
  expect(value.status === 0).toBe(works);
  if (works) expect(value.stdout).toBe('1\n');
});
