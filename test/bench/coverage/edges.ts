/** What both sides are reduced to: one line per flow between a process and something else. A set: how often does not matter. */
export const KINDS = [
  'fork',
  'exec',
  'exit',
  'create',
  'read',
  'write',
  'rename',
  'link',
  'symlink',
  'unlink',
  'mkdir',
  'rmdir',
  'chmod',
  'chown',
  'truncate',
  'connect',
  'accept',
  'bind',
  'bytes',
  'pipe',
  'pair',
] as const;
export type EdgeKind = (typeof KINDS)[number];

export class Edges {
  readonly #all = new Map<EdgeKind, Set<string>>();

  /** `what`: the object, e.g. a path or a peer; together with kind and pid it names the edge. */
  add(kind: EdgeKind, pid: number, what: string): void {
    const set = this.#all.get(kind) ?? new Set();
    set.add(`${pid} ${what.replaceAll(' (deleted)', '')}`);
    this.#all.set(kind, set);
  }

  of(kind: EdgeKind): ReadonlySet<string> {
    return this.#all.get(kind) ?? new Set();
  }
}

/** Bytes per process and peer; becomes one edge each, so a single byte too few or too many is a miss. */
export class Totals {
  readonly #sums = new Map<string, { pid: number; peer: string; received: number; sent: number }>();

  add(pid: number, peer: string, received: number, sent: number): void {
    const key = `${pid} ${peer}`;
    const sum = this.#sums.get(key) ?? { pid, peer, received: 0, sent: 0 };
    sum.received += received;
    sum.sent += sent;
    this.#sums.set(key, sum);
  }

  into(edges: Edges): void {
    for (const { pid, peer, received, sent } of this.#sums.values())
      if (received + sent > 0) edges.add('bytes', pid, `${peer} in ${received} out ${sent}`);
  }
}

export interface Score {
  readonly expected: number;
  readonly found: number;
  readonly reported: number;
  readonly right: number;
  readonly missing: readonly string[];
  readonly extra: readonly string[];
}

/** `optional`: edges that may be reported and need not be; see {@link file://./README.md}. */
export function score(kind: EdgeKind, oracle: Edges, optional: Edges, seen: Edges): Score {
  const expected = oracle.of(kind);
  const may = optional.of(kind);
  const all = seen.of(kind);
  const missing = [...expected].filter((edge) => !all.has(edge));
  const reported = [...all].filter((edge) => expected.has(edge) || !may.has(edge));
  const extra = reported.filter((edge) => !expected.has(edge));
  return {
    expected: expected.size,
    found: expected.size - missing.length,
    reported: reported.length,
    right: reported.length - extra.length,
    missing,
    extra,
  };
}
