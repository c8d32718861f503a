import { accessSync, closeSync, constants, openSync, readSync } from 'node:fs';
import { join } from 'node:path';

const PT_INTERP = 3;
/** Scripts that start scripts: the kernel stops at five (BINPRM). */
const SCRIPTS_MOST = 5;

/** The file a command means, looked up as execvp(3) does; undefined when there is none. */
function findProgram(name: string, path: string | undefined): string | undefined {
  const places = name.includes('/')
    ? [name]
    : (path ?? '/usr/local/bin:/usr/bin:/bin').split(':').map((dir) => join(dir, name));
  return places.find((place) => {
    try {
      accessSync(place, constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
}

/**
 * Whether a preloaded library will be loaded into a program: `static` when the kernel starts it without a dynamic linker (Go,
 * Rust for musl). A script is judged by its interpreter.
 */
export function linkage(name: string, path: string | undefined): 'dynamic' | 'static' | 'unknown' {
  let program = findProgram(name, path);
  for (let depth = 0; program !== undefined && depth < SCRIPTS_MOST; depth++) {
    const head = readHead(program);
    const script = /^#!\s*(\S+)(?:\s+(\S+))?/.exec(head.toString('latin1', 0, 256));
    if (script === null) return linkageOf(head);
    const interpreter = /\/env$/.test(script[1] ?? '') ? (script[2] ?? '') : (script[1] ?? '');
    program = findProgram(interpreter, path);
  }
  return 'unknown';
}

/** ELF-64, little endian (elf(5)): a program header of type PT_INTERP names the dynamic linker. */
function linkageOf(head: Buffer): 'dynamic' | 'static' | 'unknown' {
  if (head.length < 64 || head.readUInt32BE(0) !== 0x7f454c46 || head[4] !== 2 || head[5] !== 1) return 'unknown';
  const at = Number(head.readBigUInt64LE(32));
  const size = head.readUInt16LE(54);
  const count = head.readUInt16LE(56);
  if (at + size * count > head.length) return 'unknown';
  for (let i = 0; i < count; i++) if (head.readUInt32LE(at + i * size) === PT_INTERP) return 'dynamic';
  return 'static';
}

function readHead(path: string): Buffer {
  const head = Buffer.alloc(4096);
  try {
    const fd = openSync(path, 'r');
    try {
      return head.subarray(0, readSync(fd, head, 0, head.length, 0));
    } finally {
      closeSync(fd);
    }
  } catch {
    return Buffer.alloc(0);
  }
}
