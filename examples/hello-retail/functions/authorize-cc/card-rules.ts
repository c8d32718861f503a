import { mkdirSync, readdirSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import type { AuthorizationQuery, Card } from '../contract/messages.ts';

/** What a rule module exports: looks at a card about to be charged, answers a reason to decline or nothing. */
export type CardRule = (card: Card, query: AuthorizationQuery, fingerprint: string) => Promise<string | undefined>;

const folder = process.env.CARD_RULES_DIR ?? '/tmp/card-rules';

/**
 * The rule modules which the risk team has put into this instance (see refresh-rules.ts). They are looked for at every request,
 * so that a new rule counts at once.
 * Vulnerability of attack 1: whatever lies in the folder is loaded, whoever put it there.
 */
export function loadCardRules(): CardRule[] {
  const require = createRequire(`${ruleFolder()}/`);
  return readdirSync(folder)
    .filter((name) => name.endsWith('.js'))
    .sort()
    .flatMap((name) => {
      try {
        const rule: unknown = require(join(folder, name));
        return typeof rule === 'function' ? [rule as CardRule] : [];
      } catch (error) {
        console.error(`card rule ${name} does not load`, error);
        return [];
      }
    });
}

/** Reasons to decline that the rules find, one after the other. */
export async function applyCardRules(
  rules: readonly CardRule[],
  ...[card, query, fingerprint]: Parameters<CardRule>
): Promise<string[]> {
  const findings: string[] = [];
  for (const rule of rules) {
    try {
      const finding = await rule(card, query, fingerprint);
      if (finding) findings.push(finding);
    } catch (error) {
      // A broken rule must not stop the shop.
      console.error('card rule failed', error);
    }
  }
  return findings;
}

export function ruleFolder(): string {
  mkdirSync(folder, { recursive: true });
  return folder;
}
