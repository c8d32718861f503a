import { type Condition, readConditions } from './conditions.ts';
import { PolicyError } from './policy-error.ts';

/** One statement of a policy, taken apart. */
export interface Statement {
  readonly allow: boolean;
  /** Patterns; `not`: everything but these. */
  readonly actions: Patterns;
  readonly resources: Patterns;
  /** Only in policies of resources: who is meant. */
  readonly principals: Principals | null;
  readonly conditions: readonly Condition[];
}

export interface Patterns {
  readonly not: boolean;
  readonly list: readonly string[];
}

export interface Principals {
  readonly not: boolean;
  /** ARNs, account ids or `*`. */
  readonly aws: readonly string[];
  /** E.g. `logging.s3.amazonaws.com`. */
  readonly services: readonly string[];
}

export type Policy = readonly Statement[];

const ELEMENTS = new Set([
  ...['Sid', 'Effect', 'Action', 'NotAction', 'Resource', 'NotResource', 'Principal', 'NotPrincipal', 'Condition'],
]);

/**
 * Reads a policy document, whose intrinsic functions are resolved ("IAM JSON policy elements reference").
 * @param of whose policy it is: without a `Resource`, a statement is about that (trust policies)
 * @throws PolicyError for anything that is not understood: a policy is never half applied
 */
export function readPolicy(document: unknown, of: string): Policy {
  const statements = (document as { readonly Statement?: unknown } | null)?.Statement;
  if (statements === undefined) throw new PolicyError(`${of}: the policy has no Statement.`);
  return [statements].flat().map((one, at) => readStatement(one as Record<string, unknown>, `${of}, statement ${at + 1}`));
}

function readStatement(one: Record<string, unknown>, where: string): Statement {
  for (const name of Object.keys(one)) if (!ELEMENTS.has(name)) throw new PolicyError(`${where}: ${name} is not understood.`);
  if (one.Effect !== 'Allow' && one.Effect !== 'Deny') throw new PolicyError(`${where}: Effect must be Allow or Deny.`);
  return {
    allow: one.Effect === 'Allow',
    actions: patterns(one, 'Action', where) ?? fail(`${where}: there is no Action.`),
    resources: patterns(one, 'Resource', where) ?? { not: false, list: ['*'] },
    principals: principals(one, where),
    conditions: readConditions(one.Condition, where),
  };
}

function fail(message: string): never {
  throw new PolicyError(message);
}

function patterns(one: Record<string, unknown>, element: string, where: string): Patterns | null {
  const [plain, negated] = [one[element], one[`Not${element}`]];
  if (plain !== undefined && negated !== undefined) fail(`${where}: ${element} and Not${element} exclude each other.`);
  if (plain === undefined && negated === undefined) return null;
  return { not: plain === undefined, list: texts(plain ?? negated, `${where}, ${element}`) };
}

function principals(one: Record<string, unknown>, where: string): Principals | null {
  const given = one.Principal ?? one.NotPrincipal;
  if (given === undefined) return null;
  const not = one.Principal === undefined;
  if (given === '*') return { not, aws: ['*'], services: [] };
  const { AWS = [], Service = [], ...others } = given as Record<string, unknown>;
  const [other] = Object.keys(others);
  if (other !== undefined) fail(`${where}: principals of the kind ${other} are not understood.`);
  return { not, aws: texts(AWS, `${where}, Principal.AWS`), services: texts(Service, `${where}, Principal.Service`) };
}

/** One text or a list of them. */
export function texts(value: unknown, where: string): readonly string[] {
  const list = [value].flat();
  if (list.every((one) => typeof one === 'string')) return list;
  throw new PolicyError(`${where}: text or a list of texts was expected, not ${JSON.stringify(value)}.`);
}
