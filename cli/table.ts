import { cells, clock, day, iso, line, type Piece, type Screen, type Style, shorten } from './screen.ts';

export interface Column<Row> {
  readonly title: string;
  /** Safe text; `undefined` where there is nothing to say. */
  of(row: Row): string | number | undefined;
  style?(row: Row): Style | undefined;
  /** May be shortened to so many cells. */
  readonly least?: number;
  /** Left out where the screen is too narrow, the highest first. */
  readonly drop?: number;
}

const GAP = 2;

interface Shape<Row> {
  readonly columns: readonly Column<Row>[];
  readonly widths: readonly number[];
}

/**
 * Rows under titles, as wide as they need or the screen has; what had to be left out for it is said below.
 * @param heading stands above the first of all rows that follow each other with the same one
 */
export function table<Row>(
  screen: Screen,
  rows: readonly Row[],
  columns: readonly Column<Row>[],
  heading?: (row: Row) => string,
): string[] {
  const texts = new Map(columns.map((column) => [column, rows.map((row) => String(column.of(row) ?? ''))]));
  const used = columns.filter((column) => texts.get(column)?.some((text) => text !== ''));
  const { columns: kept, widths } = layOut(screen, used, texts);
  const row = (pieces: readonly Piece[]) => line({ ...screen, width: undefined }, ...pieces);
  const cell = (text: string, i: number, style?: Style): Piece[] => {
    const width = widths[i] ?? 0;
    const shortened = shorten(text, width);
    const gap = i === kept.length - 1 ? '' : ' '.repeat(width + GAP - cells(shortened));
    return [style === undefined ? shortened : { text: shortened, style }, gap];
  };
  const headings = rows.map((one) => heading?.(one));
  const above = (at: number): string[] => {
    const text = headings[at];
    return text === undefined || text === headings[at - 1] ? [] : [screen.paint('dim', text)];
  };
  const dropped = used.filter((column) => !kept.includes(column));
  return [
    row(kept.flatMap(({ title }, i) => cell(title, i, 'dim'))),
    ...rows.flatMap((one, at) => [
      ...above(at),
      row(kept.flatMap((column, i) => cell(texts.get(column)?.[at] ?? '', i, column.style?.(one)))),
    ]),
    ...(dropped.length === 0
      ? []
      : [screen.paint('dim', shorten(`(no room for ${dropped.map(({ title }) => title).join(', ')})`, screen.width ?? 200))]),
  ];
}

/** Shortens the longest first; when that is not enough, leaves a column out and tries again. */
function layOut<Row>(
  screen: Screen,
  all: readonly Column<Row>[],
  texts: ReadonlyMap<Column<Row>, readonly string[]>,
): Shape<Row> {
  let columns = all;
  for (;;) {
    const widths = columns.map((column) =>
      (texts.get(column) ?? []).reduce((most, text) => Math.max(most, cells(text)), cells(column.title)),
    );
    if (screen.width === undefined) return { columns, widths };
    let over = widths.reduce((sum, width) => sum + width + GAP, -GAP) - screen.width;
    const spare = () =>
      columns
        .map(({ least, title }, i) => ({ i, room: least === undefined ? 0 : (widths[i] ?? 0) - Math.max(least, cells(title)) }))
        .filter(({ room }) => room > 0)
        .sort((a, b) => (widths[b.i] ?? 0) - (widths[a.i] ?? 0))[0];
    for (let longest = spare(); over > 0 && longest !== undefined; longest = spare(), over--) {
      widths[longest.i] = (widths[longest.i] ?? 0) - 1;
    }
    const [next] = columns.filter(({ drop }) => drop !== undefined).sort((a, b) => (b.drop ?? 0) - (a.drop ?? 0));
    if (over <= 0 || next === undefined) return { columns, widths };
    columns = columns.filter((column) => column !== next);
  }
}

/** When: a time of day under headings of days for people, whole for programs. µs since 1970. */
export function timeColumn<Row>(
  screen: Screen,
  at: (row: Row) => number | undefined,
): { readonly column: Column<Row>; readonly heading?: (row: Row) => string } {
  const text = (row: Row, show: (at: number) => string, none: string) => {
    const time = at(row);
    return time === undefined ? none : show(time);
  };
  if (!screen.terminal) return { column: { title: 'TIME', of: (row) => text(row, iso, '') } };
  return {
    column: { title: 'TIME (UTC)', of: (row) => text(row, clock, '') },
    heading: (row) => text(row, day, 'at a time unknown'),
  };
}
