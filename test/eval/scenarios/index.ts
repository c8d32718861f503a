import type { Scenario } from '../scenario.ts';
import { commandInjection } from './command-injection.ts';
import { credentialTheft } from './credential-theft.ts';
import { cryptoMiner } from './crypto-miner.ts';
import { dnsExfiltration } from './dns-exfiltration.ts';
import { pathTraversal } from './path-traversal.ts';
import { persistence } from './persistence.ts';
import { poisonedDependency } from './poisoned-dependency.ts';
import { reverseShell } from './reverse-shell.ts';
import { s3Staging } from './s3-staging.ts';
import { snsFanOut } from './sns-fan-out.ts';
import { sqsPoisoning } from './sqs-poisoning.ts';
import { ssrf } from './ssrf.ts';

/** Attacks on the desk. */
export const scenarios: readonly Scenario[] = [
  commandInjection,
  pathTraversal,
  poisonedDependency,
  reverseShell,
  cryptoMiner,
  credentialTheft,
  ssrf,
  s3Staging,
  dnsExfiltration,
  persistence,
  sqsPoisoning,
  snsFanOut,
];
