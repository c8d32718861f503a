import { spawn, spawnSync } from 'node:child_process';

export const ALASTOR = new URL('../../cli/alastor.ts', import.meta.url).pathname;

export interface Ran {
  readonly code: number | null;
  readonly out: string;
  readonly err: string;
}

/** Runs the command with pipes around it. */
export function alastor(args: readonly string[], env: NodeJS.ProcessEnv = {}): Promise<Ran> {
  return run(process.execPath, [ALASTOR, ...args], env);
}

export async function run(program: string, args: readonly string[], env: NodeJS.ProcessEnv, whole = false): Promise<Ran> {
  const child = spawn(program, args, { env: whole ? env : { ...process.env, ...env }, stdio: ['ignore', 'pipe', 'pipe'] });
  let [out, err] = ['', ''];
  child.stdout.setEncoding('utf8').on('data', (text: string) => (out += text));
  child.stderr.setEncoding('utf8').on('data', (text: string) => (err += text));
  const code = await new Promise<number | null>((resolve) => child.on('close', resolve));
  return { code, out, err };
}

export const hasPython = spawnSync('python3', ['-c', 'import pty']).status === 0;
if (!hasPython) console.warn('python3 is missing: tests through a terminal are skipped (scripts/setup installs it)');

// Its own terminal, as wide as asked for before the program looks; Ctrl-C is typed when a text has shown.
const PTY = `
import fcntl, os, pty, struct, sys, termios
columns, typed, program = int(sys.argv[1]), sys.argv[2].encode(), sys.argv[3:]
pid, fd = pty.fork()
if pid == 0:
    fcntl.ioctl(0, termios.TIOCSWINSZ, struct.pack('HHHH', 40, columns, 0, 0))
    os.execvp(program[0], program)
seen = b''
while True:
    try:
        some = os.read(fd, 65536)
    except OSError:
        break
    if not some:
        break
    seen += some
    os.write(1, some)
    if typed and typed in seen:
        os.write(fd, b'\\x03')
        typed = b''
sys.exit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) % 256)
`;

/** Runs the command in a terminal; `out` is all that it was sent. `interruptAt`: text after which Ctrl-C is typed. */
export function inTerminal(
  args: readonly string[],
  { columns = 80, interruptAt = '', env = {} }: { columns?: number; interruptAt?: string; env?: NodeJS.ProcessEnv } = {},
): Promise<Ran> {
  const program = ['-c', PTY, String(columns), interruptAt, process.execPath, ALASTOR, ...args];
  return run('python3', program, { TERM: 'xterm-256color', ...env });
}

// biome-ignore lint/suspicious/noControlCharactersInRegex: these are what it looks for
const COLOURS = /\x1b\[\d*m/g;
export const uncoloured = (text: string): string => text.replace(COLOURS, '');

/** What a terminal would obey, or what draws over other text: anything but colours, line ends and wiping the own progress line. */
export const controls = (text: string): readonly string[] =>
  uncoloured(text)
    .replaceAll('\r\x1b[2K', '')
    .replaceAll('\r\n', '\n')
    .match(/[^\P{Cc}\n]|\p{Cf}|\p{Cs}|\p{Zl}|\p{Zp}/gu) ?? [];
