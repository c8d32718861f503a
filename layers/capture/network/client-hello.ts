/** What a TLS ClientHello says about where it wants to go (RFC 8446 4.1.2). */
export interface ClientHello {
  readonly sni?: string;
  readonly alpn: readonly string[];
}

const HANDSHAKE_RECORD = 0x16;
const CLIENT_HELLO = 1;
const SERVER_NAME = 0;
const ALPN = 16;
/** Real ones are below 3 KiB even with post-quantum key shares. */
const MAX_HELLO = 65_536;

/** Thrown inside the parser when it runs off the end: the hello has not arrived completely. */
class Incomplete extends Error {}

class Reader {
  private at = 0;
  private readonly bytes: Buffer;
  constructor(bytes: Buffer) {
    this.bytes = bytes;
  }
  get left(): number {
    return this.bytes.length - this.at;
  }
  take(length: number): Buffer {
    if (this.left < length) throw new Incomplete();
    this.at += length;
    return this.bytes.subarray(this.at - length, this.at);
  }
  uint(width: 1 | 2 | 3): number {
    return this.take(width).readUIntBE(0, width);
  }
  vector(width: 1 | 2 | 3): Reader {
    return new Reader(this.take(this.uint(width)));
  }
}

/** Joins the handshake records that the hello is spread over. */
function handshakeBytes(bytes: Buffer): Buffer {
  const reader = new Reader(bytes);
  const fragments: Buffer[] = [];
  while (reader.left >= 5 && reader.uint(1) === HANDSHAKE_RECORD) {
    reader.take(2);
    const length = reader.uint(2);
    fragments.push(reader.take(Math.min(length, reader.left)));
  }
  return Buffer.concat(fragments);
}

/**
 * Reads the client's first flight. `'more'`: not all there yet; undefined: no ClientHello we understand.
 * Never throws, whatever the bytes are.
 */
export function readClientHello(bytes: Buffer): ClientHello | 'more' | undefined {
  try {
    const handshake = new Reader(handshakeBytes(bytes));
    if (handshake.uint(1) !== CLIENT_HELLO) return undefined;
    const hello = handshake.vector(3);
    hello.take(2 + 32); // version, random
    hello.vector(1); // session id
    hello.vector(2); // cipher suites
    hello.vector(1); // compression methods
    return hello.left > 0 ? readExtensions(hello.vector(2)) : { alpn: [] };
  } catch (error) {
    if (!(error instanceof Incomplete)) throw error;
    return bytes.length < MAX_HELLO ? 'more' : undefined;
  }
}

function readExtensions(extensions: Reader): ClientHello {
  let sni: string | undefined;
  const alpn: string[] = [];
  while (extensions.left > 0) {
    const type = extensions.uint(2);
    const data = extensions.vector(2);
    if (type === SERVER_NAME) {
      const names = data.vector(2);
      if (names.uint(1) === 0) sni = names.take(names.uint(2)).toString('latin1').toLowerCase();
    } else if (type === ALPN) {
      const protocols = data.vector(2);
      while (protocols.left > 0) alpn.push(protocols.take(protocols.uint(1)).toString('latin1'));
    }
  }
  return sni === undefined ? { alpn } : { sni, alpn };
}
