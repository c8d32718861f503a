import { located, serviceOptions } from './aws.ts';
import { command } from './command.ts';
import { change, changeOptions } from './instrument/change.ts';
import { policyOf, uninstrumentPlan } from './instrument/plan.ts';
import { selected, selectOptions, selectText } from './instrument/select.ts';

export default command({
  usage: ['<function>… [options]', '--all [options]'],
  positionals: [0, 1000],
  options: {
    ...selectOptions,
    'no-policy': { type: 'boolean', says: 'leave the roles alone' },
    ...changeOptions,
    ...serviceOptions,
  },
  text: `${selectText}
Takes back what \`alastor instrument\` did: layer, variables, tags, policy. What was changed by others since stays. Shows what it
would change; --apply changes it. The evidence stays in the bucket.`,
  examples: ['--all           # shows what would change', "'shop-*' --apply"],
  exits: '0 done or shown, 1 a function was refused or failed, 2 wrong arguments, 3 no function is meant',
  async run(values, names) {
    const { all, except, apply, json, 'no-policy': without, ...aws } = located(values, {});
    const { Functions } = await import('./instrument/functions.ts');
    const functions = new Functions(aws);
    const found = await selected(functions, { names, all, except });
    const tasks = found.map((deployed) => ({
      ...{ deployed, plan: uninstrumentPlan(deployed) },
      policy: without ? null : { remove: policyOf(deployed) },
    }));
    return change(functions, tasks, { apply, json });
  },
});
