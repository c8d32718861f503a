import { cpSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { AssetHashType, CfnOutput, DockerImage, Duration, RemovalPolicy, Stack, type StackProps } from 'aws-cdk-lib';
import { HttpApi, HttpMethod } from 'aws-cdk-lib/aws-apigatewayv2';
import { HttpLambdaIntegration } from 'aws-cdk-lib/aws-apigatewayv2-integrations';
import { AttributeType, BillingMode, Table } from 'aws-cdk-lib/aws-dynamodb';
import { Code, Function as LambdaFn, Runtime } from 'aws-cdk-lib/aws-lambda';
import { SqsEventSource } from 'aws-cdk-lib/aws-lambda-event-sources';
import { Bucket } from 'aws-cdk-lib/aws-s3';
import { Topic } from 'aws-cdk-lib/aws-sns';
import { LambdaSubscription, SqsSubscription } from 'aws-cdk-lib/aws-sns-subscriptions';
import { Queue } from 'aws-cdk-lib/aws-sqs';

const sources = join(import.meta.dirname, 'functions');

export interface DeskProps extends StackProps {
  /** Where the poisoned version of a package of `quote` sends what it finds. Default: the package is what it should be. */
  readonly collector?: string;
}

/**
 * A writing desk: small functions of the kinds that are found everywhere, and everywhere vulnerable in the same ways. Vulnerable
 * on purpose: what the attacks of the evaluation are tried on.
 */
export class Desk extends Stack {
  constructor(scope: ConstructorParameters<typeof Stack>[0], id: string, { collector, ...props }: DeskProps = {}) {
    super(scope, id, props);
    const bucket = new Bucket(this, 'Documents', { versioned: true, removalPolicy: RemovalPolicy.DESTROY });
    const customers = new Table(this, 'Customers', {
      tableName: 'desk-customers',
      partitionKey: { name: 'user', type: AttributeType.STRING },
      billingMode: BillingMode.PAY_PER_REQUEST,
      removalPolicy: RemovalPolicy.DESTROY,
    });
    const jobs = new Queue(this, 'Jobs', { visibilityTimeout: Duration.seconds(60) });
    const announcements = new Topic(this, 'Announcements');
    const archive = new Queue(this, 'Archive', { visibilityTimeout: Duration.seconds(60) });
    const shared = { BUCKET: bucket.bucketName, CUSTOMERS: customers.tableName };

    const convert = this.fn('convert', 'index.handler', shared);
    const library = this.fn('library', 'library.handler', shared);
    const preview = this.fn('preview', 'index.handler', {});
    const admin = this.fn('admin', 'index.handler', shared);
    const deliver = this.fn('deliver', 'index.handler', shared);
    const intake = this.fn('intake', 'index.handler', { JOBS: jobs.queueUrl });
    const worker = this.fn('worker', 'worker.handler', shared);
    const announce = this.fn('announce', 'announce.handler', { TOPIC: announcements.topicArn });
    const mailer = this.fn('mailer', 'index.handler', shared);
    const archiver = this.fn('archiver', 'archiver.handler', shared);
    const quote = this.fn('quote', 'index.handler', {}, withPackage(join(sources, 'quote'), collector));

    worker.addEventSource(new SqsEventSource(jobs, { batchSize: 5 }));
    archiver.addEventSource(new SqsEventSource(archive, { batchSize: 5 }));
    announcements.addSubscription(new LambdaSubscription(mailer));
    announcements.addSubscription(new SqsSubscription(archive));
    for (const one of [convert, library, deliver, worker, mailer, archiver]) bucket.grantReadWrite(one);
    for (const one of [convert, admin, mailer]) customers.grantReadData(one);
    jobs.grantSendMessages(intake);
    announcements.grantPublish(announce);

    const api = new HttpApi(this, 'Api');
    const inner = new HttpApi(this, 'InnerApi', { description: 'Only for people of the house' });
    const route = (at: HttpApi, method: HttpMethod, path: string, fn: LambdaFn) =>
      at.addRoutes({ path, methods: [method], integration: new HttpLambdaIntegration(`${fn.node.id}Route`, fn) });
    route(api, HttpMethod.POST, '/convert', convert);
    route(api, HttpMethod.GET, '/library/{path+}', library);
    route(api, HttpMethod.POST, '/preview', preview);
    route(api, HttpMethod.POST, '/deliver', deliver);
    route(api, HttpMethod.POST, '/jobs', intake);
    route(api, HttpMethod.POST, '/announce', announce);
    route(api, HttpMethod.GET, '/quote', quote);
    route(inner, HttpMethod.GET, '/customers', admin);
    new CfnOutput(this, 'ApiUrl', { value: api.apiEndpoint });
    new CfnOutput(this, 'InnerUrl', { value: inner.apiEndpoint });
    new CfnOutput(this, 'Bucket', { value: bucket.bucketName });
  }

  private fn(name: string, handler: string, environment: Record<string, string>, code?: Code): LambdaFn {
    return new LambdaFn(this, name, {
      ...{ functionName: `desk-${name}`, handler, environment, memorySize: 512, timeout: Duration.seconds(30) },
      runtime: handler.startsWith('index.') ? Runtime.NODEJS_24_X : Runtime.PYTHON_3_13,
      code: code ?? Code.fromAsset(join(sources, name), { exclude: ['__pycache__'] }),
    });
  }
}

/** The folder with the address put in where its package has a place for one. */
function withPackage(folder: string, collector: string | undefined): Code {
  return Code.fromAsset(folder, {
    assetHashType: AssetHashType.OUTPUT,
    bundling: {
      image: DockerImage.fromRegistry('none'),
      local: {
        tryBundle(out) {
          cpSync(folder, out, { recursive: true });
          const file = join(out, 'vendor', 'tiny-money.js');
          writeFileSync(file, readFileSync(file, 'utf8').replace('__COLLECTOR__', collector ?? ''));
          return true;
        },
      },
    },
  });
}
