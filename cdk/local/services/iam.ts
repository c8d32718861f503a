import { ServiceError, sendQueryError } from '../http/error.ts';
import { type Exchange, readBody, send } from '../http/exchange.ts';
import { element, type XmlNode } from '../http/xml.ts';
import type { Iam } from '../iam/account.ts';
import { PolicyError } from '../iam/policy-error.ts';
import { uuid } from '../ids.ts';

const IAM_XMLNS = 'https://iam.amazonaws.com/doc/2010-05-08/';
/** Policies of the template have one version. */
const VERSION = 'v1';

/** The part of IAM that tells of roles and their policies, and gives a role policies of its own. */
export function handleIam(iam: Iam, { res }: Exchange, form: URLSearchParams): void {
  const requestId = uuid();
  const action = form.get('Action') ?? '';
  try {
    const result = answer(iam, action, (name) => form.get(name) ?? '');
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

function answer(iam: Iam, action: string, field: (name: string) => string): XmlNode | undefined {
  if (action === 'GetPolicy' || action === 'GetPolicyVersion') return managed(iam, action, field('PolicyArn'));
  const [RoleName, PolicyName] = [field('RoleName'), field('PolicyName')];
  const [own, role] = [iam.ownPolicies(RoleName), iam.describe(RoleName)];
  if (own === undefined || role === undefined) throw missing(`The role with name ${RoleName} cannot be found.`);
  if (action === 'GetRole') {
    const boundary = role.boundary === undefined ? {} : { PermissionsBoundary: { PermissionsBoundaryArn: role.boundary } };
    return { Role: { RoleName, Arn: role.arn, Path: '/', RoleId: 'AROALOCALENGINE', ...boundary } };
  }
  if (action === 'ListRolePolicies') return { PolicyNames: { member: role.names }, IsTruncated: 'false' };
  if (action === 'ListAttachedRolePolicies') {
    const member = role.attached.map((arn) => ({ PolicyName: arn.slice(arn.lastIndexOf('/') + 1), PolicyArn: arn }));
    return { AttachedPolicies: { member }, IsTruncated: 'false' };
  }
  if (action === 'PutRolePolicy') {
    own.put(PolicyName, field('PolicyDocument'));
    return undefined;
  }
  const found = own.get(PolicyName);
  if (action !== 'GetRolePolicy' && action !== 'DeleteRolePolicy') {
    throw new ServiceError('InvalidAction', `The local engine offers roles and their policies of IAM, not ${action}.`);
  }
  if (found === undefined) throw missing(`The role policy ${PolicyName} cannot be found.`);
  if (action === 'GetRolePolicy') return { RoleName, PolicyName, PolicyDocument: encodeURIComponent(found) };
  own.remove(PolicyName);
  return undefined;
}

function managed(iam: Iam, action: string, arn: string): XmlNode {
  const document = iam.documentOf(arn);
  if (document === undefined) throw missing(`Policy ${arn} does not exist or is not attachable.`);
  if (action === 'GetPolicy') return { Policy: { Arn: arn, DefaultVersionId: VERSION } };
  const Document = encodeURIComponent(JSON.stringify(document));
  return { PolicyVersion: { VersionId: VERSION, IsDefaultVersion: 'true', Document } };
}

/** KMS GetKeyPolicy: who may use a key. */
export async function handleKms(iam: Iam, exchange: Exchange, action: string): Promise<void> {
  const { KeyId = '' } = JSON.parse((await readBody(exchange.req)).toString('utf8')) as { readonly KeyId?: string };
  if (action !== 'GetKeyPolicy')
    throw new ServiceError('UnknownOperationException', `The local engine offers GetKeyPolicy of KMS, not ${action}.`);
  const document = iam.documentOf(KeyId);
  if (document === undefined) throw new ServiceError('NotFoundException', `Key '${KeyId}' does not exist`);
  const body = JSON.stringify({ Policy: JSON.stringify(document), PolicyName: 'default' });
  send(exchange.res, 200, { 'content-type': 'application/x-amz-json-1.1' }, body);
}

const missing = (message: string) => new ServiceError('NoSuchEntity', message, 404);
