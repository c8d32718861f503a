import { type SegmentStore, StoreRefusal } from './shipper.ts';

/** In the source tree a neighbour; in the layer a bundle of its own. */
const MODULE = new URL(import.meta.url.endsWith('.ts') ? './s3-store.ts' : './s3.mjs', import.meta.url).href;

/**
 * Loads the AWS client and makes S3 a {@link SegmentStore}. It costs some 60 ms of CPU and 20 MB, which a thread of its own
 * would double; so this is called while the runtime starts, or at the end of the first request, after its answer is out.
 * @throws Error when the client cannot be loaded
 */
export async function loadS3Store(bucket: string): Promise<SegmentStore> {
  // The client looks for its files in the home directory, and fails altogether for a user who has none (images without passwd).
  process.env.HOME ||= '/nonexistent';
  const { s3Store } = (await import(MODULE)) as typeof import('./s3-store.ts');
  const store = s3Store(bucket);
  return {
    putNew: (key, bytes, signal) =>
      store.putNew(key, bytes, signal).catch((error: unknown) => {
        // The bundle has a class of its own of this name.
        if (error instanceof Error && error.name === 'StoreRefusal')
          throw new StoreRefusal(error.message, { cause: error.cause });
        throw error;
      }),
  };
}
