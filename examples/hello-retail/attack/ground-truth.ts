import { setTimeout as sleep } from 'node:timers/promises';
import type { Attacker } from './attacker.ts';
import type { Random } from './random.ts';

/** What an attack is given. */
export interface AttackContext {
  /** Address of the shop. */
  readonly apiUrl: string;
  /** Servers of the attacker, already reachable from the functions. */
  readonly attacker: Attacker;
  readonly random: Random;
  log(line: string): void;
  /** Resolves when all that was set off is over. @default none: some time is waited instead, which a busy machine may not keep to */
  readonly settled?: () => Promise<void>;
}

/** By what a node of the provenance graph is recognised. */
export interface StepMatch {
  readonly kind: 'client' | 'request' | 'process' | 'file' | 'image-tree' | 'endpoint' | 'exchange' | 'resource';
  /** Source of a regular expression for the node's label. */
  readonly label: string;
  /** Name of the function whose instance it is in. */
  readonly function?: string;
  /** `apigw-requestid` of the client's request in whose workflow it happened, when it happened in one only. */
  readonly entry?: string;
}

export interface Step {
  /** For people. */
  readonly what: string;
  readonly match: StepMatch;
  /**
   * `attack`: a complete story names it. `context`: lawfully upstream, such as the price that was asked for on the way; a precise
   * story may name it.
   */
  readonly role: 'attack' | 'context';
  /** Hosts of the attacker for which it is upstream of what they received. */
  readonly upstreamOf: readonly string[];
}

/** What an attack really did, as the driver knows it: it wrote the payloads and ran the servers. */
export interface GroundTruth {
  readonly name: string;
  /** Where the investigation starts: the host that received what it never should have. */
  readonly exfilHost: string;
  /** All hosts that received something; the steps together are what is upstream of any of them. */
  readonly exfilHosts: readonly string[];
  /** `apigw-requestid` of the requests by which it came in. */
  readonly entryRequestApiIds: readonly string[];
  readonly steps: readonly Step[];
  /** How many times it had to be tried until it worked. */
  readonly rounds: number;
}

/**
 * What follows must be served by the instance that served what came before. That one is free again, and first in line, only
 * when its extensions have finished: a moment after the answer went out. Where nobody can tell, longer at each round.
 */
export async function letInstanceRest({ settled }: AttackContext, round: number): Promise<void> {
  await (settled === undefined ? sleep(1_000 * round) : settled());
}

/** Text as a regular expression that matches just it. */
export function exactly(text: string): string {
  return `^${literally(text)}$`;
}

/** Text as part of a regular expression. */
export function literally(text: string): string {
  return text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&');
}
