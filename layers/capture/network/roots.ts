import { existsSync, readFileSync } from 'node:fs';

const SYSTEM_BUNDLES = ['/etc/pki/tls/certs/ca-bundle.crt', '/etc/ssl/certs/ca-certificates.crt'];
const EXTRA_BUNDLE_VARIABLES = ['SSL_CERT_FILE', 'NODE_EXTRA_CA_CERTS'];
const CERTIFICATE = /-----BEGIN CERTIFICATE-----[\s\S]+?-----END CERTIFICATE-----/g;

/** Loading TLS takes a while and is only needed where the system has no bundle. */
const builtIn = (): string => process.getBuiltinModule('node:tls').rootCertificates.join('\n');

const readIfThere = (path: string, log: (line: string) => void): string => {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    log(`network: trust file ${path} cannot be read, going on without it: ${(error as Error).message}`);
    return '';
  }
};

/**
 * Every root certificate the application trusts, as PEM, one entry per certificate, without doubles: the system's bundle
 * (Amazon Linux, Debian; otherwise what is compiled into Node) and the files that SSL_CERT_FILE and NODE_EXTRA_CA_CERTS name.
 */
export function trustedRoots(env: NodeJS.ProcessEnv, log: (line: string) => void): string[] {
  const system = SYSTEM_BUNDLES.find((path) => existsSync(path));
  const texts = [system === undefined ? builtIn() : readIfThere(system, log)];
  for (const variable of EXTRA_BUNDLE_VARIABLES) {
    const path = env[variable];
    if (path && path !== system) texts.push(readIfThere(path, log));
  }
  return certificates(texts.join('\n'));
}

/** What the function's configuration adds to the roots of its Node, in the same form. */
export function addedRoots(env: NodeJS.ProcessEnv, log: (line: string) => void): string[] {
  const path = env.NODE_EXTRA_CA_CERTS;
  return path ? certificates(readIfThere(path, log)) : [];
}

/** Each certificate of a PEM text once. */
export const certificates = (text: string): string[] => [...new Set(text.replaceAll('\r', '').match(CERTIFICATE) ?? [])];
