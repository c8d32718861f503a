import { createSocket } from 'node:dgram';

/** A name server of the attacker's, over UDP: keeps every name that it is asked for and knows none of them. */
export interface NameServer {
  readonly port: number;
  readonly names: readonly string[];
  stop(): Promise<void>;
}

/** On port 53 where the system lets us, else on any. Messages: RFC 1035, section 4. */
export async function startNameServer(address: string): Promise<NameServer> {
  const names: string[] = [];
  const bind = async (port: number) => {
    const socket = createSocket('udp4');
    await new Promise<void>((done, fail) => socket.once('error', fail).bind(port, address, done));
    socket.on('message', (query, from) => {
      names.push(nameIn(query));
      const answer = Buffer.from(query);
      // QR, AA and NXDOMAIN; the question stays, whatever else it had goes.
      answer.writeUInt16BE(0x8403, 2);
      answer.fill(0, 6, 12);
      socket.send(answer.subarray(0, questionEnd(query)), from.port, from.address);
    });
    return socket;
  };
  const socket = await bind(53).catch(() => bind(0));
  return {
    port: socket.address().port,
    names,
    stop: () => new Promise((done) => socket.close(() => done())),
  };
}

function nameIn(query: Buffer): string {
  const labels: string[] = [];
  for (let at = 12; (query[at] ?? 0) > 0; at += 1 + (query[at] ?? 0))
    labels.push(query.subarray(at + 1, at + 1 + (query[at] ?? 0)).toString('latin1'));
  return labels.join('.');
}

/** After the name's last byte come type and class. */
function questionEnd(query: Buffer): number {
  let at = 12;
  while ((query[at] ?? 0) > 0) at += 1 + (query[at] ?? 0);
  return at + 5;
}
