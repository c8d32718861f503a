import { join } from 'node:path';
import { CfnOutput, Duration, RemovalPolicy, Stack, type StackProps } from 'aws-cdk-lib';
import { HttpApi, HttpMethod } from 'aws-cdk-lib/aws-apigatewayv2';
import { HttpLambdaIntegration } from 'aws-cdk-lib/aws-apigatewayv2-integrations';
import { AttributeType, BillingMode, type ITable, StreamViewType, Table } from 'aws-cdk-lib/aws-dynamodb';
import { EventBus, Rule } from 'aws-cdk-lib/aws-events';
import { LambdaFunction } from 'aws-cdk-lib/aws-events-targets';
import { Code, Function as LambdaFn, Runtime, StartingPosition } from 'aws-cdk-lib/aws-lambda';
import { DynamoEventSource, SqsEventSource } from 'aws-cdk-lib/aws-lambda-event-sources';
import { BlockPublicAccess, Bucket, BucketEncryption, EventType } from 'aws-cdk-lib/aws-s3';
import { LambdaDestination } from 'aws-cdk-lib/aws-s3-notifications';
import { Queue } from 'aws-cdk-lib/aws-sqs';
import type { Construct } from 'constructs';
import { bundledCode } from '../../cdk/bundle.ts';

const sources = join(import.meta.dirname, 'functions');

export interface HelloRetailProps extends StackProps {
  /** A partner (https) that is told about every announcement. Default: none. */
  readonly partnerUrl?: string;
}

/**
 * Purchase workflow of a small shop, after Nordstrom's Hello, Retail!: nothing in here knows of Alastor.
 * It is vulnerable on purpose; see README.md.
 */
export class HelloRetail extends Stack {
  constructor(scope: Construct, id: string, props: HelloRetailProps = {}) {
    super(scope, id, props);

    const prices = this.table('Prices', 'product');
    const cards = this.table('Cards', 'user');
    const orders = this.table('Orders', 'orderId', StreamViewType.NEW_IMAGE);
    const site = new Bucket(this, 'Site', {
      blockPublicAccess: BlockPublicAccess.BLOCK_ALL,
      encryption: BucketEncryption.S3_MANAGED,
      enforceSSL: true,
      removalPolicy: RemovalPolicy.DESTROY,
    });
    const catalogQueue = new Queue(this, 'CatalogQueue', {
      visibilityTimeout: Duration.seconds(60),
      deadLetterQueue: { queue: new Queue(this, 'CatalogDeadLetters'), maxReceiveCount: 3 },
    });

    const getPrice = this.nodeFunction('GetPrice', 'get-price', { PRICES_TABLE: prices.tableName });
    const getProduct = this.nodeFunction('GetProduct', 'get-product', { PRICES_TABLE: prices.tableName });
    const storeCc = new LambdaFn(this, 'StoreCc', {
      functionName: 'hello-retail-store-cc',
      runtime: Runtime.PYTHON_3_13,
      code: Code.fromAsset(join(sources, 'store-cc'), { exclude: ['__pycache__'] }),
      handler: 'store_cc.handler',
      environment: { CARDS_TABLE: cards.tableName },
      timeout: Duration.seconds(15),
      memorySize: 256,
    });
    const publish = this.nodeFunction('Publish', 'publish', {
      CATALOG_QUEUE: catalogQueue.queueUrl,
      ...(props.partnerUrl && { PARTNER_URL: props.partnerUrl }),
    });
    const authorizeCc = this.nodeFunction('AuthorizeCc', 'authorize-cc', {
      CARDS_TABLE: cards.tableName,
      STORE_CC_FUNCTION: storeCc.functionName,
      PUBLISH_FUNCTION: publish.functionName,
    });
    const purchase = this.nodeFunction('Purchase', 'purchase', {
      ORDERS_TABLE: orders.tableName,
      GET_PRICE_FUNCTION: getPrice.functionName,
      AUTHORIZE_CC_FUNCTION: authorizeCc.functionName,
      PUBLISH_FUNCTION: publish.functionName,
    });
    const catalogBuilder = this.nodeFunction('CatalogBuilder', 'catalog-builder', { SITE_BUCKET: site.bucketName });
    const pageIndex = this.nodeFunction('PageIndex', 'page-index', { SITE_BUCKET: site.bucketName });
    const receipts = this.nodeFunction('Receipts', 'receipts', { SITE_BUCKET: site.bucketName });

    prices.grantReadData(getPrice);
    prices.grantReadData(getProduct);
    cards.grantWriteData(storeCc);
    // Wider than the GetItem it needs: attack 1 scans the table with it.
    cards.grantReadData(authorizeCc);
    orders.grantWriteData(purchase);
    site.grantPut(catalogBuilder, 'pages/*');
    site.grantRead(pageIndex, 'pages/*');
    site.grantPut(pageIndex, 'index.html');
    site.grantPut(receipts, 'receipts/*');
    for (const callee of [getPrice, authorizeCc, publish]) callee.grantInvoke(purchase);
    for (const callee of [storeCc, publish]) callee.grantInvoke(authorizeCc);
    catalogQueue.grantSendMessages(publish);
    const bus = EventBus.fromEventBusName(this, 'Bus', 'default');
    bus.grantPutEventsTo(publish);

    catalogBuilder.addEventSource(new SqsEventSource(catalogQueue, { batchSize: 10, reportBatchItemFailures: true }));
    new Rule(this, 'OrderPlaced', {
      eventPattern: { source: ['hello-retail'], detailType: ['order.placed'] },
      targets: [new LambdaFunction(catalogBuilder)],
    });
    site.addEventNotification(EventType.OBJECT_CREATED, new LambdaDestination(pageIndex), { prefix: 'pages/' });
    // Only the types differ: CDK's Table says `string | undefined` where ITable says that a field may be absent.
    const stream = orders as ITable;
    receipts.addEventSource(new DynamoEventSource(stream, { startingPosition: StartingPosition.TRIM_HORIZON, batchSize: 10 }));

    const api = new HttpApi(this, 'Api', { description: 'Hello, Retail!' });
    api.addRoutes({
      path: '/purchase',
      methods: [HttpMethod.POST],
      integration: new HttpLambdaIntegration('PurchaseIntegration', purchase),
    });
    api.addRoutes({
      path: '/product/{id}',
      methods: [HttpMethod.GET],
      integration: new HttpLambdaIntegration('ProductIntegration', getProduct),
    });

    new CfnOutput(this, 'ApiUrl', { value: api.apiEndpoint, description: 'Address of the shop' });
    new CfnOutput(this, 'PricesTable', { value: prices.tableName });
    new CfnOutput(this, 'CardsTable', { value: cards.tableName });
    new CfnOutput(this, 'OrdersTable', { value: orders.tableName });
    new CfnOutput(this, 'SiteBucket', { value: site.bucketName });
  }

  private nodeFunction(id: string, folder: string, environment: Record<string, string>): LambdaFn {
    return new LambdaFn(this, id, {
      functionName: `hello-retail-${folder}`,
      runtime: Runtime.NODEJS_24_X,
      code: bundledCode(join(sources, folder, 'handler.ts')),
      handler: 'index.handler',
      environment,
      timeout: Duration.seconds(30),
      memorySize: 512,
    });
  }

  private table(id: string, key: string, stream?: StreamViewType): Table {
    return new Table(this, id, {
      tableName: `hello-retail-${id.toLowerCase()}`,
      partitionKey: { name: key, type: AttributeType.STRING },
      billingMode: BillingMode.PAY_PER_REQUEST,
      removalPolicy: RemovalPolicy.DESTROY,
      ...(stream && { stream }),
    });
  }
}
