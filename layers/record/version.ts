/**
 * Version of the record format: what writers write, and the newest that readers read. Readers go on reading all earlier ones, so
 * functions with an old layer and a new stitcher go together; the other way round, segments wait (docs/operations.md, "Upgrading").
 * A new record kind or field is a new version, for unknown ones are refused.
 */
export const FORMAT_VERSION = 1;
