import { type Context, holds } from './conditions.ts';
import { fill, matches } from './pattern.ts';
import type { Patterns, Policy, Principals, Statement } from './policy.ts';

/** Who asks. `arn` of a function's session is that of its role, as in policies. */
export interface Principal {
  readonly arn: string;
  readonly accountId: string;
  /** Set when a service of AWS asks for itself, e.g. `logging.s3.amazonaws.com`. */
  readonly service?: string;
}

export interface Access {
  readonly principal: Principal;
  /** E.g. `s3:PutObject`. */
  readonly action: string;
  /** ARN of what it is done to. */
  readonly resource: string;
  readonly context: Context;
}

export interface Policies {
  /** Of the principal. */
  readonly identity: readonly Policy[];
  /** Of the resource; null when it has none. */
  readonly resource: Policy | null;
  /** Account that the resource belongs to. */
  readonly owner: string;
  /**
   * Whether the owner's principals need no word of the resource's policy: of a bucket they do not, of a KMS key they do
   * ("Key policies in AWS KMS": without a statement for the account its own policies have no effect).
   */
  readonly open: boolean;
}

/** `denied`: a statement says so. `not-allowed`: no statement allows it. */
export type Decision = 'allowed' | 'denied' | 'not-allowed';

/**
 * What AWS would decide ("Policy evaluation logic"), for identity and resource policies; there are no boundaries, session
 * policies or policies of an organisation here.
 */
export function decide(access: Access, { identity, resource, owner, open }: Policies): Decision {
  const { principal } = access;
  const applies = (statement: Statement) =>
    covers(statement.actions, access.action.toLowerCase(), access.context, true) &&
    covers(statement.resources, access.resource, access.context, false) &&
    statement.conditions.every((one) => holds(one, access.context));
  const own = identity.flat().filter(applies);
  const theirs = (resource ?? []).filter((one) => meets(one.principals, principal) !== 'no' && applies(one));
  if ([...own, ...theirs].some(({ allow }) => !allow)) return 'denied';

  const ownAllow = own.length > 0;
  const named = theirs.some(({ principals }) => meets(principals, principal) === 'itself');
  const delegated = theirs.length > 0;
  const allowed =
    principal.accountId === owner
      ? named || (ownAllow && (open || delegated))
      : principal.service !== undefined
        ? named
        : ownAllow && delegated;
  return allowed ? 'allowed' : 'not-allowed';
}

function covers({ not, list }: Patterns, text: string, context: Context, lower: boolean): boolean {
  const some = list.some((pattern) => {
    const filled = fill(pattern, context);
    return filled !== null && matches(text, lower ? filled.toLowerCase() : filled);
  });
  return some !== not;
}

/** `account`: only the account it belongs to is named, so its own policies must allow it as well. */
function meets(principals: Principals | null, { arn, accountId, service }: Principal): 'itself' | 'account' | 'no' {
  if (principals === null) return 'no';
  const account = principals.aws.some((one) => one === accountId || one === `arn:aws:iam::${accountId}:root`);
  const itself =
    service === undefined
      ? principals.aws.some((one) => one === '*' || one === arn)
      : principals.services.includes(service) || principals.aws.includes('*');
  if (principals.not) return itself || account ? 'no' : 'itself';
  return itself ? 'itself' : account && service === undefined ? 'account' : 'no';
}
