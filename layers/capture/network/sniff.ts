import { METHODS } from 'node:http';

/**
 * What a client's first bytes are.
 * - `tls`: a TLS handshake record.
 * - `http`: an HTTP/1 request in origin form, as sent to the server itself.
 * - `http-proxy`: CONNECT or absolute form: the client talks to a forward proxy, which must get to see exactly this.
 * - `h2c`: HTTP/2 without TLS.
 * - `other`: anything else. `more`: too few bytes to tell.
 */
export type Opening = 'tls' | 'http' | 'http-proxy' | 'h2c' | 'other' | 'more';

const H2_PREFACE = 'PRI * HTTP/2.0';
const LONGEST_METHOD = Math.max(...METHODS.map((method) => method.length));
const TLS_HANDSHAKE = 0x16;

export function sniff(bytes: Buffer): Opening {
  if (bytes.length === 0) return 'more';
  if (bytes[0] === TLS_HANDSHAKE) {
    if (bytes.length < 2) return 'more';
    return bytes[1] === 3 ? 'tls' : 'other';
  }
  const text = bytes.toString('latin1', 0, LONGEST_METHOD + 2);
  const space = text.indexOf(' ');
  if (space === -1) {
    const started = [...METHODS, 'PRI'].some((method) => method.startsWith(text));
    return started ? 'more' : 'other';
  }
  const method = text.slice(0, space);
  if (method === 'PRI') {
    if (bytes.length < H2_PREFACE.length) return H2_PREFACE.startsWith(bytes.toString('latin1')) ? 'more' : 'other';
    return bytes.toString('latin1', 0, H2_PREFACE.length) === H2_PREFACE ? 'h2c' : 'other';
  }
  if (!METHODS.includes(method)) return 'other';
  if (method === 'CONNECT') return 'http-proxy';
  // The target tells HTTP from text protocols with the same verbs (`GET key` of inline Redis is none of ours).
  const target = text[space + 1];
  if (target === undefined) return 'more';
  if (target === '/' || target === '*') return 'http';
  return target === 'h' || target === 'H' ? 'http-proxy' : 'other';
}
