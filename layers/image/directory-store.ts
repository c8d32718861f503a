import { randomUUID } from 'node:crypto';
import { link, mkdir, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type SegmentStore, StoreRefusal } from '../capture/shipper.ts';

/**
 * Segments as files below a directory, under the keys they would have in a bucket; for volumes that a log collector reads.
 * @param url `file:///directory`
 */
export function directoryStore(url: string): SegmentStore {
  const root = fileURLToPath(url);
  return {
    async putNew(key, bytes, signal) {
      const path = join(root, key);
      const temporary = `${path}.${randomUUID()}.new`;
      try {
        await mkdir(dirname(path), { recursive: true });
        await writeFile(temporary, bytes, { flag: 'wx', signal });
        // Unlike a rename, a link never replaces what is there.
        await link(temporary, path);
        return 'stored';
      } catch (error) {
        const { code } = error as NodeJS.ErrnoException;
        if (code === 'EEXIST') return 'taken';
        if (code === 'EACCES' || code === 'EROFS')
          throw new StoreRefusal(`${root} cannot be written: ${code}`, { cause: error });
        throw error;
      } finally {
        await rm(temporary, { force: true });
      }
    },
  };
}
