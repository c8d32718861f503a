/** What is configured in the account: functions, who may invoke them and what does. One row per function and one of the look itself, replaced by each. */
import { expiresAfter, N, number, S, text } from './rows.ts';
import { type Item, inParallel, type Table } from './table.ts';

export const MAX_FUNCTIONS = 5000;
/** Rows that are looked at to find them: of functions that are gone a row is kept until it expires. */
const MAX_LOOKED_AT = 100_000;
/** Row of the look itself; no function is named so. */
const LOOK = '~look';
/** A function that was not there in looks of so long a time is taken to be gone, µs. */
const GONE = 172_800_000_000;

/** A way by which a function is meant to be invoked. */
export interface ExpectedSource {
  /**
   * `mapping`: an event source mapping. `policy`: whom its resource policy lets invoke it. `url`: a function URL. As the services
   * themselves have it: `route` of an API, `rule` of a bus or schedule, `notification` of a bucket, `subscription` to a topic.
   */
  readonly by: 'mapping' | 'policy' | 'url' | 'route' | 'rule' | 'notification' | 'subscription';
  /** Service, account or `*`: `sqs`, `apigateway.amazonaws.com`, … */
  readonly who: string;
  /** ARN of the queue, rule, API, …; of a URL its address. */
  readonly source?: string;
  /** Account that a permission is limited to. */
  readonly account?: string;
  /** Of a route `POST /cart`, of a rule its pattern or schedule, of a notification its events and filter. */
  readonly detail?: string;
  /** A permission that nothing makes use of. */
  readonly idle?: true;
}

export interface ConfiguredFunction {
  readonly name: string;
  readonly arn: string;
  readonly runtime?: string;
  readonly role?: string;
  readonly codeSha256?: string;
  readonly modified?: string;
  readonly layers: readonly string[];
  /** Whether Alastor's layer is attached and started. */
  readonly audited: boolean;
  readonly sources: readonly ExpectedSource[];
  /** µs: when it was first seen (0: at the first look of all), and when it was last seen audited. */
  readonly since?: number;
  readonly auditedAt?: number;
}

export type SeenFunction = ConfiguredFunction & { readonly seen: number };

export class Inventory {
  readonly #links: Table;
  readonly #retentionDays: number;

  constructor(links: Table, retentionDays: number) {
    this.#links = links;
    this.#retentionDays = retentionDays;
  }

  /** @param unread what of the account was not read, and why, one line each */
  async put(functions: readonly ConfiguredFunction[], seen: number, unread: readonly string[] = []): Promise<void> {
    const expires = N(expiresAfter(seen, this.#retentionDays));
    const row = (one: ConfiguredFunction): Item => {
      return { key: S('~inventory'), place: S(one.name), of: S(JSON.stringify(one)), seen: N(seen), expires };
    };
    const told = { key: S('~inventory'), place: S(LOOK), of: S(JSON.stringify(unread)), seen: N(seen), expires };
    await this.#links.putAll([...functions.map(row), told]);
  }

  /** What the last look did not read, and why; undefined when nobody has looked yet. */
  async look(): Promise<{ readonly seen: number; readonly unread: readonly string[] } | undefined> {
    const [item] = await this.#row(LOOK);
    return item && { seen: number(item, 'seen'), unread: JSON.parse(text(item, 'of')) as readonly string[] };
  }

  /** Those of these names that are known. */
  async of(names: Iterable<string>, now: number): Promise<ReadonlyMap<string, SeenFunction>> {
    const found = await inParallel([...new Set(names)], 8, (name) => this.#row(name));
    return byName(found.flat(), now);
  }

  /** By name. Empty when nobody has looked yet. `cut`: there are others. */
  async functions(now: number): Promise<{ readonly functions: ReadonlyMap<string, SeenFunction>; readonly cut: boolean }> {
    const { items, cut } = await this.#links.query(
      {
        KeyConditionExpression: '#k = :k',
        FilterExpression: 'seen > :g',
        ExpressionAttributeNames: { '#k': 'key' },
        ExpressionAttributeValues: { ':k': S('~inventory'), ':g': N(now - GONE) },
      },
      // And the row of the look itself.
      MAX_FUNCTIONS + 1,
      MAX_LOOKED_AT,
    );
    // That row is the last.
    return { functions: byName(items.slice(0, MAX_FUNCTIONS), now), cut };
  }

  async #row(name: string): Promise<readonly Item[]> {
    const { items } = await this.#links.query(
      {
        KeyConditionExpression: '#k = :k AND place = :p',
        ExpressionAttributeNames: { '#k': 'key' },
        ExpressionAttributeValues: { ':k': S('~inventory'), ':p': S(name) },
      },
      1,
    );
    return items;
  }
}

function byName(items: readonly Item[], now: number): ReadonlyMap<string, SeenFunction> {
  const rows = items.filter((item) => text(item, 'place') !== LOOK && number(item, 'seen') > now - GONE);
  return new Map(
    rows.map((item) => {
      const one = JSON.parse(text(item, 'of')) as ConfiguredFunction;
      return [one.name, { ...one, seen: number(item, 'seen') }];
    }),
  );
}

/** Services that hand over events of their own shape; others may send any payload. */
const SHAPED = /^(?:apigateway|s3|sns|sqs|elasticloadbalancing)\./;
const PULLED: ReadonlySet<string> = new Set(['sqs', 'dynamodb', 'kinesis']);
const PUSHED: Readonly<Record<string, string>> = { s3: 's3', sns: 'sns', eventbridge: 'events', alb: 'elasticloadbalancing' };

/**
 * Whether something configured explains a request of this trigger. Undefined when that cannot be told: a plain invocation is
 * explained by its caller, a state machine by its role.
 */
export function explained({ sources }: ConfiguredFunction, trigger: string, source: string | undefined): boolean | undefined {
  const names = (arn: string | undefined) => arn === undefined || source === undefined || arn.split(/[:/]/).includes(source);
  if (PULLED.has(trigger)) return sources.some((one) => one.by === 'mapping' && one.who === trigger && names(one.source));
  const used = sources.filter(({ idle }) => idle !== true);
  if (trigger === 'http') return used.some(({ by, who }) => by === 'url' || who === 'apigateway.amazonaws.com' || who === '*');
  const service = PUSHED[trigger];
  if (service === undefined) return undefined;
  // The source of an event on a bus is not the rule that passed it on.
  const anyRule = trigger === 'eventbridge' || trigger === 'alb';
  return used.some(({ who, source: arn }) => who === `${service}.amazonaws.com` && (anyRule || names(arn)));
}

/** Whether something configured may invoke the function with any payload, so that its requests look like plain invocations. */
export const takesAnything = ({ sources }: ConfiguredFunction) =>
  sources.some(({ by, who, idle }) => (by === 'rule' || by === 'policy') && idle !== true && !SHAPED.test(who));
