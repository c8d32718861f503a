import { type Duration, RemovalPolicy, Token } from 'aws-cdk-lib';
import type { IHttpRouteAuthorizer } from 'aws-cdk-lib/aws-apigatewayv2';
import type { IPrincipal } from 'aws-cdk-lib/aws-iam';
import type { IKey } from 'aws-cdk-lib/aws-kms';
import type { ITopic } from 'aws-cdk-lib/aws-sns';
import { type AuditSettings, settingsEnvironment } from '../layers/settings.ts';
import type { MonitoringProps } from './monitoring.ts';
import { checkSharing, type SharingProps } from './sharing.ts';

/** How functions are audited. */
export interface AuditProps {
  /**
   * How all functions are audited. A call of `audit` may say otherwise for its functions, and a function's own `ALASTOR_*`
   * variables for itself. docs/capture.md has all settings.
   * @default those of layers/settings.ts
   */
  readonly settings?: AuditSettings;

  /**
   * Directory with the built layers `layer` and `layer-with-node`.
   * @default the package's own `build`, made by `npm run build`
   */
  readonly layerDirectory?: string;

  /**
   * Publishes the layers also when no function of the app needs them, for functions that are audited without CDK (docs/install.md),
   * and names their ARNs in outputs; with `organizationId` for all accounts of that organization.
   * @default false
   */
  readonly publishLayers?: boolean | { readonly organizationId: string };
}

export interface AlastorProps extends AuditProps, SharingProps {
  /**
   * What becomes of the evidence bucket and the tables when the stack is deleted. A bucket with objects in it is never deleted.
   * @default RemovalPolicy.RETAIN
   */
  readonly removalPolicy?: RemovalPolicy;

  /**
   * How long segments and graph are kept: whole days, 1 to 3650.
   * @default 90 days
   */
  readonly retention?: Duration;

  /**
   * How long the index has entries of requests that ended well and did nothing but call services of AWS: whole days, from 1 to
   * `retention`. Their evidence and their graphs are kept all the same; docs/cost.md says what is lost.
   * @default `retention`
   */
  readonly benignRetention?: Duration;

  /**
   * How the retention of evidence is held: nobody deletes or replaces a segment before it is over. `governance`: but who has the
   * permission `s3:BypassGovernanceRetention`. `compliance`: not even the account's root user; it cannot be taken back or
   * shortened, and the bucket cannot be deleted until the last segment's time is over.
   * @default governance
   */
  readonly objectLock?: 'governance' | 'compliance';

  /**
   * What the evidence bucket is encrypted with. `false`: S3's own key, which costs nothing, and which everybody who may read the
   * bucket can read with. A key of your own needs the statements that docs/security.md lists.
   * @default a key of Alastor's own, 1 $ a month, with which only its functions and `auditors` can decrypt
   */
  readonly encryptionKey?: IKey | false;

  /**
   * Who besides Alastor's functions may read segments themselves, for `alastor verify`: roles or users. The query API needs none
   * of this.
   * @default nobody
   */
  readonly auditors?: readonly IPrincipal[];

  /**
   * How many stitchers may run at the same time: 2 to 1000, the bounds that Lambda sets for a queue's concurrency.
   * @default 10
   */
  readonly stitcherConcurrency?: number;

  /**
   * Who may ask the query API.
   * @default IAM: requests signed by a principal of the account that is allowed `execute-api:Invoke`
   */
  readonly queryAuthorizer?: IHttpRouteAuthorizer;

  /**
   * Has what the platform says of audited functions compared with their record, so that an invocation whose recorder was stopped
   * shows (docs/witnesses.md): a subscription filter on the log group of each audited function. The group must be there when the
   * stack is deployed: a function needs one of its own in the app (`logGroup`, or CDK's feature flag for managed log groups). One
   * without, or whose group has the two filters that a group may have, is left out and named in a note; in a warning if this is `true`.
   * @default true
   */
  readonly witness?: boolean;

  /**
   * Looks once an hour, and when CloudTrail tells of a change, at how the functions of the account are configured: so functions
   * that are not audited show, and requests that nothing configured explains (docs/witnesses.md).
   * @default true
   */
  readonly inventory?: boolean;

  /**
   * Verifies once a day that no segment of the last day was deleted, altered or forged (docs/security.md).
   * @default true
   */
  readonly verification?: boolean;

  /**
   * Alarms and a dashboard (docs/operations.md); false for none.
   * @default true
   */
  readonly monitoring?: boolean | MonitoringProps;

  /**
   * Told when an alarm goes on or off.
   * @default none: alarms show in CloudWatch only
   */
  readonly alarmTopic?: ITopic;
}

/** Props as given, with the defaults filled in and the bounds checked. */
export interface AlastorSettings {
  readonly removalPolicy: RemovalPolicy;
  readonly retentionDays: number;
  readonly benignRetentionDays: number;
  readonly stitcherConcurrency: number;
  readonly objectLock: 'governance' | 'compliance';
  /** undefined: one is made. */
  readonly encryptionKey: IKey | false | undefined;
  readonly auditors: readonly IPrincipal[];
}

/** @throws Error naming the construct (`path`), the prop and what it may be. */
export function readProps(path: string, props: AlastorProps): AlastorSettings {
  checkSharing(path, props);
  const { removalPolicy = RemovalPolicy.RETAIN, retention, stitcherConcurrency = 10 } = props;
  const bad = (prop: keyof AlastorProps, rule: string, given: unknown) => outOfBounds(path, prop, rule, given);

  if (removalPolicy !== RemovalPolicy.RETAIN && removalPolicy !== RemovalPolicy.DESTROY) {
    throw bad('removalPolicy', 'RemovalPolicy.RETAIN or RemovalPolicy.DESTROY', removalPolicy);
  }
  if (!Token.isUnresolved(stitcherConcurrency) && !isWholeFrom(2, 1000, stitcherConcurrency)) {
    throw bad('stitcherConcurrency', 'a whole number from 2 to 1000', stitcherConcurrency);
  }
  const retentionDays = retention === undefined ? 90 : retention.toDays({ integral: false });
  if (!isWholeFrom(1, 3650, retentionDays)) throw bad('retention', 'whole days from 1 to 3650', retention?.toHumanString());
  const benignRetentionDays = props.benignRetention?.toDays({ integral: false }) ?? retentionDays;
  if (!isWholeFrom(1, retentionDays, benignRetentionDays)) {
    throw bad(
      'benignRetention',
      `whole days from 1 to those of retention (${retentionDays})`,
      props.benignRetention?.toHumanString(),
    );
  }
  const { objectLock = 'governance', encryptionKey, auditors = [] } = props;
  if (objectLock !== 'governance' && objectLock !== 'compliance') {
    throw bad('objectLock', "'governance' or 'compliance'", objectLock);
  }
  return { removalPolicy, retentionDays, benignRetentionDays, stitcherConcurrency, objectLock, encryptionKey, auditors };
}

/**
 * The settings of the audited functions, as variables of theirs.
 * @throws Error naming the construct (`path`), the prop and what it may be.
 */
export function readAuditProps(path: string, props: AuditProps): Readonly<Record<string, string>> {
  const { settings, layerDirectory, publishLayers = false } = props;
  if (typeof publishLayers !== 'boolean' && !/^o-[a-z0-9]{10,32}$/.test(publishLayers.organizationId)) {
    throw outOfBounds(path, 'publishLayers', "true, false or { organizationId: 'o-…' }", JSON.stringify(publishLayers));
  }
  if (layerDirectory === '') throw outOfBounds(path, 'layerDirectory', 'a directory', "''");
  return readSettings(path, settings);
}

/** @throws Error naming the construct (`path`), the setting and what it may be. */
export function readSettings(path: string, settings: AuditSettings = {}): Readonly<Record<string, string>> {
  try {
    return settingsEnvironment(settings);
  } catch (cause) {
    throw new Error(`Alastor (${path}): ${(cause as Error).message}.`, { cause });
  }
}

function outOfBounds(path: string, prop: string, rule: string, given: unknown): Error {
  return new Error(`Alastor (${path}): ${prop} must be ${rule}; it is ${String(given)}.`);
}

function isWholeFrom(least: number, most: number, value: number): boolean {
  return Number.isInteger(value) && value >= least && value <= most;
}
