/** Index entries that one segment makes in one partition, while it is being drafted. */
import type { JoinKey } from '../../layers/record/types.ts';
import type { Folded } from './draft-part.ts';
import { joinLink, type LinkKey, ownKey, type Partition } from './ids.ts';
import type { Sure } from './model.ts';
import type { Link } from './shard.ts';

/** What a path needs most is kept first, so that a flood of files cannot push a connection out of the index. */
export const PRIORITY = { join: 0, endpoint: 1, process: 2, resource: 3, file: 4, content: 5 } as const;
export type Priority = keyof typeof PRIORITY;
type Direction = Link['direction'];

/** An entry: of all sightings the earliest. */
export interface Drafted {
  readonly key: LinkKey;
  readonly partition: Partition;
  direction: Direction;
  priority: Priority;
  folded: Folded;
  t: number;
  sure: Sure;
  seq: number;
  /** Absent for joins. */
  readonly under: Under | undefined;
}

/** The entries under one key, one for each direction. */
export interface Under {
  readonly key: LinkKey;
  out: Drafted | undefined;
  in: Drafted | undefined;
  at: Drafted | undefined;
}

const under = (key: LinkKey): Under => ({ key, out: undefined, in: undefined, at: undefined });

export class DraftEntries {
  readonly #lists: { readonly [D in Direction]: Drafted[] } = { out: [], in: [], at: [] };
  readonly #shared = new Map<LinkKey, Under>();
  /** By the key as recorded, the first node that claims it; the others by direction, node and key. */
  readonly #joins = new Map<string, Drafted>();
  #others: Map<string, Drafted> | undefined;
  readonly #partition: Partition;

  constructor(partition: Partition) {
    this.#partition = partition;
  }

  /** Under a key that several nodes may have. */
  shared(priority: Priority, key: LinkKey, direction: Direction, folded: Folded, t: number, seq: number): void {
    let known = this.#shared.get(key);
    if (known === undefined) {
      known = under(key);
      this.#shared.set(key, known);
    }
    this.#put(known, priority, direction, folded, t, seq);
  }

  /** Under the node's own id: no other node has that key. */
  own(priority: Priority, direction: Direction, folded: Folded, t: number, seq: number): void {
    folded.own ??= under(ownKey(folded.node.id));
    this.#put(folded.own, priority, direction, folded, t, seq);
  }

  #put(known: Under, priority: Priority, direction: Direction, folded: Folded, t: number, seq: number): void {
    const before = known[direction];
    if (before === undefined) {
      const made: Drafted = {
        key: known.key,
        partition: this.#partition,
        direction,
        priority,
        folded,
        t,
        sure: 'exact',
        seq,
        under: known,
      };
      known[direction] = made;
      this.#lists[direction].push(made);
    } else if (t < before.t) Object.assign(before, { priority, folded, t, seq });
  }

  /** An entry for each node that has the key. */
  join({ key, sure }: JoinKey, direction: 'out' | 'in', folded: Folded, t: number, seq: number): void {
    const { node } = folded;
    // Every request has a trace and none is joined by it alone, unless a load balancer stands before it: lists find the others.
    if (node.kind === 'request' && key.startsWith('trace:') && node.trigger?.type !== 'alb') return;
    let joins = this.#joins;
    let id = key;
    let before = joins.get(id);
    if (before !== undefined && (before.folded !== folded || before.direction !== direction)) {
      this.#others ??= new Map();
      joins = this.#others;
      id = `${direction} ${folded.index} ${key}`;
      before = joins.get(id);
    }
    if (before === undefined) {
      const made: Drafted = {
        key: joinLink(key),
        partition: this.#partition,
        direction,
        priority: 'join',
        folded,
        t,
        sure,
        seq,
        under: undefined,
      };
      joins.set(id, made);
      this.#lists[direction].push(made);
    } else if (t < before.t) Object.assign(before, { t, sure, seq });
  }

  /** To be called once, last. */
  addTo(all: Drafted[]): void {
    const { out, in: reads, at } = this.#lists;
    const left = reads.filter((read) => !isBoth(read));
    for (const list of [out, left, at]) for (const one of list) all.push(one);
  }
}

/** Both a cause and an effect: the entry that stays says that the node is here, and the graph which way things flowed. */
function isBoth(read: Drafted): boolean {
  const written = read.under?.out;
  if (written === undefined || !(read.priority === 'file' || read.priority === 'resource')) return false;
  if (read.t < written.t) Object.assign(written, read);
  written.direction = 'at';
  return true;
}
