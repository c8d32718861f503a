import { existsSync } from 'node:fs';
import { readdir, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { forgottenPrefix, segmentPrefix } from '../store/schema.ts';
import { readTombstones, type Tombstone } from '../store/tombstone.ts';
import { byInstance } from './by-instance.ts';
import type { EvidenceSource, InstanceObjects, Part, StoredObject, StoredVersion, Strange } from './evidence.ts';

/**
 * A copy of the evidence bucket, as `aws s3 sync` or the entrypoint of a container writes it: `segments/<function>/<instance>/…` below
 * a directory, or below that without `segments`. It has one version of each object, and no time that can be trusted.
 */
export class DirectoryEvidence implements EvidenceSource {
  readonly #root: string;
  /** Undefined when the directory is that of the segments itself. */
  readonly #tombs: string | undefined;

  constructor(directory: string) {
    const whole = existsSync(join(directory, segmentPrefix)) || existsSync(join(directory, forgottenPrefix));
    this.#root = whole ? join(directory, segmentPrefix) : directory;
    this.#tombs = whole ? join(directory, forgottenPrefix) : undefined;
  }

  instances(part: Part): AsyncIterable<InstanceObjects | Strange> {
    return byInstance(this.#objects(part), part);
  }

  async read({ key }: StoredVersion): Promise<Uint8Array | undefined> {
    return await readFile(join(this.#root, key.slice(segmentPrefix.length)));
  }

  async *tombstones({ fn }: Part): AsyncGenerator<readonly Tombstone[] | Strange> {
    const tombs = this.#tombs;
    if (tombs === undefined) return;
    for (const name of fn === undefined ? await names(tombs) : [fn]) {
      for (const file of await names(join(tombs, name))) {
        const key = `${forgottenPrefix}${name}/${file}`;
        yield readTombstones(key, await readFile(join(tombs, name, file), 'utf8')) ?? { strange: key };
      }
    }
  }

  async *#objects({ fn, instanceId }: Part): AsyncGenerator<StoredObject> {
    for (const name of fn === undefined ? await names(this.#root) : [fn]) {
      for (const instance of instanceId === undefined ? await names(join(this.#root, name)) : [instanceId]) {
        for (const file of await names(join(this.#root, name, instance))) {
          const key = `${segmentPrefix}${name}/${instance}/${file}`;
          const { size } = await stat(join(this.#root, name, instance, file));
          yield { key, versions: [{ key, bytes: size }] };
        }
      }
    }
  }
}

async function names(directory: string): Promise<readonly string[]> {
  const found = await readdir(directory).catch((error: NodeJS.ErrnoException) => {
    // A file where a directory belongs, or none at all.
    if (error.code === 'ENOTDIR' || error.code === 'ENOENT') return [];
    throw error;
  });
  return found.sort();
}
