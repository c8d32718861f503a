import { quietly } from './quietly.ts';

type Method = (this: never, ...args: unknown[]) => unknown;

/** Puts another function in the place of a method, inherited or own, so that it looks the same from outside. */
export function replace(target: object, name: string | symbol, make: (old: Method) => Method): void {
  const old = (target as Record<string | symbol, unknown>)[name];
  if (typeof old !== 'function') return;
  const value = make(old as Method);
  Object.defineProperty(value, 'name', { value: old.name, configurable: true });
  Object.defineProperty(value, 'length', { value: old.length, configurable: true });
  const descriptor = Object.getOwnPropertyDescriptor(target, name) ?? { configurable: true, writable: true, enumerable: false };
  Object.defineProperty(target, name, { ...descriptor, value });
}

/** Lets `before` see every call of a method, with the object and the first two arguments. */
export function wrap<This>(target: object, name: string, before: (self: This, first: unknown, second: unknown) => void): void {
  replace(
    target,
    name,
    (old) =>
      function (this: never, ...args) {
        quietly(() => before(this, args[0], args[1]));
        return old.apply(this, args);
      },
  );
}
