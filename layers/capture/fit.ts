import { BOUNDS } from '../record/bounds.ts';
import { recordProblem } from '../record/kinds.ts';
import type { AuditRecord } from '../record/types.ts';

/** A record as a line that any reader accepts, or the reason why it cannot be one. */
export type Fitted =
  | { readonly line: string; readonly shortened: boolean }
  | { readonly line?: undefined; readonly problem: string };

/** Tried in turn until the line fits: characters per text, elements per list. */
const LIMITS: readonly (readonly [text: number, list: number])[] = [
  [BOUNDS.text, BOUNDS.list],
  [2048, BOUNDS.list],
  [512, 512],
  [128, 256],
  [128, 64],
];

/** Cut, these would name something else. */
const IDENTIFIERS = new Set(['key', 'id', 'proc', 'req', 'sha256', 'parts', 'fnArn']);

/**
 * Serialises a record. Text and lists beyond the bounds are cut rather than the record dropped: an attacker must not be able
 * to hide a program by giving it long arguments.
 */
export function fitRecord(record: AuditRecord): Fitted {
  for (const [text, list] of LIMITS) {
    const cut = shorten(record, text, list) as AuditRecord;
    const line = JSON.stringify(cut);
    if (line.length > BOUNDS.line || (line.length * 3 > BOUNDS.line && Buffer.byteLength(line) > BOUNDS.line)) continue;
    const problem = recordProblem(cut);
    return problem === undefined ? { line, shortened: cut !== record } : { problem: problem.what };
  }
  return { problem: `${record.kind} record longer than ${BOUNDS.line} bytes` };
}

/** The same value when nothing had to be cut. */
function shorten(value: unknown, text: number, list: number, field = ''): unknown {
  if (typeof value === 'string') {
    const whole = value.isWellFormed() ? value : value.toWellFormed();
    if (whole.length <= text || IDENTIFIERS.has(field)) return whole;
    return `${whole.slice(0, text - 1).toWellFormed()}…`;
  }
  if (typeof value !== 'object' || value === null) return value;
  if (Array.isArray(value)) {
    const kept = value.length > list ? value.slice(0, list) : value;
    const items = kept.map((item) => shorten(item, text, list, field));
    return kept !== value || items.some((item, i) => item !== value[i]) ? items : value;
  }
  let copy: Record<string, unknown> | undefined;
  for (const [name, inner] of Object.entries(value)) {
    const cut = shorten(inner, text, list, name);
    if (cut === inner) continue;
    copy ??= { ...value };
    copy[name] = cut;
  }
  return copy ?? value;
}
