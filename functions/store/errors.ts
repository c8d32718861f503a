/** The store could not be read or written just now; the same call may succeed later. */
export class StoreError extends Error {
  override readonly name = 'StoreError';
  /** `throttled`: given up after a bounded number of tries. `unavailable`: the service answered with an error. */
  readonly code: 'throttled' | 'unavailable';

  constructor(code: 'throttled' | 'unavailable', what: string, cause?: unknown) {
    super(`${what} (${code})`, cause === undefined ? undefined : { cause });
    this.code = code;
  }
}

/** The object is not there: its notification came for something since deleted, or the key is wrong. */
export class NoSuchObject extends Error {
  override readonly name = 'NoSuchObject';
  constructor(key: string, cause?: unknown) {
    super(`no object ${key} in the segment bucket`, { cause });
  }
}
