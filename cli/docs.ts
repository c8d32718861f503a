/** Writes docs/cli.md from the commands' own help: `node cli/docs.ts`. A test compares the two. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { helpOf } from './command.ts';
import { commands, find } from './commands.ts';

const HEAD = `# The command \`alastor\`

What each command's \`--help\` says (\`node cli/docs.ts\` writes this page). [investigate.md](investigate.md) shows them at work.

**How it is started.** \`npm run -s alastor -- <command>\` in a checkout; the one executable, below, anywhere else.

**Whom it asks.** \`--endpoint\`, else \`ALASTOR_ENDPOINT\`: the stack's output \`<id>QueryUrl\`. Requests are signed with the credentials that every AWS
tool would take (environment, \`--profile\`, SSO, container, instance), which must be allowed \`execute-api:Invoke\`; with \`ALASTOR_TOKEN\`
they carry that token instead, over HTTPS only. Without an endpoint it asks the engine that runs on this machine: \`alastor local\` and
\`alastor demo --keep\` leave a file with its address in \`$XDG_RUNTIME_DIR/alastor\` (or \`/tmp/alastor-<uid>\`), which only its user can
write.

**What it prints.** On a terminal trees and tables as wide as it is, with colours unless \`NO_COLOR\` is set; in a pipe whole lines without
colours, with times in full. \`--json\` prints what the API answers as one object, \`--ndjson\` one object a line. What was left out is told on
standard error, as is progress. Text from evidence is escaped: no control character, direction override or invisible character of an
attacker reaches the terminal, in JSON neither.

**Exit codes.** 0 found or done, 1 failed, 2 wrong arguments, 3 nothing found, 130 interrupted. Commands that differ say so.

**Three questions, one command each.** Does a request deviate from normal behaviour, and in what: \`alastor deviation <request>\`. What
happened: \`alastor story <what>\`. Was the container reused for the attack: \`alastor reuse <what>\`.

**Without Node.** \`npm run build:cli\` writes \`build/alastor\`, one executable for the machine it is built on; it has everything but
\`local\` and \`demo\`, which need the sources.
`;

export async function page(): Promise<string> {
  const parts: string[] = [HEAD];
  for (const name of Object.keys(commands)) {
    const named = await find(name);
    if (named !== undefined) parts.push(`## alastor ${name}\n\n\`\`\`text\n${helpOf(named)}\`\`\`\n`);
  }
  return parts.join('\n');
}

if (import.meta.main) writeFileSync(join(import.meta.dirname, '../docs/cli.md'), await page());
