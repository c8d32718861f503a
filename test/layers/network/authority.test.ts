import { X509Certificate } from 'node:crypto';
import fc from 'fast-check';
import { getCA } from 'mockttp/dist/util/certificates';
import { describe, expect, it } from 'vitest';
import { createAuthority } from '../../../layers/capture/network/authority.ts';
import { readClientHello } from '../../../layers/capture/network/client-hello.ts';
import { sniff } from '../../../layers/capture/network/sniff.ts';

describe('the certificate authority of an instance', () => {
  it('is a root that OpenSSL reads, and that signs certificates which verify', async () => {
    const authority = createAuthority(new Date('2026-11-22T00:00:00Z'));
    const root = new X509Certificate(authority.cert);
    expect(root.ca).toBe(true);
    expect(root.verify(root.publicKey)).toBe(true);
    expect(root.publicKey.asymmetricKeyDetails).toMatchObject({ namedCurve: 'prime256v1' });
    expect(root.validFrom).toContain('Nov 21 00:00:00 2026');
    expect(root.validTo).toContain('Nov 22 00:00:00 2027');
    const leaf = new X509Certificate((await (await getCA(authority)).generateCertificate('shop.example')).cert);
    expect(leaf.checkIssued(root)).toBe(true);
    expect(leaf.verify(root.publicKey)).toBe(true);
    expect(leaf.checkHost('shop.example')).toBe('shop.example');
  });
  it('has its own key and name each time, also beyond 2050', () => {
    const [one, two] = [createAuthority(), createAuthority(new Date('2051-01-01T00:00:00Z'))];
    expect(one.key).not.toBe(two.key);
    expect(new X509Certificate(one.cert).subject).not.toBe(new X509Certificate(two.cert).subject);
    expect(new X509Certificate(two.cert).validFrom).toContain('2050');
  });
});

describe('telling protocols by their first bytes', () => {
  it.each([
    ['GET / HTTP/1.1\r\n', 'http'],
    ['OPTIONS * HTTP/1.1\r\n', 'http'],
    ['GE', 'more'],
    ['POST ', 'more'],
    ['CONNECT a:443 HTTP/1.1\r\n', 'http-proxy'],
    ['GET http://a/ HTTP/1.1\r\n', 'http-proxy'],
    ['PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', 'h2c'],
    ['GET key\r\n', 'other'],
    ['*1\r\n$4\r\nPING\r\n', 'other'],
    ['\x16\x03\x01\x02\x00', 'tls'],
    ['\x16\x01', 'other'],
    ['', 'more'],
  ])('%j is %s', (bytes, opening) => expect(sniff(Buffer.from(bytes, 'latin1'))).toBe(opening));

  it('never throws, whatever the bytes are', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => {
        sniff(Buffer.from(bytes));
        readClientHello(Buffer.from(bytes));
        readClientHello(Buffer.concat([Buffer.of(0x16, 3, 1, bytes.length >> 8, bytes.length & 255, 1, 0, 0, 200), bytes]));
      }),
    );
  });
});
