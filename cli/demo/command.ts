import { command } from '../command.ts';
import { whole } from '../usage.ts';

export default command({
  usage: ['[options]'],
  options: {
    json: { type: 'boolean', says: 'print one JSON object instead of the report' },
    keep: { type: 'boolean', says: 'leave everything running afterwards, until Ctrl-C: the other commands then ask it' },
    disorder: { type: 'boolean', says: 'deliver S3 notifications twice, late and out of order' },
    visitors: { type: 'string', value: 'n', says: 'ordinary visitors besides the attacks, 6 to 500 (default: 12)' },
    seed: { type: 'string', value: 'n', says: 'repeat the random choices of an earlier run' },
    log: { type: 'string', value: 'file', says: 'write what the functions print to a file' },
  },
  text: 'Audits Hello, Retail!, attacks it twice, and explains both attacks.',
  examples: ['', '--keep', '--json --seed 7'],
  exits: '0 both paths are complete and nothing was lost, 1 not so, 2 wrong arguments, 130 after Ctrl-C',
  endsItself: true,
  async run({ json, keep, disorder, log, ...asked }) {
    const seed = asked.seed === undefined ? Math.floor(Math.random() * 2 ** 31) : whole('--seed', asked.seed, 0, 2 ** 31);
    const visitors = asked.visitors === undefined ? 12 : whole('--visitors', asked.visitors, 6, 500);
    const { Demo } = await import('./main.ts');
    return new Demo({ json, keep, disorder, log, seed, visitors }).run();
  },
});
