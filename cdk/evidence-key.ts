import { Arn, ArnFormat, Stack, Token } from 'aws-cdk-lib';
import { AccountRootPrincipal, Effect, type IPrincipal, PolicyDocument, PolicyStatement } from 'aws-cdk-lib/aws-iam';
import { type IKey, Key } from 'aws-cdk-lib/aws-kms';
import type { Construct } from 'constructs';
import type { AlastorSettings } from './props.ts';

/**
 * What an administrator needs to look after a key ("Key policies in AWS KMS"): everything but using it. No grants: with one he could
 * let himself decrypt.
 */
const ADMINISTRATION = [
  ...['kms:CreateAlias', 'kms:Describe*', 'kms:Enable*', 'kms:List*', 'kms:Put*', 'kms:Update*', 'kms:Revoke*', 'kms:Disable*'],
  ...['kms:Get*', 'kms:Delete*', 'kms:TagResource', 'kms:UntagResource', 'kms:ScheduleKeyDeletion', 'kms:CancelKeyDeletion'],
];

/**
 * The key for evidence. Its policy leaves to the account's own policies who may look after it and who may have S3 encrypt with it;
 * who may decrypt stands in the key's policy and nowhere else, so that no other permission of the account, however wide, opens
 * evidence.
 */
export function evidenceKey(
  scope: Construct,
  settings: Pick<AlastorSettings, 'encryptionKey' | 'removalPolicy' | 'auditors'>,
): IKey | undefined {
  const { encryptionKey, removalPolicy, auditors } = settings;
  if (encryptionKey === false) return undefined;
  const policy = new PolicyDocument({ statements: statements(scope) });
  const key =
    encryptionKey ??
    new Key(scope, 'Key', { description: 'Alastor: evidence', enableKeyRotation: true, removalPolicy, policy });
  for (const auditor of auditors) letDecrypt(scope, key, auditor);
  return key;
}

function statements(scope: Construct): PolicyStatement[] {
  const everywhere = { principals: [new AccountRootPrincipal()], resources: ['*'] };
  const encrypting = { sid: 'EncryptThroughS3', actions: ['kms:GenerateDataKey', 'kms:Encrypt'], conditions: viaS3(scope) };
  return [
    new PolicyStatement({ ...everywhere, sid: 'LookAfter', actions: ADMINISTRATION }),
    new PolicyStatement({ ...everywhere, ...encrypting }),
  ];
}

/** Names one more that may decrypt evidence, when S3 reads it for them. A key that is not of this app keeps its policy. */
export function letDecrypt(scope: Construct, key: IKey, principal: IPrincipal): void {
  key.addToResourcePolicy(
    new PolicyStatement({ principals: [principal], actions: ['kms:Decrypt'], resources: ['*'], conditions: viaS3(scope) }),
  );
}

/** For a function's own policy: the use of a key that S3 makes for it. */
export function throughS3(scope: Construct, keyArn: string, ...actions: readonly string[]): PolicyStatement {
  // The bucket of another region has its key there.
  const region = Token.isUnresolved(keyArn) ? undefined : Arn.split(keyArn, ArnFormat.SLASH_RESOURCE_NAME).region;
  const conditions = viaS3(scope, region);
  return new PolicyStatement({ effect: Effect.ALLOW, actions: [...actions], resources: [keyArn], conditions });
}

export const viaS3 = (scope: Construct, region = Stack.of(scope).region) => ({
  StringEquals: { 'kms:ViaService': `s3.${region}.amazonaws.com` },
});
