import { request } from 'node:https';

/** Milliseconds that a partner's server may take. */
const patience = 5_000;

/**
 * Tells one address about an announcement.
 * @returns the partner's status code. @throws Error when it could not be reached in time.
 */
export function tell(address: string, announcement: unknown): Promise<number> {
  const body = Buffer.from(JSON.stringify(announcement));
  return new Promise((resolve, reject) => {
    // A connection of its own: one kept open would be dead after the environment was frozen for a while.
    const call = request(address, {
      method: 'POST',
      agent: false,
      timeout: patience,
      headers: { 'content-type': 'application/json', 'content-length': body.length },
    });
    call.on('response', (response) => {
      response.resume();
      response.on('end', () => resolve(response.statusCode ?? 0));
      response.on('error', reject);
    });
    call.on('timeout', () => call.destroy(new Error(`${address} did not answer within ${patience} ms`)));
    call.on('error', reject);
    call.end(body);
  });
}
