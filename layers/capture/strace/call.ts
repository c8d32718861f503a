/** One line of strace's output (`-f -q -y -ttt -o …`), taken apart but not yet understood. */
export type Line =
  | {
      readonly kind: 'call';
      readonly tid: number;
      readonly t: number;
      readonly name: string;
      readonly args: readonly string[];
      readonly result: string;
    }
  | { readonly kind: 'unfinished'; readonly tid: number; readonly t: number; readonly text: string }
  | { readonly kind: 'resumed'; readonly tid: number; readonly t: number; readonly rest: string }
  | { readonly kind: 'exited'; readonly tid: number; readonly t: number; readonly code?: number; readonly signal?: string };

const HEAD = /^(\d+)\s+(\d+)\.(\d{6}) (.*)$/s;
const UNFINISHED = / <unfinished \.\.\.>$/;
const RESUMED = /^<\.\.\. \w+ resumed>(.*)$/s;
const END = /^\+\+\+ (?:exited with (\d+)|killed by (\w+)).*\+\+\+$/;

/** Undefined for what is none of these (signals, messages of strace itself). */
export function parseLine(text: string): Line | undefined {
  const [, pid, seconds, micros, rest] = HEAD.exec(text) ?? [];
  if (rest === undefined) return undefined;
  const head = { tid: Number(pid), t: Number(seconds) * 1_000_000 + Number(micros) };
  const [ended, code, signal] = END.exec(rest) ?? [];
  if (ended !== undefined) {
    return {
      kind: 'exited',
      ...head,
      ...(code === undefined ? {} : { code: Number(code) }),
      ...(signal === undefined ? {} : { signal }),
    };
  }
  const [resumed, tail] = RESUMED.exec(rest) ?? [];
  if (resumed !== undefined) return { kind: 'resumed', ...head, rest: tail ?? '' };
  if (UNFINISHED.test(rest)) return { kind: 'unfinished', ...head, text: rest.replace(UNFINISHED, '') };
  const call = parseCall(rest);
  return call === undefined ? undefined : { kind: 'call', ...head, ...call };
}

/** `name(a, b) = result` → its parts. Undefined when the brackets do not match. */
export function parseCall(text: string): { name: string; args: readonly string[]; result: string } | undefined {
  const open = text.indexOf('(');
  if (open < 1 || !/^\w+$/.test(text.slice(0, open))) return undefined;
  const args: string[] = [];
  let depth = 0;
  let from = open + 1;
  for (let at = open; at < text.length; at++) {
    const c = text[at];
    if (c === '"') at = endOfString(text, at);
    // The name behind a descriptor (`3</tmp/a, b>`); strace escapes angle brackets within it.
    else if (c === '<' && /[\dD]/.test(text[at - 1] ?? '')) at = Math.max(at, text.indexOf('>', at));
    else if (c === '(' || c === '[' || c === '{') depth++;
    else if (c === ']' || c === '}') depth--;
    else if (c === ',' && depth === 1) {
      args.push(text.slice(from, at).trim());
      from = at + 1;
    } else if (c === ')' && --depth === 0) {
      const last = text.slice(from, at).trim();
      if (last !== '') args.push(last);
      const result = /^\s*= (.*)$/s.exec(text.slice(at + 1))?.[1];
      return result === undefined ? undefined : { name: text.slice(0, open), args, result };
    }
  }
  return undefined;
}

function endOfString(text: string, open: number): number {
  let at = open + 1;
  while (at < text.length && text[at] !== '"') at += text[at] === '\\' ? 2 : 1;
  return at;
}

const ESCAPES: Readonly<Record<string, number>> = { n: 10, t: 9, r: 13, v: 11, f: 12, a: 7, b: 8 };

/** The text of a C string as strace prints it, `"a\nb"` or `"cut off"...`; undefined when it is none (NULL, an address). */
export function readString(literal: string | undefined): string | undefined {
  if (literal === undefined || !literal.startsWith('"')) return undefined;
  return unescaped(literal.slice(1, endOfString(literal, 0)));
}

function unescaped(text: string): string {
  if (!text.includes('\\')) return text;
  const bytes: number[] = [];
  const pattern = /\\(?:([0-7]{1,3})|x([0-9a-fA-F]{2})|(.))|[^\\]+/gs;
  for (const [whole, octal, hex, other] of text.matchAll(pattern)) {
    if (octal !== undefined) bytes.push(Number.parseInt(octal, 8) & 0xff);
    else if (hex !== undefined) bytes.push(Number.parseInt(hex, 16));
    else if (other !== undefined) bytes.push(ESCAPES[other] ?? other.charCodeAt(0));
    else bytes.push(...Buffer.from(whole));
  }
  return Buffer.from(bytes).toString('utf8');
}

/** `["a", "b"]` → its strings. */
export function readStrings(list: string | undefined): string[] {
  const inner = /^\[(.*)\]$/s.exec(list ?? '')?.[1];
  if (inner === undefined) return [];
  const parsed = parseCall(`list(${inner}) = 0`);
  return (parsed?.args ?? []).flatMap((one) => readString(one) ?? []);
}

/** `3</tmp/x>` → 3 and its path; `AT_FDCWD</tmp>` → -100. */
export function readFd(text: string | undefined): { fd: number; path: string | undefined } | undefined {
  const [, number, path] = /^(-?\d+|AT_FDCWD)(?:<(.*?)>)?(?:\(deleted\))?/s.exec(text ?? '') ?? [];
  if (number === undefined) return undefined;
  return { fd: number === 'AT_FDCWD' ? -100 : Number(number), path: path === undefined ? undefined : unescaped(path) };
}
