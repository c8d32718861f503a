import { createHash, X509Certificate } from 'node:crypto';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { certificates } from './roots.ts';

/** What `keytool` and every JVM use by default; it protects nothing, a truststore holds no secrets. */
const TRUSTSTORE_PASSWORD = 'changeit';

const MAGIC = 0xfeedfeed;
const VERSION = 2;
const TRUSTED_CERTIFICATE = 2;

/** Where Lambda's own Java is. */
const MANAGED = '/var/lang/bin/java';
const OTHER_RUNTIME = /_(?:nodejs|python|ruby|dotnet)/;

/** Whether the function may be Java's, managed or brought along (custom runtimes, images): Java reads no PEM. */
export function mayBeJava(env: NodeJS.ProcessEnv): boolean {
  if (existsSync(MANAGED)) return true;
  if (OTHER_RUNTIME.test(env.AWS_EXECUTION_ENV ?? '')) return false;
  return env.JAVA_HOME !== undefined || (env.PATH ?? '').split(':').some((dir) => existsSync(join(dir, 'java')));
}

/** What makes every JVM take a truststore in place of its own; it reads no other variable. */
export const javaToolOptions = (truststore: string, before = ''): string =>
  `${before} -Djavax.net.ssl.trustStore=${truststore} -Djavax.net.ssl.trustStorePassword=${TRUSTSTORE_PASSWORD}`.trimStart();

/**
 * The certificates of a PEM bundle as a Java truststore. JKS, because it needs no encryption to write and every JVM still reads
 * it whatever its default type is (`keystore.type.compat`). Layout: sun.security.provider.JavaKeyStore in the OpenJDK sources.
 */
export function javaTruststore(pem: string, now = Date.now()): Buffer {
  const ders = certificates(pem).flatMap((one) => {
    try {
      return [new X509Certificate(one).raw];
    } catch {
      // One broken root must not cost all others.
      return [];
    }
  });
  const entries = ders.map((der, i) =>
    Buffer.concat([u32(TRUSTED_CERTIFICATE), utf(`root-${i}`), u64(now), utf('X.509'), u32(der.length), der]),
  );
  const body = Buffer.concat([u32(MAGIC), u32(VERSION), u32(entries.length), ...entries]);
  // The digest is over the password in UTF-16 (big endian), a phrase, and the content.
  const password = Buffer.from(TRUSTSTORE_PASSWORD, 'utf16le').swap16();
  return Buffer.concat([body, createHash('sha1').update(password).update('Mighty Aphrodite').update(body).digest()]);
}

function u32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes;
}

function u64(value: number): Buffer {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64BE(BigInt(value));
  return bytes;
}

/** A string as java.io.DataOutput writes it: its length in two bytes, then its characters. */
function utf(text: string): Buffer {
  const bytes = Buffer.from(text, 'ascii');
  const length = Buffer.alloc(2);
  length.writeUInt16BE(bytes.length);
  return Buffer.concat([length, bytes]);
}
