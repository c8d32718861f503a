import type { Policy } from './policy.ts';

const allow = (...actions: string[]): Policy => [
  {
    allow: true,
    actions: { not: false, list: actions },
    resources: { not: false, list: ['*'] },
    principals: null,
    conditions: [],
  },
];

/**
 * AWS's own policies as they are read there ("AWS managed policy reference"), of the few whose words are known here; undefined of
 * all others.
 */
export function managedDocument(arn: string): object | undefined {
  const actions = DOCUMENTS[arn.slice(arn.lastIndexOf('/') + 1)];
  if (actions === undefined) return undefined;
  return { Version: '2012-10-17', Statement: [{ Effect: 'Allow', Action: actions, Resource: '*' }] };
}

const DOCUMENTS: Readonly<Record<string, readonly string[]>> = {
  AdministratorAccess: ['*'],
  AmazonS3FullAccess: ['s3:*', 's3-object-lambda:*'],
  AWSLambdaBasicExecutionRole: ['logs:CreateLogGroup', 'logs:CreateLogStream', 'logs:PutLogEvents'],
};

/**
 * What AWS's own policies allow of that which is authorised here (S3 and KMS; "AWS managed policy reference"). null: a policy that is
 * not known, whose role is therefore not limited.
 */
export function managedPolicy(arn: string): Policy | null {
  const name = arn.slice(arn.lastIndexOf('/') + 1);
  if (name === 'AdministratorAccess') return allow('*');
  if (name === 'AmazonS3FullAccess') return allow('s3:*', 's3-object-lambda:*');
  if (name === 'AmazonS3ReadOnlyAccess') return allow('s3:Get*', 's3:List*', 's3:Describe*');
  // Logs, network interfaces, traces and queues: nothing that is authorised here.
  if (/^AWSLambda\w*ExecutionRole$|^AWSXRayDaemonWriteAccess$|^CloudWatchLambda\w+$/.test(name)) return [];
  return null;
}
