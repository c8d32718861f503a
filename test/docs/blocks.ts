import { readFileSync } from 'node:fs';

export interface Block {
  /** Page and line, for messages. */
  readonly where: string;
  /** Heading above it. */
  readonly heading: string;
  readonly text: string;
}

/** The fenced blocks of a language in a page of the documentation. */
export function blocks(page: string, language: string): readonly Block[] {
  const found: Block[] = [];
  let heading = '';
  let open: { readonly line: number; readonly taken: string[]; readonly wanted: boolean } | null = null;
  for (const [i, line] of readFileSync(page, 'utf8').split('\n').entries()) {
    const fence = /^```(\w*)$/.exec(line);
    if (fence !== null && open === null) open = { line: i + 2, taken: [], wanted: fence[1] === language };
    else if (fence !== null && open !== null) {
      if (open.wanted) found.push({ where: `${page}:${open.line}`, heading, text: `${open.taken.join('\n')}\n` });
      open = null;
    } else if (open !== null) open.taken.push(line);
    else heading = /^#+ (.*)$/.exec(line)?.[1] ?? heading;
  }
  if (open !== null) throw new Error(`${page}:${open.line}: the block is not closed`);
  return found;
}
