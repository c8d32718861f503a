import type { Series } from './main.ts';
import type { Cold } from './orders.ts';
import type { LayerSize } from './size.ts';
import { quantile, ratios, type Spread, spread } from './statistics.ts';
import { UNTRACED, VARIANTS } from './variants.ts';

/** One variant doing one work. Times in ms, sizes in bytes. */
export interface Row {
  readonly variant: string;
  readonly p50: number;
  readonly p95: number;
  /** To the untraced one, of the medians of each round. */
  readonly ratio: Spread;
  readonly cpuMs: number;
  readonly cpuRatio: Spread;
  readonly evidence?: {
    readonly raw: number;
    readonly compressed: number;
    /** Functions called in one request; 0 when unknown. */
    readonly functions: number;
    readonly puts: number;
    readonly lost: number;
  };
  /** Of the recorder, MB (2^20 bytes). */
  readonly rssMb: number;
  readonly pssMb: number;
  /** On the disk of all instances at the end, MB (2^20 bytes). */
  readonly tmpMb: number;
}

export interface Table {
  readonly work: string;
  readonly title: string;
  readonly serviceLatencyMs: number;
  readonly rows: readonly Row[];
}

export interface ColdRow {
  readonly variant: string;
  readonly firstLine: number;
  /** Added to the untraced one's, ms. */
  readonly added: Spread;
  readonly deploy: number;
  readonly deployRatio: Spread;
  readonly tearDown: number;
  readonly tearDownRatio: Spread;
}

export interface Summary {
  readonly date: string;
  readonly rounds: number;
  readonly tables: readonly Table[];
  readonly cold: readonly ColdRow[];
  readonly layers: readonly LayerSize[];
}

export function summary(
  series: readonly Series[],
  cold: ReadonlyMap<string, readonly Cold[]>,
  layers: readonly LayerSize[],
  rounds: number,
): Summary {
  return {
    date: new Date().toISOString(),
    rounds,
    tables: series.map((one) => ({
      work: one.work.name,
      title: one.work.title,
      serviceLatencyMs: one.serviceLatencyMs,
      rows: rowsOf(one),
    })),
    cold: coldRows(cold),
    layers,
  };
}

function rowsOf({ batches }: Series): Row[] {
  const medians = (variant: string) => (batches.get(variant) ?? []).map(({ latencies }) => quantile(latencies, 0.5));
  const cpu = (variant: string) => (batches.get(variant) ?? []).map(({ cpuMs }) => cpuMs);
  return [...batches].map(([variant, list]) => {
    const all = list.flatMap(({ latencies }) => latencies);
    const per = (of: (evidence: (typeof list)[number]['evidence']) => number): number =>
      quantile(
        list.map((batch) => of(batch.evidence) / batch.latencies.length),
        0.5,
      );
    return {
      variant,
      p50: quantile(all, 0.5),
      p95: quantile(all, 0.95),
      ratio: ratios(medians(variant), medians(UNTRACED.name)),
      cpuMs: spread(cpu(variant)).median,
      cpuRatio: ratios(cpu(variant), cpu(UNTRACED.name)),
      ...(variant !== UNTRACED.name && {
        evidence: {
          raw: per(({ raw }) => raw),
          compressed: per(({ compressed }) => compressed),
          functions: per(({ requests }) => requests),
          puts: per(({ puts }) => puts),
          lost: list.reduce((sum, { evidence }) => sum + evidence.lost, 0),
        },
      }),
      rssMb: Math.max(...list.map(({ rssKb }) => rssKb)) / 1024,
      pssMb: Math.max(...list.map(({ pssKb }) => pssKb)) / 1024,
      tmpMb: Math.max(...list.map(({ tmpKb }) => tmpKb)) / 1024,
    };
  });
}

function coldRows(cold: ReadonlyMap<string, readonly Cold[]>): ColdRow[] {
  const base = cold.get(UNTRACED.name) ?? [];
  if (base.length === 0) return [];
  const of = (list: readonly Cold[], field: keyof Cold) => list.map((one) => one[field]);
  return [...cold].map(([variant, list]) => ({
    variant,
    firstLine: spread(of(list, 'firstLine')).median,
    added: spread(list.map(({ firstLine }, i) => firstLine - (base[i]?.firstLine ?? Number.NaN))),
    deploy: spread(of(list, 'deploy')).median,
    deployRatio: ratios(of(list, 'deploy'), of(base, 'deploy')),
    tearDown: spread(of(list, 'tearDown')).median,
    tearDownRatio: ratios(of(list, 'tearDown'), of(base, 'tearDown')),
  }));
}

const titles = new Map(VARIANTS.map(({ name, title }) => [name, title]));

export function report({ tables, cold, layers, rounds, date }: Summary): string {
  const parts = [`${date}, ${rounds} rounds; ratios to untraced within each round: median (least to most)\n`];
  for (const { title, serviceLatencyMs, rows } of tables) {
    parts.push(`\n${title}; services ${serviceLatencyMs === 0 ? 'as on loopback' : `with ${serviceLatencyMs} ms added`}\n`);
    const head = [
      '',
      'p50 ms',
      'p95 ms',
      'latency ×',
      'CPU ms',
      'CPU ×',
      'raw KB',
      'stored KB',
      'KB per fn',
      'PUTs',
      'lost',
      'RSS MB',
      'PSS MB',
      '/tmp MB',
    ];
    parts.push(
      table([
        head,
        ...rows.map(({ variant, p50, p95, ratio, cpuMs, cpuRatio, evidence, rssMb, pssMb, tmpMb }) => [
          titles.get(variant) ?? variant,
          p50.toFixed(1),
          p95.toFixed(1),
          spreadText(ratio),
          cpuMs.toFixed(1),
          spreadText(cpuRatio),
          ...(evidence === undefined
            ? ['', '', '', '', '']
            : [
                kb(evidence.raw),
                kb(evidence.compressed),
                evidence.functions === 0 ? '' : kb(evidence.compressed / evidence.functions),
                evidence.puts === 0 ? '' : evidence.puts.toFixed(1),
                String(evidence.lost),
              ]),
          rssMb === 0 ? '' : rssMb.toFixed(0),
          pssMb === 0 ? '' : pssMb.toFixed(0),
          tmpMb.toFixed(1),
        ]),
      ]),
    );
  }
  if (cold.length > 0) {
    parts.push('\nCold start, creating and removing a function\n');
    const head = ['', 'first line ms', 'added ms', 'create ms', 'create ×', 'remove ms', 'remove ×'];
    parts.push(
      table([
        head,
        ...cold.map(({ variant, firstLine, added, deploy, deployRatio, tearDown, tearDownRatio }) => [
          titles.get(variant) ?? variant,
          firstLine.toFixed(0),
          spreadText(added, 0),
          deploy.toFixed(0),
          spreadText(deployRatio),
          tearDown.toFixed(0),
          spreadText(tearDownRatio),
        ]),
      ]),
    );
  }
  parts.push('\nWhat is deployed besides the function\n');
  const sizes = layers.map(({ title, packedMb, unpackedMb, buildMs }) => {
    return [title, packedMb.toFixed(2), unpackedMb.toFixed(2), (buildMs / 1000).toFixed(1)];
  });
  parts.push(table([['', 'packed MB', 'unpacked MB', 'build s'], ...sizes]));
  return parts.join('');
}

const kb = (bytes: number): string => (bytes / 1000).toFixed(2);

function spreadText({ median, min, max }: Spread, digits = 2): string {
  return `${median.toFixed(digits)} (${min.toFixed(digits)}–${max.toFixed(digits)})`;
}

/** First column to the left, the others to the right. */
function table(rows: readonly (readonly string[])[]): string {
  const widths = (rows[0] ?? []).map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)));
  return rows
    .map((row) => row.map((cell, i) => (i === 0 ? cell.padEnd(widths[i] ?? 0) : cell.padStart(widths[i] ?? 0))).join('  '))
    .map((line) => `${line.trimEnd()}\n`)
    .join('');
}
