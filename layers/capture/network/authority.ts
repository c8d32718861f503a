import { createHash, generateKeyPairSync, randomBytes, sign } from 'node:crypto';
import * as der from './der.ts';

/** The certificate authority of one instance. The key exists in this process only: it is never written anywhere. */
export interface Authority {
  /** PEM, PKCS#8. */
  readonly key: string;
  /** PEM. */
  readonly cert: string;
}

const DAY_MS = 86_400_000;
const ECDSA_SHA256 = der.sequence(der.objectId('1.2.840.10045.4.3.2'));

const pem = (label: string, bytes: Buffer): string =>
  `-----BEGIN ${label}-----\n${(bytes.toString('base64').match(/.{1,64}/g) ?? []).join('\n')}\n-----END ${label}-----\n`;

const extension = (oid: string, critical: boolean, value: Buffer): Buffer =>
  der.sequence(der.objectId(oid), ...(critical ? [der.boolean(true)] : []), der.octets(value));

/**
 * Makes a fresh CA: EC P-256, because an RSA key costs 130–315 ms of the init phase and this about one.
 * The layout is that of RFC 5280 for a root; the subject carries a random part, so that certificates of different
 * instances are never mistaken for each other by a client that caches issuers by name.
 */
export function createAuthority(now = new Date()): Authority {
  const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const spki = publicKey.export({ type: 'spki', format: 'der' });
  // The last 65 bytes of a P-256 SubjectPublicKeyInfo are the uncompressed point: what RFC 5280 4.2.1.2 (1) hashes.
  const keyId = createHash('sha1').update(spki.subarray(-65)).digest();
  const serial = randomBytes(16);
  const name = der.sequence(
    der.set(der.sequence(der.objectId('2.5.4.10'), der.utf8('Alastor'))),
    der.set(der.sequence(der.objectId('2.5.4.3'), der.utf8(`Alastor audit CA ${serial.toString('hex', 0, 6)}`))),
  );
  const extensions = der.sequence(
    extension('2.5.29.19', true, der.sequence(der.boolean(true), der.integer(Buffer.of(0)))), // CA, signs leaves only
    extension('2.5.29.15', true, der.bits(Buffer.of(0x86), 1)), // digitalSignature, keyCertSign, cRLSign
    extension('2.5.29.14', false, der.octets(keyId)),
    extension('2.5.29.35', false, der.sequence(der.implicit(0, keyId))),
  );
  const body = der.sequence(
    der.explicit(0, der.integer(Buffer.of(2))), // X.509 v3
    der.integer(serial),
    ECDSA_SHA256,
    name,
    // A day back for a clock that is behind; a year ahead outlives every instance and every leaf (45 days).
    der.sequence(der.time(new Date(now.getTime() - DAY_MS)), der.time(new Date(now.getTime() + 365 * DAY_MS))),
    name,
    spki,
    der.explicit(3, extensions),
  );
  const certificate = der.sequence(body, ECDSA_SHA256, der.bits(sign('sha256', body, privateKey)));
  return {
    key: privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(),
    cert: pem('CERTIFICATE', certificate),
  };
}
