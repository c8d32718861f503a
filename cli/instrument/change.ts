/** Shows what would change of functions, and with `--apply` changes it. */
import { NOTHING_FOUND } from '../command.ts';
import { jsonOf, print } from '../print.ts';
import { plural, safe } from '../screen.ts';
import type { Applied, Functions } from './functions.ts';
import { type Deployed, differences, type Plan } from './plan.ts';

export const changeOptions = {
  apply: { type: 'boolean', says: 'make the changes; without it they are only shown' },
  json: { type: 'boolean', says: 'print the result as one JSON object' },
} as const;

interface Task {
  readonly deployed: Deployed;
  readonly plan: Plan;
  readonly policy: Applied['policy'];
}

interface Told {
  readonly function: string;
  readonly result: 'changed' | 'would change' | 'unchanged' | 'refused' | 'failed';
  readonly changes?: readonly string[];
  readonly why?: string;
}

/** Resolves to the exit code: 1 when something was refused or failed. */
export async function change(
  functions: Functions,
  tasks: readonly Task[],
  form: { apply: boolean; json: boolean },
): Promise<number> {
  const told: Told[] = [];
  for (const task of tasks) {
    const one = await carryOut(functions, task, form.apply);
    told.push(one);
    if (!form.json) await print(linesOf(one));
  }
  const count = (result: Told['result']) => told.filter((one) => one.result === result).length;
  if (form.json) await print([jsonOf({ functions: told })]);
  else if (tasks.length === 0) process.stderr.write('no function is meant\n');
  else await print(summary(count));
  if (tasks.length === 0) return NOTHING_FOUND;
  return count('failed') + count('refused') > 0 ? 1 : 0;
}

async function carryOut(functions: Functions, { deployed, plan, policy }: Task, apply: boolean): Promise<Told> {
  const name = deployed.name;
  if (plan.kind !== 'change') {
    try {
      // The key may be new, or somebody took the policy away.
      if (plan.instrumented && apply && policy !== null && 'document' in policy) await functions.allow(policy);
    } catch (cause) {
      return { function: name, result: 'failed', why: cause instanceof Error ? cause.message : String(cause) };
    }
    return { function: name, result: plan.kind === 'none' ? 'unchanged' : 'refused', why: plan.why };
  }
  const changes = [...differences(plan.before, plan.after), ...policyLines(policy)];
  if (!apply) return { function: name, result: 'would change', changes };
  try {
    await functions.apply(deployed, { configuration: plan.after, tags: plan.tags, policy });
    return { function: name, result: 'changed', changes };
  } catch (cause) {
    return { function: name, result: 'failed', changes, why: cause instanceof Error ? cause.message : String(cause) };
  }
}

function policyLines(policy: Applied['policy']): readonly string[] {
  if (policy === null) return [];
  if ('remove' in policy) return [`- policy    ${policy.remove.name} of the role ${policy.remove.role}`];
  const line = `+ policy    ${policy.name} of the role ${policy.role}:`;
  return [
    `${line} s3:PutObject ${policy.resource}`,
    `${line} never s3:PutObject ${policy.denied}`,
    ...(policy.key === undefined ? [] : [`${line} kms:GenerateDataKey ${policy.key}, through S3`]),
  ];
}

function linesOf({ function: name, result, changes = [], why }: Told): readonly string[] {
  return [`${safe(name)}: ${result}${why === undefined ? '' : `: ${safe(why)}`}`, ...changes.map((line) => `  ${safe(line)}`)];
}

function summary(count: (result: Told['result']) => number): readonly string[] {
  const results = ['changed', 'would change', 'unchanged', 'refused', 'failed'] as const;
  const parts = results.filter((one) => count(one) > 0).map((one) => `${count(one)} ${one}`);
  const total = results.reduce((sum, one) => sum + count(one), 0);
  const dry = count('would change') > 0;
  return [
    '',
    `${plural(total, 'function')}: ${parts.join(', ')}.${dry ? ' Nothing was changed; --apply makes the changes.' : ''}`,
  ];
}
