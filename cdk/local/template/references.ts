import type { Template, TemplateResource } from './assembly.ts';
import { TemplateError } from './problem.ts';

/** Logical ids that a value refers to by Ref, Fn::GetAtt or Fn::Sub. */
export function references(value: unknown, found = new Set<string>()): Set<string> {
  if (Array.isArray(value)) for (const one of value) references(one, found);
  else if (typeof value === 'object' && value !== null)
    for (const [key, one] of Object.entries(value)) {
      if (key === 'Ref' && typeof one === 'string') found.add(one);
      else if (key === 'Fn::GetAtt') found.add(Array.isArray(one) ? String(one[0]) : (String(one).split('.')[0] ?? ''));
      else if (key === 'Fn::Sub') {
        const text = Array.isArray(one) ? String(one[0]) : String(one);
        for (const match of text.matchAll(/\$\{([^!}][^}]*)\}/g)) found.add((match[1] ?? '').split('.')[0] ?? '');
        references(one, found);
      } else references(one, found);
    }
  return found;
}

function dependencies(resource: TemplateResource): Set<string> {
  const { DependsOn: on = [] } = resource;
  const found = references(resource.Properties);
  for (const id of typeof on === 'string' ? [on] : on) found.add(id);
  return found;
}

/** Logical ids so that what a resource needs comes before it. Throws TemplateError on a circle, naming its members. */
export function creationOrder(stack: string, template: Template): string[] {
  const resources = template.Resources ?? {};
  const order: string[] = [];
  const state = new Map<string, 'open' | 'done'>();
  const visit = (id: string, path: readonly string[]): void => {
    const resource = resources[id];
    if (resource === undefined || state.get(id) === 'done') return;
    if (state.get(id) === 'open')
      throw new TemplateError(
        { stack, logicalId: id },
        `circular dependency: ${[...path.slice(path.indexOf(id)), id].join(' → ')}.`,
      );
    state.set(id, 'open');
    for (const needed of dependencies(resource)) visit(needed, [...path, id]);
    state.set(id, 'done');
    order.push(id);
  };
  for (const id of Object.keys(resources)) visit(id, []);
  return order;
}
