import { ServiceError, sendQueryError } from '../http/error.ts';
import { type Exchange, send } from '../http/exchange.ts';
import { element } from '../http/xml.ts';
import type { Iam } from '../iam/account.ts';
import { PolicyError } from '../iam/policy-error.ts';
import { uuid } from '../ids.ts';

const IAM_XMLNS = 'https://iam.amazonaws.com/doc/2010-05-08/';

/** The part of IAM that gives a role policies of its own: PutRolePolicy, GetRolePolicy, DeleteRolePolicy. */
export function handleIam(iam: Iam, { res }: Exchange, form: URLSearchParams): void {
  const requestId = uuid();
  const field = (name: string): string => form.get(name) ?? '';
  const action = field('Action');
  try {
    const result = answer(iam, action, field('RoleName'), field('PolicyName'), field('PolicyDocument'));
    const xml = element(
      `${action}Response`,
      { ...(result === undefined ? {} : { [`${action}Result`]: result }), ResponseMetadata: { RequestId: requestId } },
      IAM_XMLNS,
    );
    send(res, 200, { 'content-type': 'text/xml', 'x-amzn-requestid': requestId }, xml);
  } catch (cause) {
    const error = cause instanceof PolicyError ? new ServiceError('MalformedPolicyDocument', cause.message) : cause;
    sendQueryError(res, error, IAM_XMLNS);
  }
}

function answer(
  iam: Iam,
  action: string,
  RoleName: string,
  PolicyName: string,
  document: string,
): Record<string, string> | undefined {
  const own = iam.ownPolicies(RoleName);
  if (own === undefined) throw new ServiceError('NoSuchEntity', `The role with name ${RoleName} cannot be found.`, 404);
  if (action === 'PutRolePolicy') {
    own.put(PolicyName, document);
    return undefined;
  }
  const found = own.get(PolicyName);
  if (action !== 'GetRolePolicy' && action !== 'DeleteRolePolicy') {
    throw new ServiceError('InvalidAction', `The local engine offers Put-, Get- and DeleteRolePolicy of IAM, not ${action}.`);
  }
  if (found === undefined) throw new ServiceError('NoSuchEntity', `The role policy ${PolicyName} cannot be found.`, 404);
  if (action === 'GetRolePolicy') return { RoleName, PolicyName, PolicyDocument: encodeURIComponent(found) };
  own.remove(PolicyName);
  return undefined;
}
