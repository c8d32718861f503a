import { ServiceError } from '../../http/error.ts';
import { checkBody, type Message, type MessageAttribute, type MessageAttributes, md5OfAttributes } from './message.ts';
import type { Queue } from './queue.ts';

/** Input and output of an operation in the JSON protocol's shape; the query protocol is translated to and from it. */
export type Fields = Record<string, unknown>;

export interface Call {
  readonly input: Fields;
  readonly accessKey: string;
  readonly accountId: string;
  readonly endpoint: string;
  readonly signal: AbortSignal;
  /** Throws QueueDoesNotExist. */
  queue(): Queue;
  queues(): readonly Queue[];
  find(name: string): Queue | null;
  byArn(arn: string): Queue | null;
}

export const missingQueue = (): ServiceError =>
  new ServiceError('QueueDoesNotExist', 'The specified queue does not exist.', 400, 'AWS.SimpleQueueService.NonExistentQueue');

const text = (value: unknown): string | undefined => (typeof value === 'string' ? value : undefined);
const list = (value: unknown): Fields[] => (Array.isArray(value) ? (value as Fields[]) : []);

function number(value: unknown, name: string, least: number, most: number): number | undefined {
  if (value === undefined || value === null) return undefined;
  const read = Number(value);
  if (Number.isInteger(read) && read >= least && read <= most) return read;
  throw new ServiceError(
    'InvalidParameterValue',
    `Value ${String(value)} for parameter ${name} is invalid. Reason: Must be between ${least} and ${most}.`,
  );
}

function send(call: Call, queue: Queue, input: Fields): Fields {
  const system = input.MessageSystemAttributes as Record<string, MessageAttribute> | undefined;
  const message = queue.send({
    body: checkBody(text(input.MessageBody)),
    attributes: (input.MessageAttributes as MessageAttributes | undefined) ?? {},
    delaySeconds: number(input.DelaySeconds, 'DelaySeconds', 0, 900),
    groupId: text(input.MessageGroupId),
    deduplicationId: text(input.MessageDeduplicationId),
    traceHeader: system?.AWSTraceHeader?.StringValue,
    senderId: call.accessKey,
  });
  return {
    MessageId: message.id,
    MD5OfMessageBody: message.md5OfBody,
    ...(message.md5OfAttributes === null ? {} : { MD5OfMessageAttributes: message.md5OfAttributes }),
    ...(message.sequence === null ? {} : { SequenceNumber: message.sequence }),
  };
}

/** Runs `each` for every entry of a batch; one that fails does not stop the others. */
function batch(call: Call, each: (entry: Fields) => Fields): Fields {
  const entries = list(call.input.Entries);
  if (entries.length === 0 || entries.length > 10)
    throw new ServiceError(
      entries.length === 0 ? 'EmptyBatchRequest' : 'TooManyEntriesInBatchRequest',
      'A batch request has 1 to 10 entries.',
    );
  const ids = entries.map((one) => String(one.Id));
  if (new Set(ids).size !== ids.length)
    throw new ServiceError('BatchEntryIdsNotDistinct', 'Two or more batch entries have the same Id.');
  const Successful: Fields[] = [];
  const Failed: Fields[] = [];
  for (const entry of entries) {
    try {
      Successful.push({ Id: String(entry.Id), ...each(entry) });
    } catch (cause) {
      const error = ServiceError.of(cause);
      Failed.push({ Id: String(entry.Id), Code: error.queryCode, Message: error.message, SenderFault: error.status < 500 });
    }
  }
  return { Successful, Failed };
}

/** System attributes of a message by their names in ReceiveMessage. */
export function systemAttributes(message: Message): Record<string, string> {
  return {
    ApproximateReceiveCount: String(message.receiveCount),
    SentTimestamp: String(message.sentAt),
    SenderId: message.senderId,
    ApproximateFirstReceiveTimestamp: String(message.firstReceivedAt ?? message.sentAt),
    ...(message.traceHeader === null ? {} : { AWSTraceHeader: message.traceHeader }),
    ...(message.sequence === null ? {} : { SequenceNumber: message.sequence }),
    ...(message.groupId === null ? {} : { MessageGroupId: message.groupId }),
    ...(message.deduplicationId === null ? {} : { MessageDeduplicationId: message.deduplicationId }),
    ...(message.deadLetterSource === null ? {} : { DeadLetterQueueSourceArn: message.deadLetterSource }),
  };
}

async function receive(call: Call): Promise<Fields> {
  const { input } = call;
  const queue = call.queue();
  const visibility = number(input.VisibilityTimeout, 'VisibilityTimeout', 0, 43_200);
  const messages = await queue.receive({
    max: number(input.MaxNumberOfMessages, 'MaxNumberOfMessages', 1, 10) ?? 1,
    waitMs: 1000 * (number(input.WaitTimeSeconds, 'WaitTimeSeconds', 0, 20) ?? queue.settings.receiveWaitSeconds),
    visibilityMs: visibility === undefined ? undefined : visibility * 1000,
    signal: call.signal,
  });
  const systemWanted = [...strings(input.AttributeNames), ...strings(input.MessageSystemAttributeNames)];
  const wanted = strings(input.MessageAttributeNames);
  return { Messages: messages.map((message) => shown(message, systemWanted, wanted)) };
}

const strings = (value: unknown): string[] => (Array.isArray(value) ? value.map(String) : []);

function shown(message: Message, systemWanted: readonly string[], wanted: readonly string[]): Fields {
  const keep = (name: string) =>
    wanted.some(
      (one) => one === 'All' || one === '.*' || one === name || (one.endsWith('.*') && name.startsWith(one.slice(0, -2))),
    );
  const system = Object.entries(systemAttributes(message)).filter(
    ([name]) => systemWanted.includes('All') || systemWanted.includes(name),
  );
  const attributes = Object.fromEntries(Object.entries(message.attributes).filter(([name]) => keep(name)));
  const digest = md5OfAttributes(attributes);
  return {
    MessageId: message.id,
    ReceiptHandle: message.receiptHandle,
    MD5OfBody: message.md5OfBody,
    Body: message.body,
    ...(system.length === 0 ? {} : { Attributes: Object.fromEntries(system) }),
    ...(digest === null ? {} : { MessageAttributes: attributes, MD5OfMessageAttributes: digest }),
  };
}

function attributes(call: Call): Fields {
  const queue = call.queue();
  const { settings } = queue;
  const counts = queue.counts();
  const all: Record<string, string> = {
    QueueArn: queue.arn,
    ApproximateNumberOfMessages: String(counts.visible),
    ApproximateNumberOfMessagesNotVisible: String(counts.inFlight),
    ApproximateNumberOfMessagesDelayed: String(counts.delayed),
    CreatedTimestamp: String(Math.floor(queue.created / 1000)),
    LastModifiedTimestamp: String(Math.floor(queue.created / 1000)),
    VisibilityTimeout: String(settings.visibilityTimeoutSeconds),
    DelaySeconds: String(settings.delaySeconds),
    ReceiveMessageWaitTimeSeconds: String(settings.receiveWaitSeconds),
    ...(settings.fifo ? { FifoQueue: 'true', ContentBasedDeduplication: String(settings.contentBasedDeduplication) } : {}),
    ...(settings.redrive === null
      ? {}
      : {
          RedrivePolicy: JSON.stringify({
            deadLetterTargetArn: settings.redrive.deadLetterArn,
            maxReceiveCount: settings.redrive.maxReceiveCount,
          }),
        }),
  };
  const wanted = strings(call.input.AttributeNames);
  return {
    Attributes: Object.fromEntries(Object.entries(all).filter(([name]) => wanted.includes('All') || wanted.includes(name))),
  };
}

/**
 * What a dead-letter queue holds goes back to where it came from, at once: the task is complete when this answers.
 * https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_StartMessageMoveTask.html
 */
function startMove(call: Call): Fields {
  const from = call.byArn(String(call.input.SourceArn));
  if (from === null) throw new ServiceError('ResourceNotFoundException', 'The source queue does not exist.', 404);
  const wanted = text(call.input.DestinationArn);
  const target = (arn: string | null): Queue => {
    const queue = arn === null ? null : call.byArn(arn);
    if (queue === null) throw new ServiceError('ResourceNotFoundException', 'The destination queue does not exist.', 404);
    return queue;
  };
  if (wanted !== undefined) target(wanted);
  const started = Date.now();
  let moved = 0;
  for (const message of from.takeAll()) {
    const { body, attributes, traceHeader, groupId, deduplicationId, senderId } = message;
    const optional = { traceHeader: traceHeader ?? undefined, groupId: groupId ?? undefined };
    const to = target(wanted ?? message.deadLetterSource);
    to.send({ body, attributes, senderId, ...optional, deduplicationId: deduplicationId ?? undefined });
    moved++;
  }
  const TaskHandle = Buffer.from(JSON.stringify({ source: from.arn, started })).toString('base64');
  from.moves.unshift({ TaskHandle, SourceArn: from.arn, Status: 'COMPLETED', StartedTimestamp: started, moved });
  return { TaskHandle };
}

function listMoves(call: Call): Fields {
  const from = call.byArn(String(call.input.SourceArn));
  if (from === null) throw new ServiceError('ResourceNotFoundException', 'The source queue does not exist.', 404);
  const most = number(call.input.MaxResults, 'MaxResults', 1, 10) ?? 1;
  return {
    Results: from.moves.slice(0, most).map(({ moved, TaskHandle: _, ...task }) => ({
      ...task,
      ApproximateNumberOfMessagesMoved: moved,
      ApproximateNumberOfMessagesToMove: moved,
    })),
  };
}

const handle = (value: unknown): string => {
  if (typeof value === 'string') return value;
  throw new ServiceError('MissingParameter', 'The request must contain the parameter ReceiptHandle.');
};

const url = (call: Call, queue: Queue) => `${call.endpoint}/${call.accountId}/${queue.name}`;

/** The operations of SQS that a function can call. */
export const OPERATIONS: Readonly<Record<string, (call: Call) => Fields | Promise<Fields>>> = {
  SendMessage: (call) => send(call, call.queue(), call.input),
  SendMessageBatch: (call) => {
    const queue = call.queue();
    return batch(call, (entry) => send(call, queue, entry));
  },
  ReceiveMessage: receive,
  DeleteMessage: (call) => {
    call.queue().delete(handle(call.input.ReceiptHandle));
    return {};
  },
  DeleteMessageBatch: (call) => {
    const queue = call.queue();
    return batch(call, (entry) => {
      queue.delete(handle(entry.ReceiptHandle));
      return {};
    });
  },
  ChangeMessageVisibility: (call) => {
    const seconds = number(call.input.VisibilityTimeout, 'VisibilityTimeout', 0, 43_200) ?? 0;
    call.queue().changeVisibility(handle(call.input.ReceiptHandle), seconds);
    return {};
  },
  ChangeMessageVisibilityBatch: (call) => {
    const queue = call.queue();
    return batch(call, (entry) => {
      queue.changeVisibility(handle(entry.ReceiptHandle), number(entry.VisibilityTimeout, 'VisibilityTimeout', 0, 43_200) ?? 0);
      return {};
    });
  },
  GetQueueAttributes: attributes,
  GetQueueUrl: (call) => {
    const queue = call.find(String(call.input.QueueName));
    if (queue === null) throw missingQueue();
    return { QueueUrl: url(call, queue) };
  },
  ListQueues: (call) => {
    const prefix = text(call.input.QueueNamePrefix) ?? '';
    return {
      QueueUrls: call
        .queues()
        .filter((one) => one.name.startsWith(prefix))
        .map((one) => url(call, one)),
    };
  },
  StartMessageMoveTask: startMove,
  ListMessageMoveTasks: listMoves,
  PurgeQueue: (call) => {
    call.queue().purge();
    return {};
  },
};
