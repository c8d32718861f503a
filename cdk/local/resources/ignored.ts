import type { Environment } from '../environment.ts';
import type { Created } from '../template/resolver.ts';
import { NO_AUTHORISATION } from './reasons.ts';

interface IgnoredType {
  /** A type, or with `*` at its end all types that begin so. */
  readonly type: string;
  readonly reason: string;
  readonly attributes?: (name: string, env: { readonly region: string; readonly accountId: string }) => Record<string, string>;
}

const NO_PEOPLE = 'people have no accounts here; roles and their policies are in force';

/** Resource types that are accepted without effect, and why they cannot matter on one machine. Printed in the documentation. */
export const IGNORED_TYPES: readonly IgnoredType[] = [
  {
    type: 'AWS::IAM::*',
    reason: NO_PEOPLE,
    attributes: (name, env) => ({ Arn: `arn:aws:iam::${env.accountId}:role/${name}`, RoleId: 'AROALOCALENGINE' }),
  },
  { type: 'AWS::SQS::QueuePolicy', reason: NO_AUTHORISATION },
  { type: 'AWS::SQS::QueueInlinePolicy', reason: NO_AUTHORISATION },
  { type: 'AWS::SNS::TopicPolicy', reason: NO_AUTHORISATION },
  { type: 'AWS::Events::EventBusPolicy', reason: NO_AUTHORISATION },
  { type: 'AWS::CDK::Metadata', reason: 'it only counts how CDK is used' },
  {
    type: 'Custom::LogRetention',
    reason: 'what functions print goes to the log of the engine',
    attributes: (name) => ({ LogGroupName: name }),
  },
  {
    type: 'AWS::CloudWatch::Alarm',
    reason: 'there are no metrics locally',
    attributes: (name, env) => ({ Arn: `arn:aws:cloudwatch:${env.region}:${env.accountId}:alarm:${name}` }),
  },
  { type: 'AWS::CloudWatch::Dashboard', reason: 'there are no metrics locally' },
  { type: 'AWS::KMS::Alias', reason: 'keys go by their ARN' },
  { type: 'AWS::ApiGateway::Account', reason: 'it only names the role for access logs' },
  {
    type: 'AWS::ApiGateway::Deployment',
    reason: 'routes and methods are served as the template has them',
    attributes: (name) => ({ DeploymentId: name }),
  },
  {
    type: 'AWS::ApiGatewayV2::Deployment',
    reason: 'routes are served as the template has them',
    attributes: (name) => ({ DeploymentId: name }),
  },
  { type: 'Custom::S3AutoDeleteObjects', reason: 'the state directory is deleted as a whole' },
];

const covers = (pattern: string, type: string) =>
  pattern.endsWith('*') ? type.startsWith(pattern.slice(0, -1)) : pattern === type;

/** A stand-in for a resource of an ignored type; null when the type is not ignored. `env` null: only the answer whether it is. */
export function ignoredResource(type: string, name: () => string, env: Environment | null): Created | null {
  const found = IGNORED_TYPES.find((one) => covers(one.type, type));
  if (found === undefined) return null;
  const physical = name();
  return { ref: physical, attributes: env === null ? {} : (found.attributes?.(physical, env) ?? {}) };
}
