import { randomUUID } from 'node:crypto';
import type { Deliver } from './delivery.ts';
import { Destinations } from './destinations.ts';
import { type Environment, parseArn, type Worker } from './environment.ts';
import { functionsOf } from './functions.ts';
import { Iam } from './iam/account.ts';
import { LambdaService } from './lambda/index.ts';
import { ApiGatewayService } from './services/apigateway/service.ts';
import { DynamoDbService } from './services/dynamodb/service.ts';
import { EventBridgeService } from './services/events/service.ts';
import { LambdaConfiguration } from './services/lambda-configuration.ts';
import { LogsService } from './services/logs/service.ts';
import type { NotificationOptions } from './services/s3/notifications.ts';
import { S3Service } from './services/s3/service.ts';
import { SnsService } from './services/sns/service.ts';
import { SqsService } from './services/sqs/service.ts';
import { Topology } from './services/topology.ts';
import type { Services } from './services.ts';
import { EventSources } from './sources/event-sources.ts';

export interface AccountOptions {
  readonly hosts: Readonly<Record<string, string>>;
  readonly trustedCaPem?: string | undefined;
  readonly notifications: NotificationOptions;
  readonly traceable: boolean;
}

/** All services, connected with each other. */
export interface Account {
  readonly services: Services;
  /** Everything that may have work under way. */
  readonly workers: readonly Worker[];
  stop(): Promise<void>;
}

/** Makes the services of one account. Throws when the machine lacks what Lambda functions need. */
export function createAccount(env: Environment, options: AccountOptions): Account {
  // Services deliver to each other in a circle, so each gets this, which looks the receiver up when it is needed.
  const deliver: Deliver = {
    to: (arn, payload, context) => deliverTo(services, arn, payload, context),
    publish: async (event) => events.publish(event),
  };
  const destinations = new Destinations(env, deliver);
  const logs = new LogsService(env, deliver);
  const functions = functionsOf(
    new LambdaService({
      stateDir: env.stateDir,
      endpoint: env.endpoint,
      hosts: options.hosts,
      traceable: options.traceable,
      ...(options.trustedCaPem === undefined ? {} : { trustedCaPem: options.trustedCaPem }),
      log: env.log,
      onLog: (name, instance, line) => {
        env.log(`[${name}] ${line}`);
        logs.line(name, instance, line);
      },
      onAsyncResult: (outcome) => destinations.report(outcome),
    }),
  );
  const iam = new Iam(env.accountId, env.region, env.log);
  const sqs = new SqsService(env);
  const dynamodb = new DynamoDbService(env, iam);
  const events = new EventBridgeService(env, deliver);
  const s3 = new S3Service(env, deliver, iam, options.notifications);
  const sns = new SnsService(env, deliver);
  const sources = new EventSources({ env, functions }, sqs, dynamodb, deliver);
  const topology = new Topology(env);
  const layers = new Map<string, string>();
  const services: Services = {
    env,
    iam,
    functions,
    destinations,
    s3,
    sqs,
    sns,
    dynamodb,
    events,
    logs,
    apis: new ApiGatewayService(env, functions),
    sources,
    topology,
    configuration: new LambdaConfiguration(env, functions, topology, layers),
    layers,
    parameters: new Map(),
    drafts: new Map(),
  };
  const lambda: Worker = {
    busy: () => (functions.idle() ? null : 'an invocation is queued, running or waiting for its retry'),
  };
  return {
    services,
    workers: [s3, sqs, sns, events, logs, dynamodb, sources, destinations, lambda],
    async stop() {
      for (const one of [s3, sns, events, logs, destinations]) one.stop();
      const stopped = await Promise.allSettled([sources.stop(), functions.stop(), dynamodb.stop()]);
      for (const one of stopped) if (one.status === 'rejected') env.log(`stopping: ${String(one.reason)}`);
    },
  };
}

async function deliverTo(
  services: Services,
  arn: string,
  payload: string,
  context: Parameters<Deliver['to']>[2],
): Promise<void> {
  const target = parseArn(arn);
  if (target?.service === 'lambda') {
    await services.functions.invoke(arn, Buffer.from(payload), { type: 'Event' });
    return;
  }
  if (target?.service === 'sqs') {
    const queue = services.sqs.byArn(arn);
    if (queue === null) throw new Error(`${context.sourceArn} cannot reach ${arn}: there is no such queue`);
    const group = context.messageGroupId ?? (queue.settings.fifo ? 'default' : undefined);
    queue.send({
      body: payload,
      senderId: context.sourceArn,
      groupId: group,
      deduplicationId: queue.settings.fifo ? randomUUID() : undefined,
    });
    return;
  }
  if (target?.service === 'sns') {
    services.sns.publish({ topicArn: arn, message: payload, subject: context.subject ?? null, attributes: {} });
    return;
  }
  if (target?.service === 'events') {
    services.events.publish(
      JSON.parse(payload) as Parameters<Deliver['publish']>[0],
      target.resource.replace(/^event-bus\//, ''),
    );
    return;
  }
  throw new Error(`${context.sourceArn} cannot deliver to ${arn}: only functions, queues, topics and buses are there locally`);
}
