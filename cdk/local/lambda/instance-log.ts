/** Where the log lines of one instance go: a file, the engine's listener, the tail of the request being served. */
import { createWriteStream, mkdirSync, type WriteStream } from 'node:fs';
import { join } from 'node:path';
import type { Invocation } from './invocation.ts';

export class InstanceLog {
  /** The request whose tail gets the lines, while there is one. */
  invocation: Invocation | undefined;
  readonly #file: WriteStream | undefined;
  readonly #onLine: (line: string) => void;

  constructor(instanceId: string, logDir: string | undefined, onLine: (line: string) => void) {
    this.#onLine = onLine;
    if (logDir !== undefined) {
      mkdirSync(logDir, { recursive: true });
      this.#file = createWriteStream(join(logDir, `${instanceId}.log`), { flags: 'a' });
    }
  }

  write(line: string): void {
    this.#file?.write(`${line}\n`);
    this.#onLine(line);
    this.invocation?.logLine(line);
  }

  close(): Promise<void> {
    const file = this.#file;
    if (file === undefined) return Promise.resolve();
    return new Promise((resolve) => file.end(() => resolve()));
  }
}
