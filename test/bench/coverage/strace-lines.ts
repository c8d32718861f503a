import { readdirSync, readFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';

/** One finished system call, or the end of a thread, as strace wrote it. */
export interface Line {
  readonly tid: number;
  readonly t: number;
  /** Instruction pointer: tells the caller's library. */
  readonly ip: bigint;
  readonly name: string;
  readonly args: readonly string[];
  /** Numeric result; NaN when strace printed `?`. */
  readonly result: number;
  /** Name of the error (`ENOENT`), empty when the call succeeded. */
  readonly error: string;
  /** What `-y` says of a returned descriptor. */
  readonly resultName: string;
}

/** Splits at commas that are not inside quotes or brackets. */
export function splitArguments(text: string): string[] {
  const out: string[] = [];
  let depth = 0;
  let quoted = false;
  let from = 0;
  for (let i = 0; i < text.length; i++) {
    const c = text[i];
    if (quoted) {
      if (c === '\\') i++;
      else if (c === '"') quoted = false;
    } else if (c === '"') quoted = true;
    else if (c === '{' || c === '[' || c === '(' || c === '<') depth++;
    else if ((c === '}' || c === ']' || c === ')' || c === '>') && text[i - 1] !== '=' && text[i - 1] !== '-') depth--;
    else if (c === ',' && depth === 0) {
      out.push(text.slice(from, i).trim());
      from = i + 1;
    }
  }
  if (from < text.length) out.push(text.slice(from).trim());
  return out;
}

const ESCAPES: Readonly<Record<string, number>> = { n: 10, t: 9, r: 13, f: 12, v: 11, a: 7, b: 8, e: 27 };

/** The text of a C string literal; bytes that are no UTF-8 become U+FFFD, as in a record. */
export function unquote(literal: string): string {
  const end = literal.lastIndexOf('"');
  const bytes: number[] = [];
  const text = Buffer.from(literal.slice(1, end));
  for (let i = 0; i < text.length; i++) {
    const byte = text[i] ?? 0;
    if (byte !== 0x5c) {
      bytes.push(byte);
      continue;
    }
    const next = String.fromCharCode(text[++i] ?? 0);
    const octal = /^[0-7]{1,3}/.exec(text.subarray(i, i + 3).toString('latin1'))?.[0];
    if (octal !== undefined) {
      bytes.push(Number.parseInt(octal, 8));
      i += octal.length - 1;
    } else bytes.push(ESCAPES[next] ?? next.charCodeAt(0));
  }
  return Buffer.from(bytes).toString('utf8');
}

/** `3</tmp/a>` → `/tmp/a`; escapes resolved. */
export function nameOf(annotated: string): string {
  const at = annotated.indexOf('<');
  const end = annotated.lastIndexOf('>');
  return at < 0 || end < at ? '' : unquote(`"${annotated.slice(at + 1, end)}"`);
}

const CALL = /^(\d+\.\d+) \[([0-9a-f?]+)\] (\w+)\((.*)\)\s+= (0x[0-9a-f]+|-?\d+|\?)(<.*>)?(?:\(deleted\))?(.*)$/;
const END = /^(\d+\.\d+) \[[0-9a-f?]+\] \+\+\+ (exited with|killed by) (\w+)/;

function parse(tid: number, text: string): Line | undefined {
  const end = END.exec(text);
  if (end) {
    const [, t = '0', how = '', what = ''] = end;
    return {
      tid,
      t: Number(t),
      ip: 0n,
      name: how === 'killed by' ? '+killed' : '+exited',
      args: [what],
      result: 0,
      error: '',
      resultName: '',
    };
  }
  const call = CALL.exec(text);
  if (!call) return undefined;
  const [, t = '0', ip = '0', name = '', args = '', result = '?', resultName = '', rest = ''] = call;
  return {
    tid,
    t: Number(t),
    ip: ip.startsWith('?') ? 0n : BigInt(`0x${ip}`),
    name,
    args: splitArguments(args),
    result: result === '?' ? Number.NaN : Number(result),
    error: /^ (E[A-Z0-9]+)/.exec(rest)?.[1] ?? '',
    resultName: nameOf(resultName),
  };
}

/** All lines of `strace -ff -ttt -i -y -o prefix`, in the order of their time. */
export function readLines(prefix: string): Line[] {
  const lines: Line[] = [];
  for (const name of readdirSync(dirname(prefix))) {
    if (!name.startsWith(`${basename(prefix)}.`)) continue;
    const tid = Number(name.slice(basename(prefix).length + 1));
    for (const text of readFileSync(join(dirname(prefix), name), 'latin1').split('\n')) {
      const line = parse(tid, text);
      if (line) lines.push(line);
    }
  }
  return lines.sort((a, b) => a.t - b.t);
}
