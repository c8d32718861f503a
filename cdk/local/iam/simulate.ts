/**
 * What AWS would decide about a request of which not everything is known. A condition on something that the context does not name
 * may hold or not: the request is `allowed` or `refused` only where that makes no difference.
 */
import type { Context } from './conditions.ts';
import { type Access, decide, type Policies } from './evaluate.ts';
import type { Patterns, Policy, Statement } from './policy.ts';

export type Outcome = 'allowed' | 'refused' | 'unknown';

/** A key of a condition that nobody knows: what stands for a policy that is not understood. */
const UNKNOWN = '(not understood)';
const ALL: Patterns = { not: false, list: ['*'] };

/** Stands for a policy that could not be read: it may allow, and may refuse, everything. */
export const notUnderstood: Policy = [true, false].map((allow) => ({
  // Everybody, for what a resource's policy says of nobody counts for nothing; of a role's own it is not asked.
  ...{ allow, actions: ALL, resources: ALL, principals: { not: false, aws: ['*'], services: [] } },
  conditions: [{ operator: 'StringEquals', set: null, ifExists: false, key: UNKNOWN, values: [''] }],
}));

/**
 * @param context names all that is known of the request: what it is known not to have is there and undefined
 * @param boundary of the role ("Permissions boundaries for IAM entities"): it allows nothing by itself
 */
export function simulate(access: Access, policies: Policies, boundary: Policy | null = null): Outcome {
  const { identity, resource, owner, open } = policies;
  const allowed = (generous: boolean): boolean => {
    const as = (policy: Policy) => policy.flatMap((one) => assumed(one, access.context, generous));
    const seen = { identity: identity.map(as), resource: resource === null ? null : as(resource), owner, open };
    if (decide(access, seen) !== 'allowed') return false;
    if (boundary === null) return true;
    const within = { identity: [as(boundary)], resource: null, owner: access.principal.accountId, open: true };
    return decide(access, within) === 'allowed';
  };
  const [best, worst] = [allowed(true), allowed(false)];
  return best === worst ? (best ? 'allowed' : 'refused') : 'unknown';
}

/** The statement as it is when everything unknown turns out in favour of the request, or against it. */
function assumed(statement: Statement, context: Context, generous: boolean): readonly Statement[] {
  const known = statement.conditions.filter(
    ({ key, values }) => isKnown(key, context) && values.every((one) => isFilled(one, context)),
  );
  const open = [statement.actions, statement.resources].some(({ list }) => list.some((one) => !isFilled(one, context)));
  if (known.length === statement.conditions.length && !open) return [statement];
  if (statement.allow !== generous) return [];
  const widest = (patterns: Patterns): Patterns =>
    patterns.list.every((one) => isFilled(one, context))
      ? patterns
      : patterns.not
        ? { not: true, list: patterns.list.filter((one) => isFilled(one, context)) }
        : { not: false, list: patterns.list.map((one) => (isFilled(one, context) ? one : widened(one, context))) };
  return [{ ...statement, conditions: known, actions: widest(statement.actions), resources: widest(statement.resources) }];
}

const isKnown = (key: string, context: Context) => Object.hasOwn(context, key);

const VARIABLE = /\$\{([^},]*)[^}]*\}/g;
const keyIn = (name: string) => name.trim().toLowerCase();
const isLiteral = (name: string) => name === '*' || name === '?' || name === '$';

const isFilled = (pattern: string, context: Context) =>
  [...pattern.matchAll(VARIABLE)].every(([, name = '']) => isLiteral(name) || isKnown(keyIn(name), context));

/** Where a variable is unknown, anything may stand. */
const widened = (pattern: string, context: Context) =>
  pattern.replace(VARIABLE, (whole, name: string) => (isLiteral(name) || isKnown(keyIn(name), context) ? whole : '*'));
