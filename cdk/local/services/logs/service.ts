/**
 * CloudWatch Logs as far as functions' logs are passed on: groups, streams, subscription filters.
 * Format of a delivery: docs.aws.amazon.com/AmazonCloudWatch/latest/logs/SubscriptionFilters.html
 */
import { gzipSync } from 'node:zlib';
import type { Deliver } from '../../delivery.ts';
import type { Environment, Worker } from '../../environment.ts';
import { Pending } from '../../pending.ts';

export interface SubscriptionFilter {
  readonly name: string;
  readonly group: string;
  readonly destinationArn: string;
  /** A line is passed on when it has one of these; none: every line. */
  readonly terms: readonly string[];
}

interface LogEvent {
  readonly id: string;
  readonly timestamp: number;
  readonly message: string;
}

/** Lines wait this long for others of their stream. AWS takes a few seconds. */
const BATCH_MS = 200;

/** `?term ?"two words"` as a list of terms; `` for all lines; null for patterns that are not understood here. */
export function filterTerms(pattern: string): readonly string[] | null {
  const text = pattern.trim();
  if (text === '') return [];
  const terms = [...text.matchAll(/\?(?:"([^"]+)"|([\w.]+))(?:\s+|$)/g)];
  return terms.map(([all]) => all).join('') === text ? terms.map(([, quoted, bare]) => quoted ?? bare ?? '') : null;
}

export class LogsService implements Worker {
  readonly #env: Environment;
  readonly #deliver: Deliver;
  readonly #groups = new Map<string, string>();
  readonly #filters: SubscriptionFilter[] = [];
  readonly #waiting = new Map<string, LogEvent[]>();
  readonly #pending: Pending;
  #events = 0;

  constructor(env: Environment, deliver: Deliver) {
    this.#env = env;
    this.#deliver = deliver;
    this.#pending = new Pending('log deliveries', env.log);
  }

  /** Gives a function a group of another name than `/aws/lambda/<function>`. */
  setGroup(functionName: string, group: string): void {
    this.#groups.set(functionName, group);
  }

  subscribe(filter: SubscriptionFilter): void {
    this.#filters.push(filter);
  }

  /** A line of a function's log. @param instance the 32 hex digits that name the instance */
  line(functionName: string, instance: string, message: string): void {
    const own = this.#groups.get(functionName);
    const group = own ?? `/aws/lambda/${functionName}`;
    const filters = this.#filters.filter((one) => one.group === group);
    if (filters.length === 0) return;
    const now = new Date();
    const day = now.toISOString().slice(0, 10).replaceAll('-', '/');
    const stream = `${day}/${own === undefined ? '' : functionName}[$LATEST]${instance}`;
    for (const filter of filters) {
      if (filter.terms.length > 0 && !filter.terms.some((term) => message.includes(term))) continue;
      const key = `${filter.name}\n${stream}`;
      const waiting = this.#waiting.get(key);
      const event = { id: String(this.#events++).padStart(56, '0'), timestamp: now.getTime(), message };
      if (waiting !== undefined) waiting.push(event);
      else {
        this.#waiting.set(key, [event]);
        this.#pending.start(() => this.#send(filter, stream, key), BATCH_MS);
      }
    }
  }

  busy(): string | null {
    return this.#pending.busy();
  }

  stop(): void {
    this.#pending.stop();
  }

  async #send({ name, group, destinationArn }: SubscriptionFilter, logStream: string, key: string): Promise<void> {
    const logEvents = this.#waiting.get(key) ?? [];
    this.#waiting.delete(key);
    const owner = this.#env.accountId;
    const told = { messageType: 'DATA_MESSAGE', owner, logGroup: group, logStream, subscriptionFilters: [name], logEvents };
    const data = gzipSync(JSON.stringify(told)).toString('base64');
    const sourceArn = `arn:aws:logs:${this.#env.region}:${owner}:log-group:${group}:*`;
    await this.#deliver.to(destinationArn, JSON.stringify({ awslogs: { data } }), { sourceArn });
  }
}
