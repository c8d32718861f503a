/** What is configured in the account: functions, who may invoke them and what does. One row per function, replaced by each look. */
import { expiresAfter, N, number, S, text } from './rows.ts';
import type { Item, Table } from './table.ts';

const MAX_FUNCTIONS = 5000;
/** A function that was not there in looks of so long a time is taken to be gone, µs. */
const GONE = 172_800_000_000;

/** A way by which a function is meant to be invoked. */
export interface ExpectedSource {
  /** `mapping`: an event source mapping. `policy`: whom its resource policy lets invoke it. `url`: a function URL. */
  readonly by: 'mapping' | 'policy' | 'url';
  /** Service, account or `*`: `sqs`, `apigateway.amazonaws.com`, … */
  readonly who: string;
  /** ARN of the queue, rule, API, …; of a URL its address. */
  readonly source?: string;
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

  async put(functions: readonly ConfiguredFunction[], seen: number): Promise<void> {
    const expires = N(expiresAfter(seen, this.#retentionDays));
    const row = (one: ConfiguredFunction): Item => {
      return { key: S('~inventory'), place: S(one.name), of: S(JSON.stringify(one)), seen: N(seen), expires };
    };
    await this.#links.putAll(functions.map(row));
  }

  /** By name. Empty when nobody has looked yet. */
  async functions(now: number): Promise<ReadonlyMap<string, SeenFunction>> {
    const { items } = await this.#links.query(
      {
        KeyConditionExpression: '#k = :k',
        ExpressionAttributeNames: { '#k': 'key' },
        ExpressionAttributeValues: { ':k': S('~inventory') },
      },
      MAX_FUNCTIONS,
    );
    const found = items.map((item) => ({
      ...(JSON.parse(text(item, 'of')) as ConfiguredFunction),
      seen: number(item, 'seen'),
    }));
    return new Map(found.filter(({ seen }) => seen > now - GONE).map((one) => [one.name, one]));
  }
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
  if (trigger === 'http')
    return sources.some(({ by, who }) => by === 'url' || who === 'apigateway.amazonaws.com' || who === '*');
  const service = PUSHED[trigger];
  if (service === undefined) return undefined;
  // The source of an event on a bus is not the rule that passed it on.
  const anyRule = trigger === 'eventbridge' || trigger === 'alb';
  return sources.some(
    ({ by, who, source: arn }) => by === 'policy' && who === `${service}.amazonaws.com` && (anyRule || names(arn)),
  );
}

/** Whether something configured may invoke the function with any payload, so that its requests look like plain invocations. */
export const takesAnything = ({ sources }: ConfiguredFunction) =>
  sources.some(({ by, who }) => by === 'policy' && !SHAPED.test(who));
