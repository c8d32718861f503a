import type { HttpApi } from 'aws-cdk-lib/aws-apigatewayv2';
import type { Function as LambdaFunction } from 'aws-cdk-lib/aws-lambda';
import type { Bucket } from 'aws-cdk-lib/aws-s3';
import type { Construct } from 'constructs';
import { Auditor } from './auditor.ts';
import { EvidenceStore } from './evidence.ts';
import { Inventory } from './inventory.ts';
import { Monitoring } from './monitoring.ts';
import { installationName } from './own-function.ts';
import { type AlastorProps, readProps } from './props.ts';
import { QueryApi, QueryFunction } from './query.ts';
import { AlastorReference, type AlastorReferenceProps } from './reference.ts';
import { shareBucket } from './sharing.ts';
import { Stitcher, stitcherTimeout } from './stitcher.ts';
import { Verification } from './verification.ts';
import { PlatformWitness, WitnessFunction } from './witness.ts';

/**
 * Alastor in an account: the store for evidence, the functions that make a graph of it and answer questions about it, and the
 * means to audit functions of the app.
 *
 *     const alastor = new Alastor(stack, 'Alastor');
 *     alastor.audit(checkout);          // these
 *     alastor.auditAll(stack);          // or all below a scope
 *
 * Outputs of the stack: `<id>QueryUrl`, `<id>EvidenceBucket`, `<id>EvidenceKey`, `<id>StitcherQueueUrl`, `<id>DeadLettersUrl`.
 */
export class Alastor extends Auditor {
  /** Holds the segments, and shards too large for a table. */
  readonly bucket: Bucket;
  readonly qualified = false;
  readonly evidenceKeyArn: string | undefined;
  readonly stitcher: LambdaFunction;
  readonly query: LambdaFunction;
  /** Answers questions about the graph. */
  readonly api: HttpApi;
  /** Takes what the platform says of audited functions; undefined with `witness: false`. */
  readonly witness: PlatformWitness | undefined;

  /** @throws Error naming the prop when one is out of its bounds. */
  constructor(scope: Construct, id: string, props: AlastorProps = {}) {
    super(scope, id, props);
    const settings = readProps(this.node.path, props);
    const store = new EvidenceStore(this, 'Evidence', settings, stitcherTimeout);
    this.bucket = store.bucket;
    this.evidenceKeyArn = store.key?.keyArn;
    this.stitcher = new Stitcher(this, 'Stitcher', store, settings);
    this.query = new QueryFunction(this, 'Query', store);
    this.api = new QueryApi(this, 'Api', this.query, settings, props.queryAuthorizer);
    const witness = props.witness === false ? undefined : new WitnessFunction(this, 'Witness', store, settings);
    if (witness !== undefined) {
      witness.tellLossesTo(this.query);
      this.witness = new PlatformWitness(this, 'Witnesses', witness, { demanded: props.witness === true });
    }
    const inventory = props.inventory === false ? undefined : new Inventory(this, 'Inventory', store, settings);
    const verify = props.verification === false ? undefined : new Verification(this, 'Verification', store, settings);
    const { monitoring = true } = props;
    if (monitoring !== false) {
      const { stitcher, query } = this;
      const own = { stitcher, query, others: { inventory, witness, verify } };
      const given = { witnessDeadLetters: witness?.deadLetters, inventoryDeadLetters: inventory?.deadLetters };
      const watched = { installation: installationName(this), store, ...own, ...given };
      new Monitoring(this, 'Monitoring', watched, monitoring === true ? {} : monitoring, props.alarmTopic);
    }
    shareBucket(this, this.bucket, store.key, props);
    this.output('QueryUrl', this.api.apiEndpoint, 'Address of the query API of Alastor');
    this.output('EvidenceBucket', this.bucket.bucketName, 'Bucket with the segments that Alastor recorded');
    if (store.key !== undefined) this.output('EvidenceKey', store.key.keyArn, 'Key that this bucket is encrypted with');
    this.output('StitcherQueueUrl', store.queue.queueUrl, 'Queue that tells the stitcher of segments (alastor restitch)');
    this.output('DeadLettersUrl', store.deadLetters.queueUrl, 'Queue of what the stitcher gave up on (alastor redrive)');
  }

  /** Where functions of other stacks, accounts and regions put their evidence: docs/install.md. */
  static fromReference(scope: Construct, id: string, props: AlastorReferenceProps): AlastorReference {
    return new AlastorReference(scope, id, props);
  }
}
