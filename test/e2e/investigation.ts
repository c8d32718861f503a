/**
 * Writes docs/investigate.md: an investigation of the demo's first attack, from one address to the whole story, with what the
 * commands really print. `node test/e2e/investigation.ts`; takes a minute or two.
 */
import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Explanation, Trace } from '../../cli/answers.ts';
import { ALASTOR, alastor, inTerminal, uncoloured } from '../cli/terminal.ts';

const COLUMNS = 100;
/** The same random choices each time: what differs are ids and times. */
const SEED = '7';

const runtime = mkdtempSync(join(tmpdir(), 'alastor-investigation-'));
const env = { XDG_RUNTIME_DIR: runtime, ALASTOR_ENDPOINT: '' };

/** A command and its answer as a terminal shows it; `from`: how the first line begins that is worth the space, `most`: of how many. */
async function asked(args: readonly string[], { from = '', most = 200 } = {}): Promise<string> {
  const { code, out } = await inTerminal(args, { columns: COLUMNS, env });
  if (code !== 0) throw new Error(`alastor ${args.join(' ')} exited with ${code}: ${out}`);
  // What was said of progress was wiped away again.
  const kept = uncoloured(
    out
      .split('\r\x1b[2K')
      .filter((part) => !part.startsWith('… '))
      .join(''),
  );
  const lines = kept.replaceAll('\r\n', '\n').trimEnd().split('\n');
  const first = lines.findIndex((line) => line.startsWith(from));
  const shown = lines.slice(first, first + most);
  const left = lines.length - first - shown.length;
  const more = left > 0 ? [`… ${left} more lines`] : [];
  return ['```console', `$ alastor ${args.join(' ')}`, ...(first > 0 ? ['…'] : []), ...shown, ...more, '```'].join('\n');
}

async function json<T>(...args: string[]): Promise<T> {
  const { code, out, err } = await alastor([...args, '--json'], env);
  if (code !== 0) throw new Error(`alastor ${args.join(' ')} exited with ${code}: ${err}`);
  return JSON.parse(out) as T;
}

/** Where the first attack sent the cards, as somebody's blocklist would name it. */
async function start(host: string): Promise<string> {
  const { nodes } = await json<Trace>('trace', host, '--limit', '50');
  const addr = nodes.find((node) => node.kind === 'exchange' && node.host === host)?.addr;
  if (typeof addr !== 'string') throw new Error(`no exchange with ${host} tells its address`);
  return addr;
}

async function investigate(host: string): Promise<string> {
  const address = await start(host);
  const { reused, steps } = await json<Explanation>('story', host);
  const [left] = reused;
  const file = steps.find(({ node }) => node === left?.node);
  const writer = steps.find(
    ({ explains, requestId }) => requestId === left?.from && file && explains.includes(steps.indexOf(file)),
  );
  const record = writer?.evidence[0];
  if (left === undefined || file === undefined || record === undefined) throw new Error('nothing was reused');
  return `# An investigation, from one address to the whole story

A blocklist names an address: \`${address}\`. Has anything of ours talked to it? What follows is the demo's shop under attack
(\`npm run demo -- --keep\`), asked with the commands of [cli.md](cli.md); what they print is real (\`node test/e2e/investigation.ts\` writes this
page). Against a deployment, set \`ALASTOR_ENDPOINT\` to the stack's output \`<id>QueryUrl\`.

## Who talked to it?

${await asked(['search', address])}

One function did, in one request. What was looked for is found by its address; the name it went by is in the URL.

## What happened?

The story begins at the address and goes back to where the attack came in. First in short: who did what, in order of time.

${await asked(['story', address, '--short'])}

Two requests from outside, and between them nothing but a file that the first left in the container. The steps behind it, each with the
reason why it is there, the step that it led to (→), and the record that shows it:

${await asked(['story', address], { from: '═' })}

## Is that how this function behaves?

The request that left the file, against others of the same function and version:

${await asked(['deviation', left.from])}

It ran a program that no other request ran, spoke to a host that no other spoke to, and wrote a file that no other wrote.

## Was the container reused for it?

${await asked(['reuse', address])}

And who else was served by that container after the file had been loaded? \`inferred\` means that the process held the code; what it did with
it is not observed.

${await asked(['reuse', left.instanceId])}

## What may it have reached?

Everything downstream of the request that left the file, by kind; hosts and data first.

${await asked(['trace', left.from, '--reached'], { most: 30 })}

Three hosts of the attacker's, not one: further addresses to block, and to begin with again.

## What exactly did that request do?

${await asked(['graph', left.from])}

## Will it stand up?

The record behind a step, as the instance wrote it, and whether its segment is still what was stitched (\`alastor story --evidence\` names the
records of each step):

${await asked(['evidence', `${record.segment}#${record.seq}`])}

And the whole record of that instance: segments missing, swapped, altered, forged or cut off would show.

${await asked(['verify', '--function', file.function ?? '', '--instance', left.instanceId])}

For the report, a page that needs nothing else, and the observables for others:

    alastor export --format html --node endpoint:${host} --output story.html
    alastor export --format stix --node endpoint:${host} --output observables.json
`;
}

const demo = spawn(process.execPath, [ALASTOR, 'demo', '--keep', '--json', '--seed', SEED], {
  env: { ...process.env, ...env },
  stdio: ['ignore', 'pipe', 'pipe'],
});
const ended = new Promise<void>((resolve) => demo.once('exit', () => resolve()));
try {
  const host = await new Promise<string>((resolve, reject) => {
    let said = '';
    demo.once('exit', (code) => reject(new Error(`the demo ended with ${code}: ${said}`)));
    demo.stdout.resume();
    demo.stderr.setEncoding('utf8').on('data', (text: string) => {
      said += text;
      const found = /Still running[\s\S]*-- story (\S+)\n[\s\S]*-- requests\n/.exec(said)?.[1];
      if (found !== undefined) resolve(found);
    });
  });
  writeFileSync('docs/investigate.md', await investigate(host));
} finally {
  demo.kill('SIGINT');
  await ended;
  rmSync(runtime, { recursive: true, force: true });
}
