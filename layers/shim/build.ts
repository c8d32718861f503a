import { execFileSync } from 'node:child_process';
import { mkdirSync, readdirSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';

const SOURCES = import.meta.dirname;

/**
 * Everything the shim may ask of libc. All of it is in every glibc since 2.17 and in musl, and it is asked for without a
 * version, so one object loads under each of them.
 */
const FROM_LIBC = new Set([
  '__errno_location',
  'chdir',
  'clock_gettime',
  'dl_iterate_phdr',
  'environ',
  'fileno',
  'fork',
  'ftell',
  'memcmp',
  'memcpy',
  'memmove',
  'memset',
  'posix_spawnattr_destroy',
  'posix_spawnattr_init',
  'posix_spawnattr_setflags',
  'posix_spawnattr_setsigdefault',
  'posix_spawnattr_setsigmask',
  'setsid',
  'sigaction',
  'sigaddset',
  'sigemptyset',
  'sigprocmask',
  'stderr',
  'stdin',
  'stdout',
  'strlen',
]);

const FLAGS = [
  '-shared',
  '-fPIC',
  '-O2',
  '-std=gnu11',
  '-Wall',
  '-Wextra',
  '-Werror',
  /* libc declares arguments as never NULL; applications pass NULL all the same. */
  '-Wno-nonnull-compare',
  '-fno-delete-null-pointer-checks',
  '-fvisibility=hidden',
  /* A hooked function must not be taken for the one the compiler knows. */
  '-fno-builtin',
  /* Both would need support from libc that not every libc has. */
  '-U_FORTIFY_SOURCE',
  '-fno-stack-protector',
  '-nostdlib',
  /* Bound at load: lazy binding takes a lock, which a child of vfork must not. */
  '-Wl,-z,now,-z,relro,-z,noexecstack,-Bsymbolic,--hash-style=gnu',
];

/** On arm64 gcc calls libgcc for atomic operations, which nothing links here: it must write them out (for Armv8.0, LL/SC). */
const OF_ARCH: Readonly<Record<Arch, readonly string[]>> = { x64: [], arm64: ['-mno-outline-atomics'] };

function run(command: string, args: readonly string[], purpose: string): string {
  try {
    return execFileSync(command, args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });
  } catch (cause) {
    const said = cause instanceof Error && 'stderr' in cause ? String(cause.stderr).trim() : String(cause);
    throw new Error(`shim: ${purpose} failed: ${said || command}`, { cause });
  }
}

export type Arch = 'x64' | 'arm64';

/** Names as in Debian's cross compilers (`gcc-aarch64-linux-gnu`). */
const TRIPLES: Readonly<Record<Arch, string>> = { x64: 'x86_64-linux-gnu', arm64: 'aarch64-linux-gnu' };

export function hostArch(): Arch {
  return process.arch === 'arm64' ? 'arm64' : 'x64';
}

/**
 * Name of the C compiler for a processor; CC overrides it for this machine's.
 * @throws Error saying what to install
 */
export function compiler(arch: Arch = hostArch()): string {
  const own = process.env.CC ? [process.env.CC] : ['gcc', 'cc'];
  for (const name of arch === hostArch() ? own : [`${TRIPLES[arch]}-gcc`]) {
    try {
      execFileSync(name, ['--version'], { stdio: 'ignore' });
      return name;
    } catch {
      /* the next name */
    }
  }
  if (arch === hostArch())
    throw new Error('shim: no C compiler found (gcc or cc); install the package "gcc" and "libc6-dev", or set CC');
  const debian = TRIPLES[arch].replace('_', '-');
  throw new Error(
    `shim: no C compiler for ${arch} found; install the packages "gcc-${debian}" and "libc6-dev-${arch === 'x64' ? 'amd64' : arch}-cross"`,
  );
}

/** What would keep the object from loading under an older or another libc. */
function portabilityFaults(file: string): string[] {
  const faults: string[] = [];
  for (const line of run('readelf', ['-W', '--dyn-syms', file], 'reading the symbols of the object').split('\n')) {
    const [, , , , , , section, name] = line.trim().split(/\s+/);
    if (section !== 'UND' || !name) continue;
    if (name.includes('@')) faults.push(`${name} is asked for by version`);
    else if (!FROM_LIBC.has(name)) faults.push(`${name} is not on the list of what every libc has`);
  }
  if (run('readelf', ['-W', '-d', file], 'reading the dynamic section').includes('(NEEDED)'))
    faults.push('a library is required by name');
  return faults;
}

/**
 * Compiles the shim and proves that the object is portable, and loads where it is for this machine.
 * @throws Error saying what the compiler, the check or the trial run objected to.
 */
export function buildShim(outFile: string, arch: Arch = hostArch()): void {
  const out = resolve(outFile);
  mkdirSync(dirname(out), { recursive: true });
  const sources = readdirSync(SOURCES).filter((name) => /\.[cS]$/.test(name));
  run(compiler(arch), [...FLAGS, ...OF_ARCH[arch], ...sources.map((name) => join(SOURCES, name)), '-o', out], 'compiling');
  const faults = portabilityFaults(out);
  if (faults.length > 0) throw new Error(`shim: ${out} is not portable: ${faults.join('; ')}`);
  if (arch !== hostArch()) return;
  const env = { ...process.env, LD_PRELOAD: out };
  const said = execFileSync('/bin/sh', ['-c', 'echo loaded'], { env, encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });
  if (said !== 'loaded\n') throw new Error(`shim: a shell under ${out} answered ${JSON.stringify(said)}`);
}
