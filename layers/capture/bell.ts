import { closeSync, constants, fstatSync, openSync } from 'node:fs';
import { Socket } from 'node:net';
import { log } from './log.ts';

/**
 * The named pipe beside the ring into which a shim puts a byte when the ring should be read at once: after something was said to
 * the Runtime API, and when it fills up. Without it the ring is read at intervals, which is later but not less.
 */
export class Bell {
  readonly #socket: Socket;

  private constructor(fd: number, onRing: () => void) {
    this.#socket = new Socket({ fd, readable: true, writable: false });
    this.#socket.on('data', onRing);
    this.#socket.on('error', (error) => log('the bell of the ring failed', error));
    this.#socket.unref();
  }

  /** Undefined when there is no such pipe. It is made before the function's first process could put something in its place. */
  static hang(path: string, onRing: () => void): Bell | undefined {
    let fd: number | undefined;
    try {
      // For writing too, or there would be an end of file whenever the last shim has closed it.
      fd = openSync(path, constants.O_RDWR | constants.O_NONBLOCK | constants.O_NOFOLLOW);
      if (fstatSync(fd).isFIFO()) return new Bell(fd, onRing);
      throw new Error(`${path} is not a named pipe`);
    } catch (error) {
      if (fd !== undefined) closeSync(fd);
      log('the ring has no bell', error);
      return undefined;
    }
  }

  close(): void {
    this.#socket.destroy();
  }
}
