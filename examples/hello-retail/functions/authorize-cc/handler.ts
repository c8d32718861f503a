import { createHash } from 'node:crypto';
import { required } from '../contract/environment.ts';
import { invoke } from '../contract/invoke.ts';
import type { Announcement, AuthorizationAnswer, AuthorizationQuery, Card } from '../contract/messages.ts';
import { applyCardRules, loadCardRules } from './card-rules.ts';
import { cardFor, isCardNumber, issuerLimit } from './cards.ts';
import { closeCase, readCase, writeCase } from './case-file.ts';
import { fingerprintOf } from './fingerprint.ts';
import { type RuleRefresh, refreshRules } from './refresh-rules.ts';

/** Called by purchase for each order; called by an operator, with `refresh`, when the risk team has new rules. */
export async function handler(event: AuthorizationQuery | RuleRefresh): Promise<AuthorizationAnswer | { refreshed: string }> {
  if ('refresh' in event) return refreshRules(event);
  const answer = await authorize(event);
  if (!answer.approved) {
    // The fraud desk listens for these.
    await invoke<unknown>(required('PUBLISH_FUNCTION'), {
      type: 'authorization.declined',
      detail: { orderId: event.orderId, user: event.user, reason: answer.reason },
    } satisfies Announcement);
  }
  return answer;
}

async function authorize(query: AuthorizationQuery): Promise<AuthorizationAnswer> {
  if (query.card && !isCardNumber(query.card.number)) return { approved: false, reason: 'the card number is not valid' };
  const rules = loadCardRules();
  writeCase(query.orderId, { amount: query.amount, findings: [] });
  try {
    const card = await cardFor(query);
    if (!card) return { approved: false, reason: 'there is no card to charge' };
    const fingerprint = await fingerprintOf(card.holder);
    const findings = await applyCardRules(rules, card, query, fingerprint);
    return decide(query.orderId, card, findings);
  } finally {
    closeCase(query.orderId);
  }
}

function decide(orderId: string, card: Card, findings: readonly string[]): AuthorizationAnswer {
  const { amount, findings: noted } = readCase(orderId);
  const [reason] = [...findings, ...noted];
  if (reason) return { approved: false, reason };
  if (amount > issuerLimit(card)) return { approved: false, reason: 'the card was declined' };
  const code = createHash('sha256').update(`authorization ${orderId}`).digest('hex').slice(0, 8);
  return { approved: true, code, charged: amount };
}
