import { log } from './log.ts';

export type Attempt = <T>(what: string, work: () => T | Promise<T>) => Promise<T | undefined>;

/** Starts parts of the capture, each of which may fail: the function runs without it, the log says so, and `failures` keeps it. */
export function attempts(failures: string[]): Attempt {
  return async (what, work) => {
    try {
      return await work();
    } catch (error) {
      log(`${what} could not be started; the function runs without it`, error);
      failures.push(`${what}: ${String(error)}`);
      return undefined;
    }
  };
}
