import type { BusEvent } from '../../delivery.ts';

/** How a rule's target wants its event. At most one is set; none means the event as it is. */
export interface TargetInput {
  readonly input?: string;
  readonly inputPath?: string;
  readonly transformer?: { readonly paths: Readonly<Record<string, string>>; readonly template: string };
}

export interface RuleNames {
  readonly name: string;
  readonly arn: string;
}

/** `$.detail.items[0].id`, `$['a b']`: the JSON paths EventBridge accepts. Undefined when there is nothing there. */
export function jsonPath(path: string, event: unknown): unknown {
  const steps = [...path.replace(/^\$/, '').matchAll(/\.([^.[\]]+)|\[(\d+)\]|\['([^']+)'\]/g)].map(
    (match) => match[1] ?? match[2] ?? match[3] ?? '',
  );
  return steps.reduce<unknown>(
    (value, step) => (typeof value === 'object' && value !== null ? (value as Record<string, unknown>)[step] : undefined),
    event,
  );
}

/**
 * Fills `<name>` in a template. Between quotes text goes in bare; elsewhere a value goes in as JSON, and text of a template
 * that is no JSON goes in bare. A path that finds nothing gives an empty string, as EventBridge does.
 */
function transform(template: string, value: (name: string) => unknown): string {
  const jsonTemplate = /^\s*[{["]/.test(template);
  let quoted = false;
  return template.replace(/\\.|"|<([A-Za-z0-9_.-]+)>/g, (piece, name?: string) => {
    if (piece === '"') quoted = !quoted;
    if (name === undefined) return piece;
    const found = value(name);
    if (quoted)
      return JSON.stringify(typeof found === 'string' ? found : found === undefined ? '' : JSON.stringify(found)).slice(1, -1);
    if (!jsonTemplate && typeof found === 'string') return found;
    return JSON.stringify(found ?? '');
  });
}

/** Payload that a target gets for an event. */
export function targetPayload(target: TargetInput, event: BusEvent, rule: RuleNames): string {
  if (target.input !== undefined) return target.input;
  if (target.inputPath !== undefined) return JSON.stringify(jsonPath(target.inputPath, event) ?? null);
  if (target.transformer === undefined) return JSON.stringify(event);
  const { paths, template } = target.transformer;
  const reserved: Record<string, () => unknown> = {
    'aws.events.rule-arn': () => rule.arn,
    'aws.events.rule-name': () => rule.name,
    'aws.events.event.ingestion-time': () => event.time,
    'aws.events.event': () => ({ ...event, detail: undefined }),
    'aws.events.event.json': () => event,
  };
  return transform(template, (name) => (paths[name] === undefined ? reserved[name]?.() : jsonPath(paths[name], event)));
}
