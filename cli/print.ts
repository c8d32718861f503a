/** What a command prints: lines for people, or JSON for programs. */
import { NOTHING_FOUND, type Values } from './command.ts';
import { safe } from './screen.ts';

export const formOptions = {
  json: { type: 'boolean', says: 'print one JSON object, as the query API answers' },
  ndjson: { type: 'boolean', says: 'print one JSON object a line for each thing found' },
} as const;

// Beside what JSON escapes itself: nothing that a terminal would obey may come from evidence (C1 controls, direction overrides).
const UNSAFE = /[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/gu;

/** One line of JSON that is safe to show. */
export function jsonOf(value: unknown): string {
  return JSON.stringify(value).replace(UNSAFE, (char) =>
    [...Array(char.length).keys()].map((i) => `\\u${char.charCodeAt(i).toString(16).padStart(4, '0')}`).join(''),
  );
}

/** Writes to standard output. Resolves when it has been taken, so that long answers do not pile up. */
export function print(lines: Iterable<string>): Promise<void> {
  const text = [...lines].map((one) => `${one}\n`).join('');
  return new Promise((resolve, reject) => {
    process.stdout.write(text, (error) => (error ? reject(error) : resolve()));
  });
}

interface Found {
  /** The API's own, with `cut`: what it left out. */
  readonly answer: { readonly cut: readonly string[] };
  /** What was found: `--ndjson` prints it line by line. */
  readonly items: readonly object[];
  /** For people. */
  lines(): Iterable<string>;
}

/** Prints what was found in the form that was asked for. Resolves to the exit code. */
export async function show(name: string, form: Values<typeof formOptions>, { answer, items, lines }: Found): Promise<number> {
  if (form.json && !form.ndjson) await print([jsonOf(answer)]);
  else {
    if (form.ndjson) await print(items.map(jsonOf));
    else if (items.length > 0) await print(lines());
    warn(name, items.length === 0 ? ['nothing found', ...answer.cut] : answer.cut);
  }
  return items.length === 0 ? NOTHING_FOUND : 0;
}

/** Lines on standard error, where they disturb no program: what an answer left out. */
export function warn(name: string, lines: readonly string[]): void {
  for (const one of lines) process.stderr.write(`alastor ${name}: ${safe(one)}\n`);
}
