import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { createAuthority } from '../../examples/hello-retail/attack/certificates.ts';

const HOST = 'partner.example';
const ITEM = JSON.stringify({ item: 'x'.repeat(2000) });

/** A service on the internet, with HTTPS. */
export interface Partner {
  readonly url: string;
  readonly hosts: Readonly<Record<string, string>>;
  readonly caPem: string;
  stop(): Promise<void>;
}

/**
 * @param address of the loopback network, but not 127.0.0.1, which stands for the instance itself
 * @param latencyMs added to every answer
 */
export async function startPartner(address: string, port: number, latencyMs: () => number): Promise<Partner> {
  const authority = await createAuthority('Bench Public Authority');
  const server = createServer({ ...(await authority.issue(HOST, address)), keepAlive: true }, async (_request, response) => {
    if (latencyMs() > 0) await sleep(latencyMs());
    response.writeHead(200, { 'content-type': 'application/json' }).end(ITEM);
  });
  server.keepAliveTimeout = 60_000;
  await new Promise<void>((resolve, reject) => server.once('error', reject).listen(port, address, resolve));
  const actual = (server.address() as AddressInfo).port;
  return {
    url: `https://${HOST}:${actual}`,
    hosts: { [HOST]: address },
    caPem: authority.cert,
    async stop() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
