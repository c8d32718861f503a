/** What of others is in a bundle: a bill of materials (CycloneDX) and the notices that their licences ask for. */
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import type { Metafile } from 'esbuild';

/** Something of others that is passed on. */
export interface Component {
  readonly name: string;
  readonly version: string;
  /** SPDX expression. */
  readonly licence: string;
  /** https://github.com/package-url/purl-spec */
  readonly purl: string;
  readonly text: string;
}

/** A package that says neither in its manifest nor in a file how it may be passed on is passed on by nobody. */
export class LicenceError extends Error {
  override readonly name = 'LicenceError';
}

const LICENCE_FILE = /^(licen[cs]e|copying|notice)(\.(md|txt|mit|bsd|apache2))?$/i;

/**
 * The npm packages of which something was bundled, by name and version.
 * @param from what the paths in the metafiles are relative to
 * @throws LicenceError
 */
export function bundledPackages(metafiles: readonly Metafile[], from: string): readonly Component[] {
  const folders = new Set<string>();
  for (const { outputs } of metafiles) {
    for (const { inputs } of Object.values(outputs)) {
      for (const [path, { bytesInOutput }] of Object.entries(inputs)) {
        const folder = /^.*node_modules\/(?:@[^/]+\/)?[^/]+/.exec(path)?.[0];
        if (folder !== undefined && bytesInOutput > 0) folders.add(resolve(from, folder));
      }
    }
  }
  const found = [...folders].map(packageAt);
  // One package may lie in several places.
  return [...new Map(found.map((one) => [one.purl, one])).values()].sort((a, b) => (a.purl < b.purl ? -1 : 1));
}

function packageAt(folder: string): Component {
  const manifest = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')) as {
    readonly name: string;
    readonly version: string;
    readonly license?: string | { readonly type?: string };
    readonly licenses?: readonly { readonly type?: string }[];
  };
  const { name, version, license, licenses } = manifest;
  const licence = typeof license === 'string' ? license : (license?.type ?? licenses?.[0]?.type);
  const files = readdirSync(folder)
    .filter((file) => LICENCE_FILE.test(file))
    .sort();
  const text = files.map((file) => readFileSync(join(folder, file), 'utf8').trim()).join('\n\n');
  if (licence === undefined && text === '') throw new LicenceError(`${name}@${version} says nowhere what its licence is`);
  return { name, version, licence: licence ?? 'see its text', purl: purlOf(name, version), text };
}

const purlOf = (name: string, version: string) => `pkg:npm/${name.replace('@', '%40')}@${version}`;

/** Node as it is put beside the recorder, for runtimes that have none. Its package brings no licence file. */
export function nodeComponent(root: string): Component {
  const { version } = JSON.parse(readFileSync(join(root, 'node_modules/node/package.json'), 'utf8')) as { version: string };
  const text = `MIT, and the licences of what it contains: https://github.com/nodejs/node/blob/v${version}/LICENSE`;
  return { name: 'node', version, licence: 'MIT', purl: purlOf('node', version), text };
}

/** The C library that the small static programs are linked with. @param version `2.36` */
export function libcComponent(version: string): Component {
  const text =
    'probe and standby are linked statically with the GNU C Library (LGPL-2.1-or-later, https://sourceware.org/glibc/). Their sources, layers/capture/*.c, come with Alastor, so that they can be linked with another version of it.';
  return { name: 'glibc', version, licence: 'LGPL-2.1-or-later', purl: `pkg:generic/glibc@${version}`, text };
}

/**
 * Writes `sbom.cdx.json` (CycloneDX 1.6) and `NOTICES.txt` into a folder. Neither time nor serial number: the same content gives the
 * same bytes.
 */
export function writeNotices(folder: string, what: string, components: readonly Component[]): void {
  const sbom = {
    ...{ bomFormat: 'CycloneDX', specVersion: '1.6', version: 1 },
    metadata: { component: { type: 'application', name: what, licenses: [{ license: { id: 'Apache-2.0' } }] } },
    components: components.map(({ name, version, licence, purl }) => {
      const [, group] = /^(@[^/]+)\//.exec(name) ?? [];
      return {
        ...{ type: 'library', 'bom-ref': purl, ...(group === undefined ? {} : { group }) },
        ...{ name: group === undefined ? name : name.slice(group.length + 1), version, purl },
        licenses: [/^[A-Za-z0-9.+-]+$/.test(licence) ? { license: { id: licence } } : { expression: licence }],
      };
    }),
  };
  writeFileSync(join(folder, 'sbom.cdx.json'), `${JSON.stringify(sbom, null, 1)}\n`);
  const parts = components.map(({ name, version, licence, text }) => {
    return `${'-'.repeat(100)}\n${name} ${version} (${licence})\n\n${text === '' ? 'No text of the licence comes with it.' : text}\n`;
  });
  const head = `${what} contains work of others, under these licences.\n`;
  writeFileSync(join(folder, 'NOTICES.txt'), [head, ...parts].join('\n'));
}
