import type { Template } from './assembly.ts';
import { TemplateError } from './problem.ts';

/** Bootstrap version that CDK's check wants at least; nothing of it is used locally. */
const BOOTSTRAP_PARAMETER = '/cdk-bootstrap/';
const BOOTSTRAP_VERSION = '21';

/**
 * Values of the template's parameters: their defaults, or what the parameter store has under them. Throws TemplateError for one that
 * has none.
 */
export function parameterValues(stack: string, template: Template, store: ReadonlyMap<string, string>): Map<string, string> {
  const values = new Map<string, string>();
  for (const [name, parameter] of Object.entries(template.Parameters ?? {})) {
    const where = { stack, logicalId: name };
    if (parameter.Default === undefined)
      throw new TemplateError(where, 'the parameter has no default, and parameters cannot be given locally; set a default.');
    const value = String(parameter.Default);
    if (parameter.Type?.startsWith('AWS::SSM::') !== true) values.set(name, value);
    else if (value.startsWith(BOOTSTRAP_PARAMETER)) values.set(name, BOOTSTRAP_VERSION);
    else {
      const stored = store.get(value);
      if (stored === undefined)
        throw new TemplateError(
          where,
          `the parameter reads ${value} from Parameter Store, where no stack before this one puts it; run that stack as well, or give the value itself.`,
        );
      values.set(name, stored);
    }
  }
  return values;
}
