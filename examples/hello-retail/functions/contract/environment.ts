/** Value of an environment variable that the stack sets. @throws Error naming the variable when the stack did not. */
export function required(name: string): string {
  const value = process.env[name];
  if (!value) throw new Error(`The environment variable ${name} is not set: stack.ts must pass it to this function.`);
  return value;
}
