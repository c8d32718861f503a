import type { Evidence } from './answers.ts';
import { apiOptions, connect } from './api.ts';
import { command } from './command.ts';
import { formOptions, jsonOf, print, warn } from './print.ts';
import { iso, line, safe, screenOf, wrap } from './screen.ts';
import { UsageError } from './usage.ts';

export default command({
  usage: ['<segment>#<number> [options]'],
  positionals: [1, 1],
  options: { json: formOptions.json, ...apiOptions },
  text: `A record as the instance wrote it, and whether its segment still has the digest that was noted when it was stitched.
\`alastor story --evidence\` names the records behind each step. Exit code 1 when the segment is not as it was.`,
  examples: ['"segments/checkout/$INSTANCE/000000000107-000000000138.ndjson.zst#123"'],
  exits: '0 as it was stitched, 1 altered or failed, 2 wrong arguments, 130 interrupted',
  async run(values, [which = '']) {
    const [, segment, seq] = /^(.+)#(\d{1,15})$/s.exec(which) ?? [];
    if (segment === undefined)
      throw new UsageError(`"${safe(which, 200)}" is not <segment>#<number>, as --evidence names records`);
    const api = await connect(values);
    const answer = await api.get<Evidence>('evidence', { segment, seq }, ['cut'], 'reading the segment');
    if (values.json) await print([jsonOf(answer)]);
    else {
      const screen = screenOf(process.stdout);
      const { verified, sha256, stitched, received, header, record } = answer;
      await print([
        line(
          screen,
          verified
            ? { text: 'verified: the segment is as it was stitched', style: 'green' }
            : { text: 'NOT verified', style: 'red' },
        ),
        line(screen, `SHA-256   ${sha256}`),
        ...(verified ? [] : [line(screen, `stitched  ${safe(stitched ?? 'no digest was noted')}`)]),
        line(screen, `stored    ${iso(received)}`),
        line(screen, `written   ${iso(record.t)} by ${safe(header.fn)}, instance ${safe(header.instanceId)}`),
        ...Object.entries(record).flatMap(([name, value]) => wrap(screen, `${safe(name)}: ${jsonOf(value)}`, '    ', '  ')),
      ]);
      warn('evidence', answer.cut);
    }
    return answer.verified ? 0 : 1;
  },
});
