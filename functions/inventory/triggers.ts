/** What services themselves say invokes functions: routes of APIs, rules, notifications of buckets, subscriptions of topics. */
import type { ExpectedSource } from '../store/inventory.ts';

/** A service that was asked; its name is the principal in resource policies. */
export type Service = 'apigateway' | 'events' | 's3' | 'sns';

/** Sources of functions, by function name. */
export type Triggers = ReadonlyMap<string, readonly ExpectedSource[]>;

export interface Read {
  readonly found: readonly (readonly [fn: string, source: ExpectedSource])[];
  /** There is more than was read, or may be. */
  readonly cut: boolean;
}

export interface Reading {
  readonly service: Service;
  read(): Promise<Read>;
}

export interface TriggersRead {
  readonly triggers: Triggers;
  /** Services that were read to the end. */
  readonly complete: ReadonlySet<Service>;
  /** What was not read, and why, one line each. */
  readonly unread: readonly string[];
}

/** One service that does not answer, or may not be read, leaves the others as they are. */
export async function readTriggers(readings: readonly Reading[]): Promise<TriggersRead> {
  const triggers = new Map<string, ExpectedSource[]>();
  const complete = new Set<Service>();
  const unread: string[] = [];
  for (const { service, read } of readings) {
    try {
      const { found, cut } = await read();
      for (const [fn, source] of found) {
        const known = triggers.get(fn);
        if (known === undefined) triggers.set(fn, [source]);
        else known.push(source);
      }
      if (cut) unread.push(`${service}: there is more than was looked through, or than may be`);
      else complete.add(service);
    } catch (error) {
      unread.push(`${service}: ${error instanceof Error ? `${error.name}: ${error.message}` : String(error)}`);
    }
  }
  return { triggers, complete, unread };
}

/** Name of the function that an ARN, or the URI of an API's integration, leads to; undefined when it is none of this account and region. */
export function functionIn(target: string | undefined, own: Own): string | undefined {
  const [, region, account, name] = /arn:[\w-]+:lambda:([\w-]+):(\d+):function:([\w-]+)/.exec(target ?? '') ?? [];
  return region === own.region && account === own.account ? name : undefined;
}

/** Where functions lie that can be in the inventory. */
export interface Own {
  /** `aws`, `aws-cn`, … */
  readonly partition: string;
  readonly region: string;
  readonly account: string;
}

export async function pages<T>(
  most: number,
  read: (marker: string | undefined) => Promise<{ items: readonly T[] | undefined; next: string | undefined }>,
): Promise<{ readonly items: readonly T[]; readonly cut: boolean }> {
  const items: T[] = [];
  let marker: string | undefined;
  do {
    const page = await read(marker);
    items.push(...(page.items ?? []));
    marker = page.next;
  } while (marker !== undefined && items.length < most);
  return { items: items.slice(0, most), cut: marker !== undefined || items.length > most };
}
