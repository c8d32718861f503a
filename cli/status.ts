import { located, serviceOptions } from './aws.ts';
import { command, NOTHING_FOUND } from './command.ts';
import { stateOf } from './instrument/plan.ts';
import { selected, selectOptions, selectText } from './instrument/select.ts';
import { jsonOf, print } from './print.ts';
import { pad, safe } from './screen.ts';

export default command({
  usage: ['<function>… [options]', '--all [options]'],
  positionals: [0, 1000],
  options: {
    ...selectOptions,
    json: { type: 'boolean', says: 'print the result as one JSON object' },
    ...serviceOptions,
  },
  text: `${selectText}
instrumented: by \`alastor instrument\`; audited: by its own deployment; broken: instrumented, and something of it is gone, usually
because it was deployed anew; no: not audited. Needs lambda:GetFunctionConfiguration and ListTags, with patterns and --all
lambda:ListFunctions.`,
  examples: ['--all', "'shop-*' --json"],
  exits: '0 told, 1 a function is broken or the question failed, 2 wrong arguments, 3 no function is meant',
  async run(values, names) {
    const { all, except, json, ...aws } = located(values, {});
    const { Functions } = await import('./instrument/functions.ts');
    const found = await selected(new Functions(aws), { names, all, except });
    const told = found.map((one) => {
      const { state, why } = stateOf(one);
      const { name, runtime = 'image', variables, tags } = one;
      const [bucket, layer] = [variables.ALASTOR_BUCKET, tags['alastor:layer']];
      return { function: name, state, runtime, ...(why && { why }), ...(bucket && { bucket }), ...(layer && { layer }) };
    });
    if (json) await print([jsonOf({ functions: told })]);
    else {
      const width = Math.max(0, ...told.map((one) => one.function.length));
      await print(
        told.map((one) => `${pad(safe(one.function), width)}  ${pad(one.state, 12)}  ${safe(one.why ?? '')}`.trimEnd()),
      );
      if (told.length === 0) process.stderr.write('no function is meant\n');
    }
    if (told.length === 0) return NOTHING_FOUND;
    return told.some(({ state }) => state === 'broken') ? 1 : 0;
  },
});
