/** Path traversal: `..` in the name of a document leads to the environment of the process that serves it. */
import { Truth } from '../desk/truth.ts';
import type { Outcome, Scenario, World } from '../scenario.ts';

export const pathTraversal: Scenario = {
  name: 'path-traversal',
  what: 'a document named ../../proc/self/environ shows the credentials of the function',
  starts: 'request',
  hosts: [],
  run,
};

async function run(world: World): Promise<Outcome> {
  const agent = world.agent();
  const answer = await world.call('GET', `/library/${encodeURIComponent('../../proc/self/environ')}`, { agent });
  if (!String(answer.body.text).includes('AWS_SECRET_ACCESS_KEY=')) throw new Error(`no secret was shown: ${answer.status}`);

  const truth = new Truth().asks('the traversal', 'library', answer, agent).file('library', '/proc/self/environ');
  return { fact: { what: 'request', q: answer.requestId }, entries: [answer.requestId], steps: truth.steps };
}
