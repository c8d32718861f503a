import { randomUUID } from 'node:crypto';
import type { BusEvent, Deliver } from '../../delivery.ts';
import { type Environment, parseArn, type Worker } from '../../environment.ts';
import { ServiceError, sendJsonError } from '../../http/error.ts';
import { type Exchange, readBody, send } from '../../http/exchange.ts';
import { uuid } from '../../ids.ts';
import { Pending } from '../../pending.ts';
import { type TargetInput, targetPayload } from './input.ts';
import { checkPattern, matches, type Pattern, PatternError } from './pattern.ts';

export interface RuleTarget extends TargetInput {
  readonly id: string;
  readonly arn: string;
  readonly messageGroupId?: string;
}

export interface Rule {
  readonly name: string;
  readonly bus: string;
  readonly enabled: boolean;
  readonly pattern: Pattern | null;
  /** As the template has it, e.g. `cron(…)`; null when the rule has none. */
  readonly schedule: string | null;
  /** From `rate(…)`; null when the rule has no schedule. */
  readonly everyMs: number | null;
  readonly targets: readonly RuleTarget[];
}

interface Entry {
  readonly Time?: number | string;
  readonly Source?: string;
  readonly Resources?: readonly string[];
  readonly DetailType?: string;
  readonly Detail?: string;
  readonly EventBusName?: string;
}

/** `rate(5 minutes)` in ms; null for anything else. */
export function rateMs(expression: string): number | null {
  const match = /^rate\((\d+) (minute|hour|day)s?\)$/.exec(expression.trim());
  const unit = { minute: 60_000, hour: 3_600_000, day: 86_400_000 }[match?.[2] ?? ''];
  return match === null || unit === undefined ? null : Number(match[1]) * unit;
}

/** From its name or ARN. */
const busName = (given: unknown): string =>
  (parseArn(String(given ?? ''))?.resource ?? String(given ?? 'default')).replace(/^event-bus\//, '');

const seconds = (date: Date) => `${date.toISOString().slice(0, 19)}Z`;

/** EventBridge: buses, rules with patterns or rates, PutEvents and TestEventPattern. */
export class EventBridgeService implements Worker {
  readonly #env: Environment;
  readonly #deliver: Deliver;
  readonly #buses = new Set(['default']);
  readonly #rules: Rule[] = [];
  readonly #timers: NodeJS.Timeout[] = [];
  readonly #pending: Pending;

  constructor(env: Environment, deliver: Deliver) {
    this.#env = env;
    this.#deliver = deliver;
    this.#pending = new Pending('EventBridge delivery', env.log);
  }

  createBus(name: string): string {
    this.#buses.add(name);
    return this.#busArn(name);
  }

  createRule(rule: Rule): string {
    this.#rules.push(rule);
    if (rule.everyMs !== null && rule.enabled) this.#timers.push(setInterval(() => this.#scheduled(rule), rule.everyMs));
    return this.#ruleArn(rule);
  }

  busy(): string | null {
    return this.#pending.busy();
  }

  stop(): void {
    for (const timer of this.#timers) clearInterval(timer);
    this.#pending.stop();
  }

  /** Gives an event to every rule of the bus that wants it. */
  publish(event: BusEvent, bus = 'default'): void {
    for (const rule of this.#rules)
      if (rule.enabled && rule.bus === bus && rule.pattern !== null && matches(rule.pattern, event)) this.#fire(rule, event);
  }

  async handle(exchange: Exchange): Promise<void> {
    try {
      const input = JSON.parse((await readBody(exchange.req)).toString('utf8') || '{}') as Record<string, unknown>;
      const output = this.#run(exchange.operation ?? '', input);
      const headers = { 'content-type': 'application/x-amz-json-1.1', 'x-amzn-requestid': uuid() };
      send(exchange.res, 200, headers, JSON.stringify(output));
    } catch (cause) {
      sendJsonError(exchange.res, cause, 'com.amazonaws.events', '1.1');
    }
  }

  #run(operation: string, input: Record<string, unknown>): unknown {
    if (operation === 'PutEvents') return this.#putEvents(input.Entries);
    if (operation === 'TestEventPattern') return { Result: testPattern(String(input.EventPattern), String(input.Event)) };
    if (operation === 'ListEventBuses')
      return { EventBuses: [...this.#buses].map((name) => ({ Name: name, Arn: this.#busArn(name) })) };
    const bus = busName(input.EventBusName);
    if (operation === 'ListRules') return { Rules: this.#rules.filter((one) => one.bus === bus).map((one) => this.#told(one)) };
    if (operation === 'ListTargetsByRule') {
      const rule = this.#rules.find((one) => one.bus === bus && one.name === input.Rule);
      if (rule !== undefined) return { Targets: rule.targets.map(({ id, arn }) => ({ Id: id, Arn: arn })) };
      throw new ServiceError('ResourceNotFoundException', `Rule ${String(input.Rule)} does not exist on EventBus ${bus}.`);
    }
    throw new ServiceError(
      'UnknownOperationException',
      `The local engine offers PutEvents, TestEventPattern and lists of EventBridge, not ${operation}. Define rules in the CDK app.`,
    );
  }

  #told(rule: Rule): object {
    const { name, bus, enabled, pattern, schedule } = rule;
    return {
      ...{ Name: name, Arn: this.#ruleArn(rule), EventBusName: bus, State: enabled ? 'ENABLED' : 'DISABLED' },
      ...(pattern === null ? {} : { EventPattern: JSON.stringify(pattern) }),
      ...(schedule === null ? {} : { ScheduleExpression: schedule }),
    };
  }

  #putEvents(entries: unknown): unknown {
    if (!Array.isArray(entries) || entries.length < 1 || entries.length > 10)
      throw new ServiceError(
        'ValidationException',
        "1 validation error detected: Value at 'entries' failed to satisfy constraint: Member must have length between 1 and 10",
      );
    const results = (entries as Entry[]).map((entry) => this.#putEvent(entry));
    return { FailedEntryCount: results.filter((one) => 'ErrorCode' in one).length, Entries: results };
  }

  #putEvent(entry: Entry): { EventId: string } | { ErrorCode: string; ErrorMessage: string } {
    for (const name of ['Source', 'DetailType', 'Detail'] as const)
      if (entry[name] === undefined || entry[name] === '')
        return {
          ErrorCode: 'InvalidArgument',
          ErrorMessage: `Parameter ${name} is not valid. Reason: ${name} is a required argument.`,
        };
    let detail: unknown;
    try {
      detail = JSON.parse(entry.Detail ?? '');
    } catch {
      return { ErrorCode: 'MalformedDetail', ErrorMessage: 'Detail is malformed.' };
    }
    const bus = busName(entry.EventBusName);
    const time =
      typeof entry.Time === 'number'
        ? new Date(entry.Time * 1000)
        : entry.Time === undefined
          ? new Date()
          : new Date(entry.Time);
    const event: BusEvent = {
      version: '0',
      id: randomUUID(),
      'detail-type': entry.DetailType ?? '',
      source: entry.Source ?? '',
      account: this.#env.accountId,
      time: seconds(time),
      region: this.#env.region,
      resources: entry.Resources ?? [],
      detail,
    };
    this.publish(event, bus);
    return { EventId: event.id };
  }

  #scheduled(rule: Rule): void {
    const event = {
      version: '0',
      id: randomUUID(),
      'detail-type': 'Scheduled Event',
      source: 'aws.events',
      account: this.#env.accountId,
      time: seconds(new Date()),
      region: this.#env.region,
      resources: [this.#ruleArn(rule)],
      detail: {},
    };
    this.#fire(rule, event);
  }

  #fire(rule: Rule, event: BusEvent): void {
    const names = { name: rule.name, arn: this.#ruleArn(rule) };
    for (const target of rule.targets)
      this.#pending.start(() =>
        this.#deliver.to(target.arn, targetPayload(target, event, names), {
          sourceArn: names.arn,
          ...(target.messageGroupId === undefined ? {} : { messageGroupId: target.messageGroupId }),
        }),
      );
  }

  #busArn(name: string): string {
    return `arn:aws:events:${this.#env.region}:${this.#env.accountId}:event-bus/${name}`;
  }

  #ruleArn(rule: Rule): string {
    const path = rule.bus === 'default' ? rule.name : `${rule.bus}/${rule.name}`;
    return `arn:aws:events:${this.#env.region}:${this.#env.accountId}:rule/${path}`;
  }
}

function testPattern(pattern: string, event: string): boolean {
  try {
    const parsed: unknown = JSON.parse(pattern);
    checkPattern(parsed);
    return matches(parsed, JSON.parse(event));
  } catch (cause) {
    if (cause instanceof PatternError || cause instanceof SyntaxError)
      throw new ServiceError('InvalidEventPatternException', `Event pattern is not valid. Reason: ${cause.message}`);
    throw cause;
  }
}
