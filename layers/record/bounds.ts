/**
 * Hard limits of the record format. A segment comes from an instance that may have been taken over, so a reader refuses
 * whatever exceeds them before it has spent memory or time on it; a writer stays well below.
 */
export const BOUNDS = {
  /** Bytes of a segment as stored. */
  compressed: 4 * 1024 * 1024,
  /** Bytes after decompression; enforced while decompressing. */
  decompressed: 16 * 1024 * 1024,
  /** Bytes of one line without its line feed. */
  line: 64 * 1024,
  records: 100_000,
  /** Levels of nested objects and arrays in one line; the line's own object is level 1. */
  depth: 8,
  /** UTF-16 code units of free text (paths, arguments). */
  text: 8 * 1024,
  /** UTF-16 code units of an identifier. */
  id: 1024,
  /** Elements of an array. */
  list: 1024,
} as const;
