import type { Template } from 'aws-cdk-lib/assertions';
import type { Context } from '../../cdk/local/iam/conditions.ts';
import { decide, type Principal } from '../../cdk/local/iam/evaluate.ts';
import { type Policy, readPolicy } from '../../cdk/local/iam/policy.ts';

const accountId = '123456789012';
const region = 'us-east-1';

type Asking = (action: string, resource: string, context?: Context) => boolean;
type Resources = Readonly<Record<string, { readonly Type: string; readonly Properties: Record<string, unknown> }>>;

/** What the policies of a synthesized template allow, without deploying it; resources are called by their logical ids. */
export interface Account {
  arnOf(logicalId: string): string;
  /** For the role of this function. */
  may(functionId: string): Asking;
  /** For somebody of the account with policies of his own. */
  mayAs(arn: string, statements: readonly object[]): Asking;
  mayAsService(service: string): Asking;
  /** By role: `<action> <resource>`, where it is denied with `never` before it, sorted, hashes of logical ids left out. */
  actions(roles: readonly string[]): Readonly<Record<string, readonly string[]>>;
}

export function accountOf(template: Template): Account {
  const resources = template.toJSON().Resources as Resources;
  const arnOf = (id: string): string => {
    const { Type = '', Properties = {} } = resources[id] ?? {};
    const name = (property: string) => String(Properties[property] ?? id);
    if (Type === 'AWS::S3::Bucket') return `arn:aws:s3:::${id}`;
    if (Type === 'AWS::IAM::Role') return `arn:aws:iam::${accountId}:role/${id}`;
    if (Type === 'AWS::KMS::Key') return `arn:aws:kms:${region}:${accountId}:key/${id}`;
    if (Type === 'AWS::DynamoDB::Table') return `arn:aws:dynamodb:${region}:${accountId}:table/${id}`;
    if (Type === 'AWS::SQS::Queue') return `arn:aws:sqs:${region}:${accountId}:${id}`;
    return `arn:aws:lambda:${region}:${accountId}:function:${name('FunctionName')}`;
  };
  const pseudo: Readonly<Record<string, string>> = {
    ...{ 'AWS::AccountId': accountId, 'AWS::Region': region, 'AWS::Partition': 'aws', 'AWS::URLSuffix': 'amazonaws.com' },
  };
  const resolve = (value: unknown): unknown => {
    if (Array.isArray(value)) return value.map(resolve);
    if (typeof value !== 'object' || value === null) return value;
    const [[key, argument] = ['', undefined]] = Object.entries(value) as [string, unknown][];
    if (key === 'Ref') {
      const { Type, Properties } = resources[String(argument)] ?? {};
      if (Type === 'AWS::Lambda::Function') return Properties?.FunctionName ?? argument;
      return pseudo[String(argument)] ?? argument;
    }
    if (key === 'Fn::GetAtt') return arnOf((argument as string[])[0] ?? '');
    if (key === 'Fn::Join')
      return ((argument as [string, unknown[]])[1].map(resolve) as string[]).join((argument as [string])[0]);
    return Object.fromEntries(Object.entries(value).map(([name, one]) => [name, resolve(one)]));
  };
  const all = (type: string) => Object.entries(resources).filter(([, { Type }]) => Type === type);
  const documents = (roleId: string) =>
    all('AWS::IAM::Policy')
      .filter(([, { Properties }]) => (resolve(Properties.Roles) as string[]).includes(roleId))
      .map(([, { Properties }]) => resolve(Properties.PolicyDocument));
  const policyOf = (resource: string): Policy | null => {
    const key = all('AWS::KMS::Key').find(([id]) => arnOf(id) === resource);
    if (key !== undefined) return readPolicy(resolve(key[1].Properties.KeyPolicy), 'key');
    const name = resource.split(':::')[1]?.split('/')[0];
    const found = all('AWS::S3::BucketPolicy').find(([, { Properties }]) => resolve(Properties.Bucket) === name);
    return found === undefined ? null : readPolicy(resolve(found[1].Properties.PolicyDocument), 'bucket');
  };
  const asking =
    (principal: Principal, identity: readonly Policy[]): Asking =>
    (action, resource, context = {}) => {
      const usual = { 'aws:securetransport': 'true', 's3:tlsversion': '1.3', 'aws:principalarn': principal.arn };
      const policies = { identity, resource: policyOf(resource), owner: accountId, open: !resource.includes(':kms:') };
      return decide({ principal, action, resource, context: { ...usual, ...context } }, policies) === 'allowed';
    };
  const roleOf = (functionId: string) =>
    String((resources[functionId]!.Properties.Role as { 'Fn::GetAtt': string[] })['Fn::GetAtt'][0]);
  return {
    arnOf,
    may(functionId) {
      const id = roleOf(functionId);
      return asking(
        { arn: arnOf(id), accountId },
        documents(id).map((one) => readPolicy(one, id)),
      );
    },
    mayAs: (arn, statements) =>
      asking({ arn, accountId }, statements.length === 0 ? [] : [readPolicy({ Statement: statements }, arn)]),
    mayAsService: (service) => asking({ arn: service, accountId: '', service }, []),
    actions(roles) {
      const plain = (text: string) =>
        text
          .replace(accountId, '')
          .replace(/[0-9A-F]{8}(?=[/:]|$)/g, '')
          .replace(/^arn:aws:/, '');
      const of = (id: string) =>
        documents(id)
          .flatMap(
            (one) =>
              (one as { Statement: { Effect: string; Action: string | string[]; Resource: string | string[] }[] }).Statement,
          )
          .flatMap(({ Effect, Action, Resource }) =>
            [Action]
              .flat()
              .flatMap((action) => [Resource].flat().map((on) => `${Effect === 'Deny' ? 'never ' : ''}${action} ${plain(on)}`)),
          );
      return Object.fromEntries(roles.map((id) => [plain(id), of(id).sort()] as const).sort());
    },
  };
}
