import { customers, products } from '../catalog.ts';
import type { Random } from './random.ts';
import { buy, lookAt, type Purchase, type ShopAnswer } from './shop.ts';

/** What one visitor of the shop did, and the status that the shop ought to answer. */
export interface Visitor {
  readonly what: string;
  readonly expected: number;
  visit(apiUrl: string): Promise<ShopAnswer>;
}

/**
 * `count` ordinary visitors in random order: purchases with a stored card or a given one, looks at products, and the mistakes
 * that people make. Every kind occurs when `count` is at least 6.
 */
export function visitors(random: Random, count: number): Visitor[] {
  const kinds = [withStoredCard, withGivenCard, looking, lookingForNothing, withoutMoney, withBadForm] as const;
  const drawn = Array.from(
    { length: count },
    (_, place) => kinds[place] ?? random.pick([withStoredCard, withGivenCard, looking]),
  );
  return random.shuffle(drawn).map((kind) => kind(random));
}

/** How often a visitor tries again. */
const MOST_TRIES = 5;

/**
 * Sends the visitors one after the other.
 * @param settled resolves when all that was set off is over. An API waits half a minute for its function, which a very busy machine may
 * not make: who was told so tries again then. @default none: nobody does
 * @throws Error when the shop answers one in another way than it should
 */
export async function sendTraffic(
  apiUrl: string,
  all: readonly Visitor[],
  log: (line: string) => void,
  settled?: () => Promise<void>,
): Promise<ShopAnswer[]> {
  const answers: ShopAnswer[] = [];
  for (const visitor of all) {
    let answer = await visitor.visit(apiUrl);
    for (let tries = 1; settled !== undefined && answer.status >= 500 && tries < MOST_TRIES; tries++) {
      log(`${visitor.what}: ${answer.status}; once more when the shop has caught up`);
      await settled();
      answer = await visitor.visit(apiUrl);
    }
    if (answer.status !== visitor.expected) {
      const body = JSON.stringify(answer.body);
      throw new Error(`${visitor.what}: the shop answered ${answer.status} ${body} instead of ${visitor.expected}`);
    }
    log(`${visitor.what}: ${answer.status}`);
    answers.push(answer);
  }
  return answers;
}

function order(random: Random): Pick<Purchase, 'idempotencyKey' | 'product' | 'quantity'> {
  // Never above the lower of the issuers' limits.
  return { idempotencyKey: random.word(16), product: random.pick(products).product, quantity: 1 };
}

function buying(what: string, expected: number, purchase: Purchase): Visitor {
  return { what: `${purchase.user} buys ${purchase.product} ${what}`, expected, visit: (apiUrl) => buy(apiUrl, purchase) };
}

function withStoredCard(random: Random): Visitor {
  return buying('with the stored card', 201, { ...order(random), user: random.pick(customers).user });
}

function withGivenCard(random: Random): Visitor {
  const { user, ...card } = random.pick(customers);
  return buying('with a card given', 201, { ...order(random), user, card });
}

function withoutMoney(random: Random): Visitor {
  return buying('without the money', 402, {
    ...order(random),
    product: 'television',
    quantity: 90,
    user: random.pick(customers).user,
  });
}

function withBadForm(random: Random): Visitor {
  return buying('in impossible numbers', 400, {
    ...order(random),
    quantity: -random.between(1, 9),
    user: random.pick(customers).user,
  });
}

function looking(random: Random): Visitor {
  const { product } = random.pick(products);
  return { what: `somebody looks at ${product}`, expected: 200, visit: (apiUrl) => lookAt(apiUrl, product) };
}

function lookingForNothing(random: Random): Visitor {
  const product = random.word(9);
  return { what: `somebody looks for ${product}`, expected: 404, visit: (apiUrl) => lookAt(apiUrl, product) };
}
