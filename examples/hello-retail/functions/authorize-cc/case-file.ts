import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** What is known about one authorization while it is being decided. */
export interface Case {
  /** Cents to charge. A rule may lower it (a voucher, a part payment). */
  readonly amount: number;
  /** Reasons to decline that the card rules found. */
  readonly findings: readonly string[];
}

const folder = process.env.CASES_DIR ?? '/tmp/authorizations';

/**
 * The case lies in a file while it is open, so that card rules of any language can read it and add to it.
 * Vulnerability of attack 2, stage 2: so can every other process of the instance.
 */
export function writeCase(orderId: string, content: Case): void {
  mkdirSync(folder, { recursive: true });
  writeFileSync(fileOf(orderId), `${JSON.stringify(content)}\n`);
}

/** The case as the rules have left it. */
export function readCase(orderId: string): Case {
  return JSON.parse(readFileSync(fileOf(orderId), 'utf8')) as Case;
}

export function closeCase(orderId: string): void {
  rmSync(fileOf(orderId), { force: true });
}

function fileOf(orderId: string): string {
  return join(folder, `${orderId}.json`);
}
