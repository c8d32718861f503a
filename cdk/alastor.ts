import { ArnFormat, CfnOutput, Duration, Stack } from 'aws-cdk-lib';
import { HttpApi, HttpMethod } from 'aws-cdk-lib/aws-apigatewayv2';
import { HttpIamAuthorizer } from 'aws-cdk-lib/aws-apigatewayv2-authorizers';
import { HttpLambdaIntegration } from 'aws-cdk-lib/aws-apigatewayv2-integrations';
import { Rule, Schedule } from 'aws-cdk-lib/aws-events';
import { LambdaFunction as FunctionTarget } from 'aws-cdk-lib/aws-events-targets';
import { PolicyStatement } from 'aws-cdk-lib/aws-iam';
import { Function as LambdaFunction, type LayerVersion, Runtime } from 'aws-cdk-lib/aws-lambda';
import { SqsEventSource } from 'aws-cdk-lib/aws-lambda-event-sources';
import type { Bucket } from 'aws-cdk-lib/aws-s3';
import { Construct, type IConstruct } from 'constructs';
import { environment, segmentPrefix, spillPrefix } from '../functions/store/schema.ts';
import {
  type AuditAllOptions,
  type AuditOptions,
  type AuditTarget,
  attachAtSynth,
  markOwn,
  obstacle,
  selector,
} from './audit.ts';
import { bundledCode } from './bundle.ts';
import { EvidenceStore } from './evidence.ts';
import { auditLayer, builtLayers, type LayerVariant, layerArchitecture } from './layer.ts';
import { type AlastorProps, type AlastorSettings, readProps, readSettings } from './props.ts';
import { PlatformWitness } from './witness.ts';

const functions = new URL('../functions/', import.meta.url).pathname;
const stitcherTimeout = Duration.seconds(60);

/**
 * Alastor in an account: the store for evidence, the functions that make a graph of it and answer questions about it, and the
 * means to audit functions of the app.
 *
 *     const alastor = new Alastor(stack, 'Alastor');
 *     alastor.audit(checkout);          // these
 *     alastor.auditAll(stack);          // or all below a scope
 *
 * Outputs of the stack: `<id>QueryUrl`, `<id>EvidenceBucket`, `<id>StitcherQueueUrl`, `<id>DeadLettersUrl`.
 */
export class Alastor extends Construct implements AuditTarget {
  /** Holds the segments, and shards too large for a table. */
  readonly bucket: Bucket;
  readonly stitcher: LambdaFunction;
  readonly query: LambdaFunction;
  /** Answers questions about the graph. */
  readonly api: HttpApi;
  /** Takes what the platform says of audited functions; undefined without the prop `witness`. */
  readonly witness: PlatformWitness | undefined;
  private readonly store: EvidenceStore;
  private readonly layerDirectory: string;
  private readonly auditEnvironment: Readonly<Record<string, string>>;

  /** @throws Error naming the prop when one is out of its bounds. */
  constructor(scope: Construct, id: string, props: AlastorProps = {}) {
    super(scope, id);
    markOwn(this);
    const settings = readProps(this.node.path, props);
    this.auditEnvironment = settings.auditEnvironment;
    this.layerDirectory = props.layerDirectory ?? builtLayers;
    this.store = new EvidenceStore(this, 'Evidence', settings, stitcherTimeout);
    this.bucket = this.store.bucket;
    this.stitcher = this.createStitcher(settings);
    this.query = this.createQuery();
    this.api = this.createApi(props);
    if (props.witness === true) {
      const hearer = this.createFunction('Witness', 'witness', Duration.seconds(60), {
        [environment.retentionDays]: String(settings.retentionDays),
      });
      this.store.links.grant(hearer, 'dynamodb:UpdateItem', 'dynamodb:BatchWriteItem');
      this.witness = new PlatformWitness(this, 'Witnesses', hearer);
    }
    if (props.inventory === true) this.createInventory(settings);
    this.output('QueryUrl', this.api.apiEndpoint, 'Address of the query API of Alastor');
    this.output('EvidenceBucket', this.bucket.bucketName, 'Bucket with the segments that Alastor recorded');
    this.output('StitcherQueueUrl', this.store.queue.queueUrl, 'Queue that tells the stitcher of segments (alastor restitch)');
    this.output('DeadLettersUrl', this.store.deadLetters.queueUrl, 'Queue of what the stitcher gave up on (alastor redrive)');
  }

  /**
   * Audits these functions: adds the layer, the environment and the permission to write segments under the function's own prefix.
   * Their code and handler stay as they are.
   * @throws Error saying why when one of them cannot be audited, when a setting is not valid, or when the layer has not been built.
   */
  audit(fns: LambdaFunction | readonly LambdaFunction[], options: AuditOptions = {}): this {
    const settings = this.environmentFor(options);
    for (const fn of Array.isArray(fns) ? (fns as readonly LambdaFunction[]) : [fns as LambdaFunction]) {
      if (!(fn instanceof LambdaFunction)) {
        const path = (fn as Partial<IConstruct> | undefined)?.node?.path ?? String(fn);
        throw new Error(
          `Alastor cannot audit ${path}: it is not a function of this app. Give the Function itself, not an alias.`,
        );
      }
      const reason = obstacle(fn);
      if (reason !== null) throw new Error(`Alastor cannot audit ${fn.node.path}: ${reason}.`);
      attachAtSynth(this, fn, settings, (one) => one === fn);
    }
    return this;
  }

  /** Audits all functions below `scope`, also those added later; a warning names each one that cannot be. */
  auditAll(scope: IConstruct, options: AuditAllOptions = {}): this {
    attachAtSynth(this, scope, this.environmentFor(options), selector(options));
    return this;
  }

  /** The layer for a kind of runtime; made when the first function needs it. */
  layer(variant: LayerVariant): LayerVersion {
    const id = variant === 'layer' ? 'Layer' : 'LayerWithNode';
    return (this.node.tryFindChild(id) as LayerVersion | undefined) ?? auditLayer(this, id, this.layerDirectory, variant);
  }

  private environmentFor({ settings }: AuditOptions): Readonly<Record<string, string>> {
    return { ...this.auditEnvironment, ...readSettings(this.node.path, settings) };
  }

  private createStitcher({ retentionDays, stitcherConcurrency }: AlastorSettings): LambdaFunction {
    const { bucket, queue, shards, links } = this.store;
    const stitcher = this.createFunction('Stitcher', 'stitcher', stitcherTimeout, {
      [environment.retentionDays]: String(retentionDays),
    });
    bucket.grantRead(stitcher, `${segmentPrefix}*`);
    bucket.grantPut(stitcher, `${spillPrefix}*`);
    shards.grantReadWriteData(stitcher);
    links.grantReadWriteData(stitcher);
    stitcher.addEventSource(
      new SqsEventSource(queue, { batchSize: 10, reportBatchItemFailures: true, maxConcurrency: stitcherConcurrency }),
    );
    return stitcher;
  }

  private createQuery(): LambdaFunction {
    const { bucket, shards, links } = this.store;
    // An HTTP API waits 30 s at most.
    const query = this.createFunction('Query', 'query', Duration.seconds(29), {});
    bucket.grantRead(query, `${spillPrefix}*`);
    // Raw records, when somebody asks for the evidence itself.
    bucket.grantRead(query, `${segmentPrefix}*`);
    shards.grantReadData(query);
    links.grantReadData(query);
    return query;
  }

  private createInventory({ retentionDays }: AlastorSettings): void {
    const looker = this.createFunction('Inventory', 'inventory', Duration.minutes(5), {
      [environment.retentionDays]: String(retentionDays),
    });
    this.store.links.grant(looker, 'dynamodb:BatchWriteItem');
    const lists = ['lambda:ListFunctions', 'lambda:ListEventSourceMappings'];
    // These two lists cannot be limited to resources.
    looker.addToRolePolicy(new PolicyStatement({ actions: lists, resources: ['*'] }));
    const functionArns = Stack.of(this).formatArn({
      ...{ service: 'lambda', resource: 'function', resourceName: '*', arnFormat: ArnFormat.COLON_RESOURCE_NAME },
    });
    const reads = ['lambda:GetPolicy', 'lambda:ListFunctionUrlConfigs'];
    looker.addToRolePolicy(new PolicyStatement({ actions: reads, resources: [functionArns] }));
    const target = new FunctionTarget(looker);
    new Rule(this, 'InventorySchedule', { schedule: Schedule.rate(Duration.hours(1)), targets: [target] });
    new Rule(this, 'InventoryChanges', {
      eventPattern: {
        source: ['aws.lambda'],
        detailType: ['AWS API Call via CloudTrail'],
        detail: { eventSource: ['lambda.amazonaws.com'], readOnly: [false], managementEvent: [true] },
      },
      targets: [target],
    });
  }

  private createApi({ queryAuthorizer = new HttpIamAuthorizer() }: AlastorProps): HttpApi {
    const api = new HttpApi(this, 'Api', { description: 'Alastor: query API' });
    api.addRoutes({
      path: '/{proxy+}',
      methods: [HttpMethod.ANY],
      integration: new HttpLambdaIntegration('QueryIntegration', this.query),
      authorizer: queryAuthorizer,
    });
    return api;
  }

  private createFunction(id: string, folder: string, timeout: Duration, variables: Record<string, string>): LambdaFunction {
    return new LambdaFunction(this, id, {
      runtime: Runtime.NODEJS_24_X,
      architecture: layerArchitecture,
      code: bundledCode(`${functions}${folder}/handler.ts`),
      handler: 'index.handler',
      timeout,
      memorySize: 1024,
      environment: {
        [environment.shards]: this.store.shards.tableName,
        [environment.links]: this.store.links.tableName,
        [environment.bucket]: this.store.bucket.bucketName,
        ...variables,
      },
    });
  }

  /** Outputs get names that a script can rely on, without the hash that CDK appends. */
  private output(name: string, value: string, description: string): void {
    const output = new CfnOutput(this, name, { value, description });
    output.overrideLogicalId(`${this.node.id}${name}`.replace(/[^A-Za-z0-9]/g, ''));
  }
}
