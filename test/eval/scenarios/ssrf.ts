/** SSRF: a preview of an inner address shows all customers. */
import { customers, Truth } from '../desk/truth.ts';
import type { Outcome, Scenario, World } from '../scenario.ts';

export const ssrf: Scenario = {
  name: 'ssrf',
  what: 'the preview of an inner address shows all customers; the inner API has an odd request in its log',
  starts: 'request',
  hosts: [],
  run,
};

async function run(world: World): Promise<Outcome> {
  const agent = world.agent();
  const url = `${world.innerUrl}customers`;
  const answer = await world.call('POST', '/preview', { body: { url }, agent });
  if (!String(answer.body.beginning).includes('iban')) throw new Error(`no customers were shown: ${answer.status}`);

  const truth = new Truth()
    .asks('the preview', 'preview', answer, agent)
    .call('preview', answer, `GET ${url.replace(/:\d+\//, '/')}`)
    .serves('the inner API', 'admin', answer)
    .call('admin', answer, 'dynamodb:Scan')
    .attack('the customers', customers);
  // The preview is so kind as to say under which id the inner API answered it.
  return { fact: { what: 'request', q: String(answer.body.request) }, entries: [answer.requestId], steps: truth.steps };
}
