/** Holds a returned path against what the attack's driver really did. */
import type { GroundTruth, Step } from '../../examples/hello-retail/attack/ground-truth.ts';
import type { PathStep } from './api.ts';

export interface Verdict {
  /** Steps of the attack that a complete path names. */
  readonly steps: number;
  readonly found: number;
  readonly missed: readonly string[];
  /** Nodes of the path that are no step of the attack, nor lawfully upstream of one. */
  readonly extra: readonly string[];
  /** Nodes of the path that are lawfully upstream, such as the price that was asked for on the way. */
  readonly context: number;
}

/**
 * `path` is what the query answered for one host of the attacker, `host`. `workflows` names, for each entry request (its API
 * Gateway id), the Lambda requests that it led to.
 */
export function compare(
  truth: Pick<GroundTruth, 'steps'>,
  host: string,
  path: readonly PathStep[],
  workflows: ReadonlyMap<string, ReadonlySet<string>>,
): Verdict {
  const steps = truth.steps.filter(({ upstreamOf }) => upstreamOf.includes(host));
  const matching = path.map((node) => steps.filter((step) => matches(step, node, workflows)));
  const attack = steps.filter(({ role }) => role === 'attack');
  const missed = attack.filter((step) => !matching.some((found) => found.includes(step)));
  return {
    steps: attack.length,
    found: attack.length - missed.length,
    missed: missed.map(({ what, match }) => `${what} (${match.kind} /${match.label}/ in ${match.function ?? 'any function'})`),
    extra: path
      .filter((_, index) => matching[index]?.length === 0)
      .map(({ kind, label, function: fn }) => `${kind} ${label}${fn === undefined ? '' : ` in ${fn}`}`),
    context: matching.filter((found) => found.length > 0 && found.every(({ role }) => role === 'context')).length,
  };
}

function matches({ match }: Step, node: PathStep, workflows: ReadonlyMap<string, ReadonlySet<string>>): boolean {
  if (match.kind !== node.kind) return false;
  if (match.function !== undefined && match.function !== node.function) return false;
  if (match.entry !== undefined && !(node.requestId !== undefined && workflows.get(match.entry)?.has(node.requestId)))
    return false;
  return new RegExp(match.label).test(node.label);
}
