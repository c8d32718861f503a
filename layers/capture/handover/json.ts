/** Careful access to JSON that somebody else wrote. */

export type Json = { readonly [name: string]: unknown };

export const isObject = (value: unknown): value is Json => typeof value === 'object' && value !== null && !Array.isArray(value);

/** The object at the end of a path of property names; an empty one when the path leads nowhere. */
export function at(value: unknown, ...path: readonly string[]): Json {
  let here: unknown = value;
  for (const name of path) here = isObject(here) && Object.hasOwn(here, name) ? here[name] : undefined;
  return isObject(here) ? here : {};
}

export const text = (value: unknown): string | undefined => (typeof value === 'string' && value !== '' ? value : undefined);

/** The elements that are objects; nothing of what is not an array. `limit` bounds the work. */
export const objects = (value: unknown, limit = 2000): Json[] =>
  Array.isArray(value) ? value.slice(0, limit).filter(isObject) : [];

/** The object that a JSON text holds, or undefined. */
export function parseObject(source: string | undefined): Json | undefined {
  if (source === undefined || !/^\s*\{/.test(source)) return undefined;
  try {
    const value: unknown = JSON.parse(source);
    return isObject(value) ? value : undefined;
  } catch {
    return undefined; // Not JSON after all: there is nothing to find in it.
  }
}

/** Last part of an ARN or URL: `arn:aws:sqs:…:orders` and `https://…/123/orders` are both called `orders`. */
export const lastName = (arnOrUrl: unknown): string | undefined =>
  text(arnOrUrl)
    ?.split(/[/:]/)
    .findLast((part) => part !== '');
