import { line, type Piece, type Screen } from './screen.ts';

export interface Branch {
  readonly pieces: readonly Piece[];
  readonly below: readonly Branch[];
}

/** Branches below each other, cut off at the screen's width, of which the indentation takes half at most. Not recursive: evidence decides how deep it goes. */
export function tree(screen: Screen, roots: readonly Branch[]): string[] {
  const lines: string[] = [];
  const room = Math.floor((screen.width ?? Number.POSITIVE_INFINITY) / 2);
  const visible = (text: string): string => (text.length > room ? `⋯${text.slice(1 - room)}` : text);
  const left = roots.map((branch) => ({ branch, indent: '', mark: '', below: '' })).reverse();
  for (let one = left.pop(); one !== undefined; one = left.pop()) {
    const { branch, indent, mark, below } = one;
    lines.push(line(screen, { text: visible(indent + mark), style: 'dim' }, ...branch.pieces));
    const next = indent + below;
    const children = branch.below.map((child, i) => {
      const last = i === branch.below.length - 1;
      return { branch: child, indent: next, mark: last ? '└─ ' : '├─ ', below: last ? '   ' : '│  ' };
    });
    left.push(...children.reverse());
  }
  return lines;
}
