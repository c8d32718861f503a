import { randomInt } from 'node:crypto';
import { createServer } from 'node:net';

/**
 * Ports to choose from: below those that Linux gives to connections that go out (`ip_local_port_range`, from 32768 by default), so
 * that none of these takes the port before it is listened on.
 */
const [FIRST, END] = [16_384, 32_768];
const TRIES = 50;

/** A port of 127.0.0.1 that nobody listens on now, and that is given to nobody who does not ask for it. */
export async function freePort(): Promise<number> {
  for (let tries = 1; ; tries++) {
    const port = randomInt(FIRST, END);
    try {
      await listenOnce(port);
      return port;
    } catch (error) {
      if (tries === TRIES) throw error;
    }
  }
}

function listenOnce(port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', reject);
    server.listen(port, '127.0.0.1', () => server.close(() => resolve()));
  });
}
