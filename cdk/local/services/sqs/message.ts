import { createHash } from 'node:crypto';
import { ServiceError } from '../../http/error.ts';

/** A message attribute as the JSON protocol writes it; binary values are base64. */
export interface MessageAttribute {
  readonly DataType: string;
  readonly StringValue?: string;
  readonly BinaryValue?: string;
}
export type MessageAttributes = Readonly<Record<string, MessageAttribute>>;

export interface Message {
  readonly id: string;
  readonly body: string;
  readonly md5OfBody: string;
  readonly attributes: MessageAttributes;
  readonly md5OfAttributes: string | null;
  /** ms since 1970. */
  readonly sentAt: number;
  readonly senderId: string;
  readonly traceHeader: string | null;
  readonly groupId: string | null;
  readonly deduplicationId: string | null;
  readonly sequence: string | null;
  /** Queue it was moved here from. */
  readonly deadLetterSource: string | null;
  /** From when on it can be received, ms since 1970. */
  visibleAt: number;
  firstReceivedAt: number | null;
  receiveCount: number;
  /** Handle of the latest receive; null when it was not received yet. */
  receiptHandle: string | null;
}

export const md5 = (data: string | Buffer): string => createHash('md5').update(data).digest('hex');

function sized(bytes: Buffer): Buffer {
  const length = Buffer.alloc(4);
  length.writeUInt32BE(bytes.length);
  return Buffer.concat([length, bytes]);
}

/**
 * MD5 of message attributes as SDKs verify it: sorted by name; name, type, transport byte (1 text, 2 binary), value.
 * https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-message-metadata.html
 */
export function md5OfAttributes(attributes: MessageAttributes): string | null {
  const names = Object.keys(attributes).sort();
  if (names.length === 0) return null;
  const parts = names.flatMap((name) => {
    const attribute = attributes[name] as MessageAttribute;
    const binary = attribute.DataType.startsWith('Binary');
    const value = binary ? Buffer.from(attribute.BinaryValue ?? '', 'base64') : Buffer.from(attribute.StringValue ?? '');
    return [sized(Buffer.from(name)), sized(Buffer.from(attribute.DataType)), Buffer.from([binary ? 2 : 1]), sized(value)];
  });
  return md5(Buffer.concat(parts));
}

/** Largest message: 1 MiB since August 2025. */
export const MAX_MESSAGE_BYTES = 1024 * 1024;

export function checkBody(body: string | undefined): string {
  if (body === undefined || body === '')
    throw new ServiceError('MissingParameter', 'The request must contain the parameter MessageBody.');
  if (Buffer.byteLength(body) > MAX_MESSAGE_BYTES)
    throw new ServiceError(
      'InvalidParameterValue',
      `One or more parameters are invalid. Message must be shorter than ${MAX_MESSAGE_BYTES} bytes.`,
    );
  return body;
}
