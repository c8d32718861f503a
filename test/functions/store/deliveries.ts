import type { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import fc from 'fast-check';
import { stitchEvent } from '../../../functions/stitcher/handler.ts';
import { restitchEvent } from '../../../functions/stitcher/notification.ts';
import type { Store } from '../../../functions/store/connect.ts';
import { mostReceives } from '../../../functions/store/schema.ts';
import { messages } from '../messages.ts';

/** What happens to a stitcher: it ends in the middle, or one of its calls is answered by an error. */
interface Fault {
  readonly kind: 'dies' | 'fails';
  /** Calls of the table before that. */
  readonly after: number;
  /** Whether the table carried the call out all the same. */
  readonly done: boolean;
}

/** A way in which segments come to stitchers. */
export interface Delivery {
  /** Ranks of the messages, over and over; equal ones stay in order. */
  readonly order: readonly number[];
  /** Segments that are notified of twice, by their numbers. */
  readonly again: readonly number[];
  /** Segments that somebody asks for again (`alastor restitch`), by their numbers. */
  readonly restitched: readonly number[];
  /** How often the first messages were received before, by a stitcher that did nothing. */
  readonly received: readonly number[];
  /** Messages in a batch. */
  readonly width: number;
  /** Stitchers that work at the same time. */
  readonly stitchers: number;
  readonly faults: readonly Fault[];
}

const fault = fc.record({ kind: fc.constantFrom('dies', 'fails'), after: fc.nat(40), done: fc.boolean() } as const);

const seldom = <T>(some: fc.Arbitrary<T[]>): fc.Arbitrary<readonly T[]> =>
  fc.oneof({ weight: 2, arbitrary: fc.constant([]) }, { weight: 1, arbitrary: some });

export const deliveries: fc.Arbitrary<Delivery> = fc.record({
  order: fc.array(fc.nat(1000), { minLength: 8, maxLength: 64 }),
  again: fc.array(fc.nat(1000), { maxLength: 6 }),
  restitched: fc.array(fc.nat(1000), { maxLength: 2 }),
  received: seldom(fc.array(fc.constantFrom(0, 1, mostReceives - 1), { maxLength: 3 })),
  width: fc.integer({ min: 1, max: 10 }),
  stitchers: fc.integer({ min: 1, max: 3 }),
  faults: seldom(fc.array(fault, { maxLength: 3 })),
});

interface Message {
  readonly id: number;
  readonly key: string;
  readonly restitch: boolean;
  /** For the how-manieth time it is handed out. */
  readonly times: number;
}

/** In the order, and as often, as `delivery` has it. */
function queueOf(keys: readonly string[], { order, again, restitched, received }: Delivery): Message[] {
  const pick = (n: number) => keys[n % keys.length] ?? '';
  const wanted = [
    ...[...keys, ...again.map(pick)].map((key) => ({ key, restitch: false })),
    ...restitched.map((n) => ({ key: pick(n), restitch: true })),
  ];
  return wanted
    .map((one, i) => ({ one, at: order[i % order.length] ?? 0 }))
    .sort((a, b) => a.at - b.at)
    .map(({ one }, id) => ({ ...one, id, times: 1 + (received[id] ?? 0) }));
}

/**
 * Hands all segments to stitchers as a queue would: what is not acknowledged comes again, and after the last attempt somebody
 * gives the message back from the dead-letter queue, as a new one.
 * @param open a store for a stitcher that has just begun, over tables that are reached through this client
 */
export async function deliver(
  keys: readonly string[],
  client: DynamoDBClient,
  open: (client: DynamoDBClient) => Store,
  delivery: Delivery,
): Promise<void> {
  const queue = queueOf(keys, delivery);
  const faults = [...delivery.faults];
  const lane = async () => {
    let stitcher = hired(client, open, faults.shift());
    while (queue.length > 0) {
      const batch = queue.splice(0, delivery.width);
      const answer = await stitchEvent({ Records: batch.map(recordOf) }, stitcher.store);
      const failed = new Set(answer?.batchItemFailures.map(({ itemIdentifier }) => itemIdentifier));
      const left = batch.filter(({ id }) => stitcher.dead() || failed.has(`m${id}`));
      queue.push(...left.map((one) => ({ ...one, times: one.times === mostReceives ? 1 : one.times + 1 })));
      if (stitcher.dead()) stitcher = hired(client, open, faults.shift());
    }
  };
  await Promise.all(Array.from({ length: delivery.stitchers }, lane));
}

function recordOf({ id, key, restitch, times }: Message) {
  const [message] = messages([key], times).Records;
  const body = message?.body ?? '';
  return { ...message, messageId: `m${id}`, body: restitch ? body.replace('ObjectCreated:Put', restitchEvent) : body };
}

/** A stitcher that this befalls. One that is dead reaches nothing any more. */
function hired(client: DynamoDBClient, open: (client: DynamoDBClient) => Store, fault: Fault | undefined) {
  if (fault === undefined) return { store: open(client), dead: () => false };
  let left = fault.after;
  let dead = false;
  const failing: DynamoDBClient = Object.create(client, {
    send: {
      value: async (command: Parameters<DynamoDBClient['send']>[0]) => {
        if (dead) throw new Error('the stitcher is dead');
        if (left-- !== 0) return await client.send(command);
        dead = fault.kind === 'dies';
        if (fault.done) await client.send(command);
        throw new Error(dead ? 'the stitcher died' : 'connection reset');
      },
    },
  });
  return { store: open(failing), dead: () => dead };
}
