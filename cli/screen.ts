/** What a terminal is given: colours and widths, and nothing from evidence that would control it. */
import { shown } from '../functions/graph/ids.ts';

const CODES = { bold: 1, dim: 2, red: 31, green: 32, yellow: 33, cyan: 36 } as const;
export type Style = keyof typeof CODES;

/** Text that is safe to print, with how it shall look. */
export type Piece = string | { readonly text: string; readonly style: Style };

export interface Screen {
  /** In cells; none when lines may be as long as they are, as in a pipe. */
  readonly width: number | undefined;
  /** A person is looking: times are short, and what does not fit is cut off. */
  readonly terminal: boolean;
  paint(style: Style, text: string): string;
}

/** A terminal that says nothing of its width, or nonsense, is taken to have so many columns. */
const USUAL = 80;
const LEAST = 40;

/** Colours for a terminal only, unless `NO_COLOR` is set (https://no-color.org) or the terminal has none. */
export function screenOf(
  stream: { readonly isTTY?: boolean; readonly columns?: number },
  env: Readonly<Record<string, string | undefined>> = process.env,
): Screen {
  const terminal = stream.isTTY === true;
  const coloured = terminal && !env.NO_COLOR && env.TERM !== 'dumb';
  return {
    terminal,
    width: terminal ? Math.max(LEAST, stream.columns || USUAL) : undefined,
    paint: (style, text) => (coloured && text !== '' ? `\x1b[${CODES[style]}m${text}\x1b[0m` : text),
  };
}

/** Text from evidence on one line: what would control a terminal or turn the direction of text is escaped. */
export const safe = (text: string, longest = 2000): string => shown(text, longest);

// What East Asian Width calls W or F, in blocks, with the pictures: https://www.unicode.org/reports/tr11/
const WIDE =
  /[\u1100-\u115f\u231a\u231b\u2e80-\u303e\u3041-\ua4cf\ua960-\ua97f\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff01-\uff60\uffe0-\uffe6\u{16fe0}-\u{18aff}\u{1b000}-\u{1b2ff}\u{1f004}\u{1f0cf}\u{1f18e}-\u{1f19a}\u{1f200}-\u{1f64f}\u{1f680}-\u{1f6ff}\u{1f7e0}-\u{1f7eb}\u{1f900}-\u{1f9ff}\u{1fa70}-\u{1faff}\u{20000}-\u{3fffd}]/u;
const MARK = /[\p{Mn}\p{Me}]/u;

/** Cells that a text takes. */
export function cells(text: string): number {
  if (/^[\x20-\x7e]*$/.test(text)) return text.length;
  let count = 0;
  for (const char of text) count += MARK.test(char) ? 0 : WIDE.test(char) ? 2 : 1;
  return count;
}

/** At most so many cells of a text, with `…` where something is left out. */
export function shorten(text: string, width: number): string {
  if (cells(text) <= width) return text;
  let [kept, used] = ['', 0];
  for (const char of text) {
    used += cells(char);
    if (used > width - 1) break;
    kept += char;
  }
  return `${kept}…`;
}

export const pad = (text: string, width: number): string => text + ' '.repeat(Math.max(0, width - cells(text)));

/** One line of pieces, cut off at the screen's width. */
export function line(screen: Screen, ...pieces: readonly Piece[]): string {
  let left = screen.width ?? Number.POSITIVE_INFINITY;
  let all = '';
  for (const piece of pieces) {
    const { text, style } = typeof piece === 'string' ? { text: piece, style: undefined } : piece;
    const part = left <= 0 ? '' : shorten(text, left);
    left -= cells(part);
    all += style === undefined ? part : screen.paint(style, part);
    if (part !== text) break;
  }
  return all.trimEnd();
}

/**
 * A text broken into lines between words, and within those that are longer than a line.
 * @param indent stands before each line, `first` before the first
 */
export function wrap(screen: Screen, text: string, indent = '', first = indent): readonly string[] {
  const width = screen.width;
  if (width === undefined) return [first + text];
  const lines: string[] = [];
  let current = first;
  let empty = true;
  const end = (): void => {
    lines.push(current.trimEnd());
    current = indent;
    empty = true;
  };
  for (const word of text.split(/(?<= )/)) {
    if (!empty && cells(current) + cells(word.trimEnd()) > width) end();
    for (const char of cells(current) + cells(word.trimEnd()) > width ? word : [word]) {
      if (!empty && cells(current) + cells(char.trimEnd()) > width) end();
      current += char;
      empty = false;
    }
  }
  end();
  return lines;
}

/** Time (µs since 1970) as ISO 8601 in UTC, as every option takes it. */
export const iso = (at: number): string =>
  Number.isFinite(at) && at < 8.64e18 ? new Date(at / 1000).toISOString() : String(at);
export const day = (at: number): string => iso(at).slice(0, 10);
export const clock = (at: number): string => iso(at).slice(11, 23);

const SIZES = ['B', 'kB', 'MB', 'GB', 'TB'] as const;
export function size(bytes: number): string {
  const power = Math.min(SIZES.length - 1, Math.floor(Math.log10(Math.max(1, bytes)) / 3));
  const value = bytes / 1000 ** power;
  return `${power === 0 || value >= 100 ? Math.round(value) : value.toFixed(1)} ${SIZES[power]}`;
}

/** µs as a person reads them. */
export function duration(micros: number): string {
  if (micros < 1000) return `${micros} µs`;
  const ms = micros / 1000;
  return ms < 10_000 ? `${ms.toFixed(ms < 10 ? 1 : 0)} ms` : `${(ms / 1000).toFixed(1)} s`;
}

/** `1 step`, `2 steps`. */
export const plural = (n: number, what: string): string => `${n} ${what}${n === 1 ? '' : 's'}`;
