import type { Table } from 'aws-cdk-lib/aws-dynamodb';
import { ArnPrincipal, PolicyStatement } from 'aws-cdk-lib/aws-iam';
import type { Function as LambdaFunction } from 'aws-cdk-lib/aws-lambda';
import { forgottenPrefix, segmentPrefix, spillPrefix } from '../functions/store/schema.ts';
import type { EvidenceStore } from './evidence.ts';
import { letDecrypt, throughS3 } from './evidence-key.ts';

/**
 * What Alastor's own functions may do, action by action: the grants of CDK give whole families (tags, streams, deletion). Each
 * function has a role of its own.
 */

/** Reads segments, writes the graph. Deletes one kind of row: that of a segment which was set aside, and is well now. */
export function letStitch(fn: LambdaFunction, store: EvidenceStore): void {
  readObjects(fn, store, segmentPrefix);
  allow(fn, [store.bucket.arnForObjects(`${spillPrefix}*`)], 's3:PutObject');
  if (store.key !== undefined) fn.addToRolePolicy(throughS3(fn, store.key.keyArn, 'kms:GenerateDataKey'));
  rows(fn, store.shards, 'BatchWriteItem');
  rows(fn, store.links, 'BatchWriteItem', 'PutItem', 'UpdateItem', 'DeleteItem');
}

/** Reads the graph, and segments when somebody asks for the evidence itself. */
export function letQuery(fn: LambdaFunction, store: EvidenceStore): void {
  readObjects(fn, store, segmentPrefix, spillPrefix);
  rows(fn, store.shards, 'Query');
  rows(fn, store.links, 'Query');
}

/** Reads segments in all their versions and tombstones, and writes down what it finds. */
export function letVerify(fn: LambdaFunction, store: EvidenceStore): void {
  const prefixes = [segmentPrefix, forgottenPrefix];
  readObjects(fn, store, ...prefixes);
  allow(
    fn,
    prefixes.map((prefix) => store.bucket.arnForObjects(`${prefix}*`)),
    's3:GetObjectVersion',
  );
  allow(fn, [store.bucket.bucketArn], 's3:ListBucketVersions');
  rows(fn, store.shards, 'Query');
  rows(fn, store.links, 'BatchWriteItem', 'Query');
}

function readObjects(fn: LambdaFunction, { bucket, key }: EvidenceStore, ...prefixes: readonly string[]): void {
  allow(
    fn,
    prefixes.map((prefix) => bucket.arnForObjects(`${prefix}*`)),
    's3:GetObject',
  );
  // S3 tells "there is no such object" only to who may list; to others it says "forbidden", which would be tried again.
  allow(fn, [bucket.bucketArn], 's3:ListBucket');
  if (key === undefined || fn.role === undefined) return;
  letDecrypt(fn, key, new ArnPrincipal(fn.role.roleArn));
  fn.addToRolePolicy(throughS3(fn, key.keyArn, 'kms:Decrypt'));
}

function rows(fn: LambdaFunction, table: Table, ...actions: readonly string[]): void {
  allow(fn, [table.tableArn], ...actions.map((action) => `dynamodb:${action}`));
}

function allow(fn: LambdaFunction, resources: string[], ...actions: readonly string[]): void {
  fn.addToRolePolicy(new PolicyStatement({ actions: [...actions], resources }));
}
