import { Fn, Token } from 'aws-cdk-lib';
import { Bucket, type IBucket } from 'aws-cdk-lib/aws-s3';
import { StringParameter } from 'aws-cdk-lib/aws-ssm';
import type { Construct } from 'constructs';
import { Auditor } from './auditor.ts';
import type { AuditProps } from './props.ts';
import { keyExport, keyParameter } from './sharing.ts';

export interface AlastorReferenceProps extends AuditProps {
  /** Name of the evidence bucket of an `Alastor` or an `AlastorCollector`, of whatever account and region. */
  readonly bucketName?: string;

  /** Parameter in Parameter Store that holds it: the `parameterName` of an `Alastor` of the same account and region. */
  readonly parameterName?: string;

  /** Export that holds it: the `exportName` of an `Alastor` of the same account and region. */
  readonly exportName?: string;

  /**
   * ARN of the key that the bucket is encrypted with: output `<id>EvidenceKey` of the same construct.
   * @default with `parameterName` and `exportName` the one that is found beside the bucket; with `bucketName` none: S3's own key
   */
  readonly evidenceKeyArn?: string;

  /**
   * Whether the functions are recorded as `<account>.<region>.<name>`, so that those of different accounts and regions are told apart.
   * Another account may write nothing else.
   * @default true with `bucketName`; false with `parameterName` and `exportName`, which do not reach further than one account and region
   */
  readonly qualified?: boolean;
}

const ways = ['bucketName', 'parameterName', 'exportName'] as const;

/** Audits functions whose evidence goes to an `Alastor` in another stack, app, account or region. */
export class AlastorReference extends Auditor {
  readonly bucket: Pick<IBucket, 'bucketName' | 'arnForObjects'>;
  readonly evidenceKeyArn: string | undefined;
  readonly qualified: boolean;
  /** Whoever hears what the platform says must be in the account of the functions: here is nobody. */
  readonly witness = undefined;

  /** @throws Error naming the prop when one is out of its bounds. */
  constructor(scope: Construct, id: string, props: AlastorReferenceProps) {
    super(scope, id, props);
    const { bucketName, parameterName } = props;
    const given = ways.filter((way) => props[way] !== undefined);
    const bad = (prop: string, rule: string, value: unknown) =>
      new Error(`Alastor (${this.node.path}): ${prop} must be ${rule}; it is ${JSON.stringify(value)}.`);
    if (given.length !== 1) throw bad('one of bucketName, parameterName and exportName', 'given', given);
    if (bucketName !== undefined && !Token.isUnresolved(bucketName) && !/^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$/.test(bucketName)) {
      throw bad('bucketName', 'the name of an S3 bucket', bucketName);
    }
    if (parameterName !== undefined && !/^\/[\w./-]{1,1000}$/.test(parameterName)) {
      throw bad('parameterName', 'a name that begins with /, of letters, digits and ./_-', parameterName);
    }
    const { evidenceKeyArn } = props;
    if (
      evidenceKeyArn !== undefined &&
      !Token.isUnresolved(evidenceKeyArn) &&
      !/^arn:[\w-]+:kms:[\w-]+:\d{12}:key\/[\w-]+$/.test(evidenceKeyArn)
    ) {
      throw bad('evidenceKeyArn', 'the ARN of a key', evidenceKeyArn);
    }
    this.bucket = Bucket.fromBucketName(this, 'Bucket', bucketName ?? this.findBucket(props));
    this.evidenceKeyArn = evidenceKeyArn ?? (bucketName === undefined ? this.findKey(props) : undefined);
    this.qualified = props.qualified ?? bucketName !== undefined;
  }

  private findBucket({ exportName, parameterName = '' }: AlastorReferenceProps): string {
    return exportName !== undefined ? Fn.importValue(exportName) : StringParameter.valueForStringParameter(this, parameterName);
  }

  private findKey({ exportName, parameterName = '' }: AlastorReferenceProps): string {
    if (exportName !== undefined) return Fn.importValue(keyExport(exportName));
    return StringParameter.valueForStringParameter(this, keyParameter(parameterName));
  }
}
