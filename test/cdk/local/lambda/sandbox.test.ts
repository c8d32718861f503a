import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { findBubblewrap } from '../../../../cdk/local/lambda/bubblewrap.ts';
import { lambdaSeccompProgram } from '../../../../cdk/local/lambda/seccomp.ts';
import { SHELL_FUNCTION, startService } from './service.fixture.ts';

/** Calls libc functions that must fail and returns their errno names. */
const PROBE = `
import ctypes, errno, os
libc = ctypes.CDLL(None, use_errno=True)
def name(result):
    return "ok" if result >= 0 else errno.errorcode[ctypes.get_errno()]
def handler(event, context):
    fprog = ctypes.create_string_buffer(16)
    child = os.fork()
    if child == 0:
        os._exit(0 if name(libc.ptrace(0, 0, 0, 0)) == "EPERM" else 1)
    return {
        "ptrace_traceme": os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]),
        "ptrace_attach": name(libc.ptrace(16, os.getppid(), 0, 0)),
        "process_vm_readv": name(libc.process_vm_readv(os.getppid(), None, 0, None, 0, 0)),
        "seccomp": name(libc.syscall(event["seccomp"], 1, 0, fprog)),
        "prctl_seccomp": name(libc.prctl(22, 2, fprog, 0, 0)),
        "prctl_other": name(libc.prctl(15, b"renamed", 0, 0, 0)),
        "unshare_user": name(libc.unshare(0x10000000)),
        "clone_user": name(libc.syscall(event["clone"], 0x10000000 | 17, 0, 0, 0, 0)),
        "mount": name(libc.mount(b"none", b"/tmp", b"tmpfs", 0, None)),
        "setns": name(libc.setns(0, 0)),
        "raw_socket": raw_socket(),
    }
def raw_socket():
    import socket
    try:
        socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP)
        return "ok"
    except OSError as error:
        return errno.errorcode[error.errno]
`;

describe('Sandbox', () => {
  it('denies ptrace, nested seccomp, namespaces and mounts', async () => {
    const { add, call } = startService();
    await add('fn', { 'app.py': PROBE }, { runtime: 'python3.13', handler: 'app.handler' });
    const { value } = await call('fn', process.arch === 'arm64' ? { seccomp: 277, clone: 220 } : { seccomp: 317, clone: 56 });
    expect(value).toEqual({
      ptrace_traceme: 0,
      ptrace_attach: 'EPERM',
      process_vm_readv: 'EPERM',
      seccomp: 'EPERM',
      prctl_seccomp: 'EPERM',
      prctl_other: 'ok',
      unshare_user: 'EPERM',
      clone_user: 'EPERM',
      mount: 'EPERM',
      setns: 'EPERM',
      raw_socket: 'EPERM',
    });
  });

  it("runs as Lambda's user, without capabilities and with no_new_privs", async () => {
    const { add, call } = startService();
    await add('fn', SHELL_FUNCTION);
    const { value } = await call('fn', {
      sh: 'id -u; id -g; id -un; grep -E "^(CapEff|CapBnd|NoNewPrivs|Seccomp):" /proc/self/status | tr "\\t" " "',
    });
    expect(value.stdout.split('\n')).toEqual([
      '993',
      '990',
      'sbx_user1051',
      'CapEff: 0000000000000000',
      'CapBnd: 0000000000000000',
      'NoNewPrivs: 1',
      'Seccomp: 2',
      '',
    ]);
  });

  it('can write to /tmp only', async () => {
    const { add, call } = startService();
    await add('fn', SHELL_FUNCTION);
    const sh =
      'for d in / /var /var/task /opt /var/runtime /var/lang /usr /etc /dev; do touch $d/x 2>/dev/null && echo "$d writable"; done; touch /tmp/x && echo fine';
    expect((await call('fn', { sh })).value.stdout).toBe('fine\n');
  });

  it('sees its own processes and descriptors only, and no files of the host', async () => {
    const { add, call } = startService();
    await add('fn', SHELL_FUNCTION);
    const sh = `ls /proc | grep -c '^[0-9]'; echo $(ls /proc/1/fd); ls -d /root /home /work /etc/shadow /etc/ssl/private /dev/shm 2>/dev/null | wc -l`;
    const [processes, descriptors, hidden] = (await call('fn', { sh })).value.stdout.split('\n');
    expect(Number(processes)).toBeLessThan(10);
    expect(descriptors.split(' ')).toEqual(['0', '1', '2', '255', '4', '5']);
    expect(hidden).toBe('0');
  });

  it('limits /tmp to the ephemeral storage', async () => {
    const { add, call } = startService();
    await add('fn', SHELL_FUNCTION, { ephemeralMb: 2 });
    const sh = 'head -c 1000000 /dev/zero > /tmp/a && echo first; head -c 3000000 /dev/zero > /tmp/b 2>/dev/null || echo full';
    expect((await call('fn', { sh })).value.stdout).toBe('first\nfull\n');
  });

  it('knows the given hosts and trusts the given CA', async () => {
    const trustedCaPem = '-----BEGIN CERTIFICATE-----\nTEST\n-----END CERTIFICATE-----\n';
    const { add, call } = startService({ hosts: { 'evil.example': '127.66.6.6' }, trustedCaPem });
    await add('fn', SHELL_FUNCTION);
    await add(
      'py',
      { 'app.py': 'import os\ndef handler(e, c):\n    return os.environ["SSL_CERT_FILE"]\n' },
      { runtime: 'python3.12', handler: 'app.handler' },
    );
    const sh =
      'getent hosts evil.example; tail -n 3 /etc/ssl/certs/ca-certificates.crt /etc/pki/tls/certs/ca-bundle.crt "$NODE_EXTRA_CA_CERTS" | grep -c TEST; grep -c BEGIN /etc/pki/tls/certs/ca-bundle.crt';
    const [host, copies, certificates] = (await call('fn', { sh })).value.stdout.split('\n');
    expect(host).toMatch(/^127\.66\.6\.6\s+evil\.example$/);
    expect(copies).toBe('3');
    expect(Number(certificates)).toBeGreaterThan(20);
    expect((await call('py')).value).toBe('/etc/pki/tls/certs/ca-bundle.crt');
  });
});

describe('Seccomp program', () => {
  it.each(['x64', 'arm64'])(
    'is an array of 8-byte instructions that starts with the check of the architecture (%s)',
    (arch) => {
      const program = lambdaSeccompProgram(arch);
      expect(program.length % 8).toBe(0);
      expect(program.readUInt32LE(4)).toBe(4);
      expect(program.readUInt32LE(12)).toBe(arch === 'x64' ? 0xc000003e : 0xc00000b7);
    },
  );

  it('is refused for other processors', () => {
    expect(() => lambdaSeccompProgram('mips')).toThrow('CPU "mips"');
  });
});

describe('Missing bubblewrap', () => {
  it('says what to install', () => {
    const empty = mkdtempSync(join(tmpdir(), 'alastor-empty-'));
    try {
      expect(() => findBubblewrap(empty, [])).toThrow('apt-get install bubblewrap');
    } finally {
      rmSync(empty, { recursive: true });
    }
  });
});
