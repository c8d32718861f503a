/** Fan-out: one announcement with a link of the attacker's makes all who hear it come to him, one of them with a list of customers. */
import { customers, Truth } from '../desk/truth.ts';
import type { Outcome, Scenario, World } from '../scenario.ts';

export const snsFanOut: Scenario = {
  name: 'sns-fan-out',
  what: 'an announcement reaches two functions, which both come to the host of the attacker, one with data',
  starts: 'domain',
  hosts: ['page'],
  run,
};

async function run(world: World): Promise<Outcome> {
  const { random } = world;
  const page = world.host('page');
  const path = `/${random.word(8)}`;
  const agent = world.agent();
  const body = { title: random.word(9), link: `${page.url}${path}` };
  const answer = await world.call('POST', '/announce', { body, agent });
  const came = (method: string) => world.visits('page').find((visit) => visit.method === method && visit.path === path);
  await world.until(() => came('POST') !== undefined && came('GET') !== undefined);
  if (came('POST')?.body.includes('@customers.example') !== true || came('GET') === undefined)
    throw new Error(`not all came: ${answer.status}`);

  const truth = new Truth()
    .asks('the announcement', 'announce', answer, agent)
    .call('announce', answer, 'sns:Publish')
    .serves('the mailer', 'mailer', answer)
    .call('mailer', answer, 'dynamodb:Scan')
    .attack('the customers', customers)
    .call('mailer', answer, `POST https://${page.host}${path}`)
    .serves('the archiver', 'archiver', answer)
    .call('archiver', answer, `GET https://${page.host}${path}`)
    .endpoint(page.host);
  return { fact: { what: 'domain', q: page.host }, entries: [answer.requestId], steps: truth.steps };
}
