/** Which functions a command is for. */
import { UsageError } from '../usage.ts';
import type { Functions } from './functions.ts';
import type { Deployed } from './plan.ts';

export const selectOptions = {
  all: { type: 'boolean', says: 'all functions of the account and region' },
  except: { type: 'string', value: 'names', says: 'not these: names or patterns with *, separated by commas' },
} as const;

export const selectText = `Functions are given by name, or by a pattern where * is any run of characters: 'shop-*'.`;

interface Selection {
  readonly names: readonly string[];
  readonly all: boolean;
  readonly except: string | undefined;
}

/** Reads the functions that are meant. @throws UsageError when nothing says which, Error for a name that is no function */
export async function selected(functions: Functions, { names, all, except = '' }: Selection): Promise<readonly Deployed[]> {
  if (all === names.length > 0) throw new UsageError('give names or patterns of functions, or --all');
  for (const name of names) {
    if (!/^[A-Za-z0-9_*-]{1,140}$/.test(name))
      throw new UsageError(`"${name}" is neither a function's name nor a pattern of such`);
  }
  const excluded = except.split(',').filter((one) => one !== '');
  const patterned = all || names.some((name) => name.includes('*'));
  const known = patterned ? await functions.names() : [];
  const meant = names.flatMap((name) => {
    if (!name.includes('*')) return [name];
    return known.filter(pattern(name));
  });
  const chosen = [...new Set(all ? known : meant)].filter((name) => !excluded.some((one) => pattern(one)(name)));
  const found: Deployed[] = [];
  for (const name of chosen) found.push(await functions.read(name));
  return found;
}

function pattern(text: string): (name: string) => boolean {
  const parts = text.split('*');
  return (name) => {
    const [first = '', ...rest] = parts;
    if (rest.length === 0) return name === first;
    if (!name.startsWith(first)) return false;
    let at = first.length;
    const last = rest.pop() ?? '';
    for (const part of rest) {
      const found = name.indexOf(part, at);
      if (found < 0) return false;
      at = found + part.length;
    }
    return name.length - last.length >= at && name.endsWith(last);
  };
}
