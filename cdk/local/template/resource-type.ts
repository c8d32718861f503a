import type { Services } from '../services.ts';
import type { StackArtifact } from './assembly.ts';
import { TemplateError, type Where } from './problem.ts';
import type { Created } from './resolver.ts';

/**
 * What is accepted of a property: `true` = anything, and it has its effect; a text = accepted without effect, for that reason;
 * a map = an object with these properties; a list of one = a list of these. Anything not named is refused.
 */
export type Shape = true | string | readonly [Shape] | { readonly [property: string]: Shape };
export type Properties = { readonly [property: string]: Shape };

/** A resource whose properties are resolved and checked. */
export interface Resource {
  readonly logicalId: string;
  readonly type: string;
  readonly properties: Readonly<Record<string, unknown>>;
  readonly metadata: Readonly<Record<string, unknown>>;
  readonly where: Where;
  readonly stack: StackArtifact;
  readonly services: Services;
  /** The physical name: the one given, or `<stack>-<logical id>-<random>` cut to `maxLength`. */
  name(given: unknown, maxLength?: number): string;
  /** Where a property stands, for errors. */
  at(property: string): Where;
}

/** One supported resource type. */
export interface ResourceType {
  readonly type: string;
  readonly properties: Properties;
  create(resource: Resource): Created | Promise<Created>;
}

function check(value: unknown, shape: Shape, where: Where, type: string): void {
  if (shape === true || typeof shape === 'string' || value === undefined || value === null) return;
  if (isList(shape)) {
    if (!Array.isArray(value)) throw new TemplateError(where, `a list was expected, not ${JSON.stringify(value)}.`);
    for (const [index, one] of value.entries())
      check(one, shape[0], { ...where, property: `${where.property}.${index}` }, type);
    return;
  }
  if (typeof value !== 'object') throw new TemplateError(where, `an object was expected, not ${JSON.stringify(value)}.`);
  checkProperties(value as Record<string, unknown>, shape, where, type);
}

const isList = (shape: Shape): shape is readonly [Shape] => Array.isArray(shape);

/** Throws TemplateError for the first property that `shape` does not name. */
export function checkProperties(value: Readonly<Record<string, unknown>>, shape: Properties, where: Where, type: string): void {
  for (const [name, one] of Object.entries(value)) {
    const at = { ...where, property: where.property === undefined ? name : `${where.property}.${name}` };
    const accepted = Object.hasOwn(shape, name) ? shape[name] : undefined;
    if (accepted === undefined)
      throw new TemplateError(
        at,
        `the property is not supported locally by ${type}. Supported here: ${Object.keys(shape).join(', ')}. Leave it out for local runs, e.g. depending on a context value.`,
      );
    check(one, accepted, at, type);
  }
}

/** Text property; throws TemplateError when it is missing or no text. */
export function text(resource: Resource, property: string): string {
  const value = resource.properties[property];
  if (typeof value === 'string') return value;
  throw new TemplateError(
    resource.at(property),
    value === undefined ? 'is required.' : `must be text, not ${JSON.stringify(value)}.`,
  );
}

/** Number property (CloudFormation accepts numbers as text too); `fallback` when it is missing. */
export function number(resource: Resource, property: string, fallback: number): number {
  const value = resource.properties[property];
  if (value === undefined) return fallback;
  const read = Number(value);
  if (Number.isFinite(read)) return read;
  throw new TemplateError(resource.at(property), `must be a number, not ${JSON.stringify(value)}.`);
}

/** CloudFormation accepts `"true"` for true. */
export const flag = (value: unknown): boolean => value === true || value === 'true';

export const objects = (value: unknown): Record<string, unknown>[] =>
  Array.isArray(value) ? (value as Record<string, unknown>[]) : [];
export const object = (value: unknown): Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Record<string, unknown>) : {};
