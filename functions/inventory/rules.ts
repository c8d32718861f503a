/** Rules of EventBridge whose targets are functions, on every bus of the region. */
import {
  type EventBridgeClient,
  ListEventBusesCommand,
  ListRulesCommand,
  ListTargetsByRuleCommand,
  type Rule,
} from '@aws-sdk/client-eventbridge';
import { inParallel } from '../store/table.ts';
import { functionIn, type Own, pages, type Read } from './triggers.ts';

/** An account has room for 100 buses in a region and 300 rules on each; more on request. */
const MAX_BUSES = 300;
const MAX_RULES = 5000;
/** Of one rule; it takes five. */
const MAX_TARGETS = 100;
/** ListTargetsByRule and its kin take some 50 calls a second. */
const WIDTH = 4;
/** What is kept of a pattern. */
const PATTERN_MOST = 300;

export async function readRules(client: EventBridgeClient, own: Own): Promise<Read> {
  const buses = await pages(MAX_BUSES, async (NextToken) => {
    const page = await client.send(new ListEventBusesCommand({ NextToken }));
    return { items: page.EventBuses, next: page.NextToken };
  });
  const rules = await inParallel(buses.items, WIDTH, ({ Name }) =>
    pages(MAX_RULES, async (NextToken) => {
      const page = await client.send(new ListRulesCommand({ EventBusName: Name, NextToken }));
      return { items: page.Rules, next: page.NextToken };
    }),
  );
  const enabled = rules.flatMap(({ items }) => items).filter(({ State }) => State !== 'DISABLED');
  const found = await inParallel(enabled.slice(0, MAX_RULES), WIDTH, async (rule) => {
    const targets = await pages(MAX_TARGETS, async (NextToken) => {
      const asked = { Rule: rule.Name, EventBusName: rule.EventBusName, NextToken };
      const page = await client.send(new ListTargetsByRuleCommand(asked));
      return { items: page.Targets, next: page.NextToken };
    });
    return targets.items.flatMap(({ Arn }) => {
      const fn = functionIn(Arn, own);
      return fn === undefined ? [] : [[fn, sourceOf(rule)] as const];
    });
  });
  const cut = buses.cut || rules.some((page) => page.cut) || enabled.length > MAX_RULES;
  return { found: found.flat(), cut };
}

function sourceOf({ Arn, EventPattern, ScheduleExpression }: Rule) {
  const detail = (ScheduleExpression ?? EventPattern ?? '').slice(0, PATTERN_MOST);
  return { by: 'rule', who: 'events.amazonaws.com', ...(Arn === undefined ? {} : { source: Arn }), detail } as const;
}
