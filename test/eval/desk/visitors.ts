/** Ordinary use of the desk: the same functions, instances, files, queues and buckets as the attacks. */
import type { Random } from '../../../examples/hello-retail/attack/random.ts';
import { browser, call, type ShopAnswer } from '../../../examples/hello-retail/attack/shop.ts';
import type { Converted } from '../scenario.ts';
import { customers, documents } from './seed.ts';

/** Where visitors go. */
export interface Places {
  readonly api: string;
  readonly inner: string;
  /** Base address of a partner who has nothing to do with any attack. */
  readonly partner: string;
  /** Filled by the visits. */
  readonly converted: Converted[];
}

export type Visit = (places: Places) => Promise<unknown>;

/** `count` visits in random order, of every kind as many as of any other. */
export function visitors(random: Random, count: number): Visit[] {
  const kinds = [converting, reading, finding, previewing, lookingUp, delivering, ordering, announcing, asking] as const;
  const drawn = Array.from({ length: count }, (_, place) => kinds[place % kinds.length] ?? asking);
  return random.shuffle(drawn).map((kind) => kind(random));
}

async function expect(status: number, base: string, method: 'GET' | 'POST', path: string, body?: unknown): Promise<ShopAnswer> {
  const answer = await call(base, method, path, {
    userAgent: browser,
    ...(body !== undefined && { body: JSON.stringify(body) }),
  });
  if (answer.status !== status)
    throw new Error(
      `${method} ${path}: the desk answered ${answer.status} ${JSON.stringify(answer.body)} instead of ${status}`,
    );
  return answer;
}

const words = (random: Random, count: number) => Array.from({ length: count }, () => random.word(6)).join(' ');

function converting(random: Random): Visit {
  const text = words(random, 40);
  const form = { user: random.pick(customers).user, title: words(random, 2), text };
  return async ({ api, converted }) => {
    noteConverted(converted, '/convert', form, await expect(201, api, 'POST', '/convert', form), browser);
  };
}

/** Keeps what was converted, if that is what was asked for. */
export function noteConverted(all: Converted[], path: string, body: unknown, answer: ShopAnswer, agent: string): void {
  if (path !== '/convert' || typeof answer.body.id !== 'string') return;
  all.push({ agent, id: answer.body.id, text: (body as { readonly text: string }).text, requestId: answer.requestId });
}

function reading(random: Random): Visit {
  const { name } = random.pick(documents);
  return ({ api }) => expect(200, api, 'GET', `/library/${name}`);
}

function finding(random: Random): Visit {
  const { name } = random.pick(documents);
  const term = random.word(3);
  return ({ api }) => expect(200, api, 'GET', `/library/${name}?find=${term}`);
}

function previewing(random: Random): Visit {
  const page = random.word(5);
  return ({ api, partner }) => expect(200, api, 'POST', '/preview', { url: `${partner}/${page}` });
}

/** Somebody of the house. */
function lookingUp(random: Random): Visit {
  const { user } = random.pick(customers);
  return ({ inner }) => expect(200, inner, 'GET', `/customers?user=${user}`);
}

function delivering(random: Random): Visit {
  const { name } = random.pick(documents);
  return ({ api, partner }) => expect(200, api, 'POST', '/deliver', { key: `library/${name}`, to: `${partner}/inbox` });
}

function ordering(random: Random): Visit {
  const body = { name: random.word(6), size: `${random.between(1, 9)}00x${random.between(1, 9)}00` };
  return ({ api }) => expect(202, api, 'POST', '/jobs', body);
}

function announcing(random: Random): Visit {
  const title = words(random, 3);
  const page = random.word(5);
  return ({ api, partner }) => expect(202, api, 'POST', '/announce', { title, link: `${partner}/${page}` });
}

function asking(random: Random): Visit {
  const count = random.between(100, 9000);
  return ({ api }) => expect(200, api, 'GET', `/quote?words=${count}`);
}
