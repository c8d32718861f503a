import { readFileSync } from 'node:fs';

/** One TCP socket as /proc/net/tcp or tcp6 shows it (proc(5)). */
export interface TcpRow {
  readonly localPort: number;
  readonly peer: { readonly addr: string; readonly port: number };
  /** `established`, `listening`, or the kernel's number for another state, in hex. */
  readonly state: string;
  readonly inode: string;
}

const STATES: Readonly<Record<string, string>> = { '01': 'established', '0A': 'listening' };

/** `0100007F` is 127.0.0.1: words of the machine's own byte order, which is little endian on both of Lambda's architectures. */
function address(hex: string): string {
  const bytes = Buffer.from(hex, 'hex');
  for (let at = 0; at + 4 <= bytes.length; at += 4) bytes.subarray(at, at + 4).reverse();
  if (bytes.length === 4) return bytes.join('.');
  if (bytes.subarray(0, 10).every((byte) => byte === 0) && bytes.readUInt16BE(10) === 0xffff)
    return bytes.subarray(12).join('.');
  const groups = Array.from({ length: 8 }, (_, i) => bytes.readUInt16BE(2 * i).toString(16));
  return new URL(`http://[${groups.join(':')}]`).hostname.slice(1, -1);
}

const ROW = /^ *\d+: [0-9A-F]+:([0-9A-F]{4}) ([0-9A-F]+):([0-9A-F]{4}) ([0-9A-F]{2}) \S+ \S+ \S+ +(\d+) +\d+ +(\d+) /;

/** Sockets of this user that some process has open. Reads two files of the kernel; what is not there counts as empty. */
export function tcpSockets(isNews: (inode: string) => boolean): TcpRow[] {
  const rows: TcpRow[] = [];
  const uid = `${process.getuid?.() ?? 0}`;
  for (const file of ['/proc/self/net/tcp', '/proc/self/net/tcp6']) {
    let text = '';
    try {
      text = readFileSync(file, 'latin1');
    } catch {
      // No IPv6, or /proc hidden.
    }
    for (const line of text.split('\n')) {
      const match = ROW.exec(line);
      if (!match) continue;
      const [, localPort = '', addr = '', port = '', state = '', owner, inode = '0'] = match;
      if (owner !== uid || inode === '0' || !isNews(inode)) continue;
      rows.push({
        localPort: Number.parseInt(localPort, 16),
        peer: { addr: address(addr), port: Number.parseInt(port, 16) },
        state: STATES[state] ?? state,
        inode,
      });
    }
  }
  return rows;
}
