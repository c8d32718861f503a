/** What witnesses said and nobody took: deliveries and lines that could not be read, and what the witness function gave up on. */
import type { Witnesses } from './witnesses.ts';

/** How many events wait in the witness function's dead-letter queue, about; undefined when there is no such queue. */
export type DeadLetters = () => Promise<number | undefined>;

/** Asks the queue. The client is only loaded when somebody asks. */
export function deadLettersOf(queueUrl: string | undefined): DeadLetters {
  if (queueUrl === undefined || queueUrl === '') return async () => undefined;
  return async () => {
    const { GetQueueAttributesCommand, SQSClient } = await import('@aws-sdk/client-sqs');
    const client = new SQSClient({ maxAttempts: 2 });
    try {
      const names = ['ApproximateNumberOfMessages', 'ApproximateNumberOfMessagesNotVisible'] as const;
      const { Attributes = {} } = await client.send(
        new GetQueueAttributesCommand({ QueueUrl: queueUrl, AttributeNames: [...names] }),
      );
      return names.reduce((sum, name) => sum + Number(Attributes[name] ?? 0), 0);
    } finally {
      client.destroy();
    }
  };
}

export interface WitnessLoss {
  readonly at: number;
  readonly why: string;
  readonly lost: number;
}

/** Newest first. @param now µs */
export async function witnessLosses(
  witnesses: Witnesses,
  deadLetters: DeadLetters,
  since: number,
  now: number,
): Promise<readonly WitnessLoss[]> {
  const [waiting, unread] = await Promise.all([deadLetters(), witnesses.unread(since)]);
  const told = unread.map(({ at, source, lost }) => ({ at, why: `unread: ${source}`, lost }));
  if (waiting === undefined || waiting === 0) return told;
  return [{ at: now, why: 'dead letters: events that the witness function could not take', lost: waiting }, ...told];
}
