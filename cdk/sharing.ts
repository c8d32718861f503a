import { CfnOutput, Stack } from 'aws-cdk-lib';
import { AccountPrincipal, AnyPrincipal, Effect, type IPrincipal, PolicyStatement } from 'aws-cdk-lib/aws-iam';
import type { IKey } from 'aws-cdk-lib/aws-kms';
import type { Bucket } from 'aws-cdk-lib/aws-s3';
import { StringParameter } from 'aws-cdk-lib/aws-ssm';
import type { Construct } from 'constructs';
import { segmentPrefix } from '../functions/store/schema.ts';
import { viaS3 } from './evidence-key.ts';

/** Who else puts evidence into the bucket of this construct, and how other stacks find it. */
export interface SharingProps {
  /**
   * Functions of which other accounts may put their evidence here: those of an organization (`o-…`), or of the accounts named. Each
   * account can write below its own number only.
   * @default none but this account's
   */
  readonly sharedWith?: { readonly organizationId: string } | { readonly accounts: readonly string[] };

  /**
   * Name of a parameter in Parameter Store that shall hold the name of the bucket, for `Alastor.fromReference` in other apps of the
   * same account and region. A second one, `<name>/key`, has the ARN of its key.
   * @default no parameter
   */
  readonly parameterName?: string;

  /**
   * Name under which the stack shall export the name of the bucket, for the same use, and as `<name>-key` the ARN of its key.
   * @default no export
   */
  readonly exportName?: string;
}

/** @throws Error naming the construct (`path`), the prop and what it may be. */
export function checkSharing(path: string, { sharedWith, parameterName, exportName }: SharingProps): void {
  const bad = (prop: keyof SharingProps, rule: string, given: unknown) =>
    new Error(`Alastor (${path}): ${prop} must be ${rule}; it is ${JSON.stringify(given)}.`);
  if (sharedWith !== undefined) {
    const { organizationId, accounts } = sharedWith as { organizationId?: unknown; accounts?: unknown };
    const named = Array.isArray(accounts) && accounts.length > 0 && accounts.every((one) => /^\d{12}$/.test(String(one)));
    const whole = typeof organizationId === 'string' && /^o-[a-z0-9]{10,32}$/.test(organizationId);
    if (named === whole) {
      throw bad('sharedWith', "{ organizationId: 'o-…' } or { accounts: [numbers of twelve digits] }", sharedWith);
    }
  }
  if (parameterName !== undefined && !/^\/[\w./-]{1,1000}$/.test(parameterName)) {
    throw bad('parameterName', 'a name that begins with /, of letters, digits and ./_-', parameterName);
  }
  if (exportName !== undefined && !/^[A-Za-z0-9:-]{1,255}$/.test(exportName)) {
    throw bad('exportName', 'of letters, digits, - and :', exportName);
  }
}

/**
 * Lets functions of other accounts put segments, and tells other stacks where. The names of these functions in the evidence begin
 * with the number of their account, and so does what an account may write: none can speak for another.
 */
export function shareBucket(owner: Construct, bucket: Bucket, key: IKey | undefined, props: SharingProps): void {
  const { sharedWith, parameterName, exportName } = props;
  if (sharedWith !== undefined) {
    const whole = 'organizationId' in sharedWith;
    const principals = whole ? [new AnyPrincipal()] : sharedWith.accounts.map((one): IPrincipal => new AccountPrincipal(one));
    const ofOrganization = whole ? { 'aws:PrincipalOrgID': sharedWith.organizationId } : {};
    // This account is of the organization, too: without this, all that is in it could write with no policy of its own.
    const butOwn = whole && { StringNotEquals: { 'aws:PrincipalAccount': Stack.of(owner).account } };
    bucket.addToResourcePolicy(
      new PolicyStatement({
        ...{ sid: 'SegmentsOfOtherAccounts', effect: Effect.ALLOW, principals, actions: ['s3:PutObject'] },
        resources: [bucket.arnForObjects(`${segmentPrefix}\${aws:PrincipalAccount}.*`)],
        ...(whole && { conditions: { StringEquals: ofOrganization, ...butOwn } }),
      }),
    );
    const { StringEquals } = viaS3(owner);
    key?.addToResourcePolicy(
      new PolicyStatement({
        ...{ sid: 'EncryptForOtherAccounts', principals, actions: ['kms:GenerateDataKey'], resources: ['*'] },
        conditions: { StringEquals: { ...StringEquals, ...ofOrganization }, ...butOwn },
      }),
    );
  }
  const keyArn = key?.keyArn ?? noKey(owner);
  if (parameterName !== undefined) {
    const parameter = (id: string, name: string, stringValue: string, description: string) =>
      new StringParameter(owner, id, { parameterName: name, stringValue, description });
    parameter('Parameter', parameterName, bucket.bucketName, 'Bucket for the evidence of functions that Alastor audits');
    parameter('KeyParameter', keyParameter(parameterName), keyArn, 'Key that this bucket is encrypted with');
  }
  if (exportName !== undefined) {
    new CfnOutput(owner, 'Export', { value: bucket.bucketName, exportName });
    new CfnOutput(owner, 'KeyExport', { value: keyArn, exportName: keyExport(exportName) });
  }
}

/** Where the ARN of the key is found, by where the name of the bucket is. */
export const keyParameter = (parameterName: string): string => `${parameterName}/key`;
export const keyExport = (exportName: string): string => `${exportName}-key`;

/** Whoever imports it puts it into a policy, which takes nothing but an ARN: this one is of no key. */
function noKey(owner: Construct): string {
  return Stack.of(owner).formatArn({ service: 'kms', resource: 'key', resourceName: 'none' });
}
