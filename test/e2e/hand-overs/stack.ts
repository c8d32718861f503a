import { join } from 'node:path';
import { Duration, type Stack } from 'aws-cdk-lib';
import { LambdaRestApi } from 'aws-cdk-lib/aws-apigateway';
import { HttpApi } from 'aws-cdk-lib/aws-apigatewayv2';
import { HttpLambdaIntegration } from 'aws-cdk-lib/aws-apigatewayv2-integrations';
import { AttributeType, BillingMode, StreamViewType, Table } from 'aws-cdk-lib/aws-dynamodb';
import { Rule, RuleTargetInput } from 'aws-cdk-lib/aws-events';
import { LambdaFunction, SqsQueue } from 'aws-cdk-lib/aws-events-targets';
import { Code, FunctionUrlAuthType, Function as LambdaFn, Runtime, StartingPosition } from 'aws-cdk-lib/aws-lambda';
import { LambdaDestination } from 'aws-cdk-lib/aws-lambda-destinations';
import { DynamoEventSource, SqsEventSource } from 'aws-cdk-lib/aws-lambda-event-sources';
import { Bucket, EventType } from 'aws-cdk-lib/aws-s3';
import { LambdaDestination as S3ToLambda, SnsDestination, SqsDestination } from 'aws-cdk-lib/aws-s3-notifications';
import { Topic } from 'aws-cdk-lib/aws-sns';
import { LambdaSubscription, SqsSubscription } from 'aws-cdk-lib/aws-sns-subscriptions';
import { Queue } from 'aws-cdk-lib/aws-sqs';
import { bundledCode } from '../../../cdk/bundle.ts';
import { Alastor } from '../../../cdk/index.ts';

const ANSWER = { statusCode: 200, body: 'received, and said so in more words than fit a receipt' };

/** One function that hands over, one that gets nearly everything, and the services between them. */
export function handOverStack(stack: Stack): void {
  const receiver = inline(stack, 'Receiver', `exports.handler = async () => (${JSON.stringify(ANSWER)})`);
  const second = inline(stack, 'Second', 'exports.handler = async () => 1');
  const worker = inline(stack, 'Worker', 'exports.handler = async () => ({ done: true })', {
    onSuccess: new LambdaDestination(receiver),
  });

  const orders = queue(stack, 'Orders');
  const fifo = queue(stack, 'Fifo', { fifo: true, contentBasedDeduplication: true });
  const wrapped = queue(stack, 'Wrapped');
  const raw = queue(stack, 'Raw');
  const objects = queue(stack, 'Objects');
  const busQueue = queue(stack, 'BusQueue');
  for (const one of [orders, fifo, raw, objects, busQueue]) receiver.addEventSource(new SqsEventSource(one));
  second.addEventSource(new SqsEventSource(wrapped));

  const topic = new Topic(stack, 'Topic');
  topic.addSubscription(new LambdaSubscription(receiver));
  topic.addSubscription(new SqsSubscription(wrapped));
  const rawTopic = new Topic(stack, 'RawTopic');
  rawTopic.addSubscription(new SqsSubscription(raw, { rawMessageDelivery: true }));
  const objectTopic = new Topic(stack, 'ObjectTopic');
  objectTopic.addSubscription(new LambdaSubscription(receiver));

  const bucket = new Bucket(stack, 'Bucket', { eventBridgeEnabled: true });
  bucket.addEventNotification(EventType.OBJECT_CREATED, new S3ToLambda(receiver), { prefix: 'fn/' });
  bucket.addEventNotification(EventType.OBJECT_CREATED, new SqsDestination(objects), { prefix: 'queue/' });
  bucket.addEventNotification(EventType.OBJECT_CREATED, new SnsDestination(objectTopic), { prefix: 'topic/' });
  const rule = (id: string, detailType: string, target: LambdaFunction | SqsQueue) =>
    new Rule(stack, id, { eventPattern: { source: ['test'], detailType: [detailType] }, targets: [target] });
  rule('Whole', 'whole', new LambdaFunction(receiver));
  rule('Detail', 'detail', new LambdaFunction(receiver, { event: RuleTargetInput.fromEventPath('$.detail') }));
  rule('ToQueue', 'queue', new SqsQueue(busQueue));
  new Rule(stack, 'FromBucket', {
    eventPattern: { source: ['aws.s3'], detail: { object: { key: [{ prefix: 'bus/' }] } } },
    targets: [new LambdaFunction(receiver)],
  });

  const table = new Table(stack, 'Table', {
    partitionKey: { name: 'id', type: AttributeType.STRING },
    billingMode: BillingMode.PAY_PER_REQUEST,
    stream: StreamViewType.NEW_IMAGE,
  });
  // Only the types differ, see examples/hello-retail/stack.ts.
  receiver.addEventSource(
    new DynamoEventSource(table as never, { startingPosition: StartingPosition.TRIM_HORIZON, batchSize: 10 }),
  );

  const httpApi = new HttpApi(stack, 'HttpApi', { defaultIntegration: new HttpLambdaIntegration('Receive', receiver) });
  const restApi = new LambdaRestApi(stack, 'RestApi', { handler: receiver, cloudWatchRole: false });
  const url = receiver.addFunctionUrl({ authType: FunctionUrlAuthType.NONE });

  const driver = new LambdaFn(stack, 'Driver', {
    functionName: 'driver',
    runtime: Runtime.NODEJS_24_X,
    code: bundledCode(join(import.meta.dirname, 'driver.ts')),
    handler: 'index.handler',
    timeout: Duration.seconds(20),
    environment: {
      RECEIVER: receiver.functionName,
      WORKER: worker.functionName,
      FUNCTION_URL: url.url,
      HTTP_API: `${httpApi.apiEndpoint}/`,
      REST_API: restApi.url,
      QUEUE: orders.queueUrl,
      FIFO: fifo.queueUrl,
      TOPIC: topic.topicArn,
      RAW_TOPIC: rawTopic.topicArn,
      BUCKET: bucket.bucketName,
      TABLE: table.tableName,
    },
  });
  bucket.grantReadWrite(driver);
  table.grantReadWriteData(driver as never);
  new Alastor(stack, 'Alastor').auditAll(stack);
}

const inline = (stack: Stack, id: string, code: string, extra: object = {}) =>
  new LambdaFn(stack, id, {
    functionName: id.toLowerCase(),
    runtime: Runtime.NODEJS_24_X,
    handler: 'index.handler',
    code: Code.fromInline(code),
    timeout: Duration.seconds(20),
    ...extra,
  });

const queue = (stack: Stack, id: string, extra: object = {}) =>
  new Queue(stack, id, { visibilityTimeout: Duration.seconds(60), ...extra });
