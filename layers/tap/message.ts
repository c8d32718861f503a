/**
 * What a tap tells the recorder about one HTTP exchange, and how it gets there: written to a descriptor number that only
 * the shim knows (layers/shim/tap.h), which puts it into the ring. The recorder trusts none of it.
 *
 * Form of a message: `X`, length of the head in bytes (u32 little endian), the head as JSON, the bytes kept of the request's
 * body, the bytes kept of the response's.
 */

export const TAP_DESCRIPTOR = 0x7ffffffa;

/** Bodies up to this size are handed over whole; the recorder makes their digests. */
export const SMALL_BODY = 64 * 1024;
/** Bodies of AWS calls up to this size are handed over too, for the identifiers in them. */
export const LOOKED_AT = 1 << 20;

/** With ALASTOR_BODIES=redacted, so much of any other body: what the recorder looks at (LOOKED_AT in layers/capture/excerpt.ts), and one byte that says there is more. */
export const BEGINNING = 8192 + 1;

export type TapHeaders = Record<string, string | string[] | undefined>;

export interface TapBody {
  readonly bytes: number;
  /** It was seen to its end. */
  readonly complete: boolean;
  /** Made by the tap when the body is larger than {@link SMALL_BODY}. */
  readonly sha256?: string;
  /** How many bytes of it follow the head: all, none or the beginning. */
  readonly kept: number;
}

/** Times in µs since 1970. */
export interface TapHead {
  readonly from: number;
  readonly answered?: number;
  readonly to: number;
  readonly scheme: 'http' | 'https';
  readonly addr: string;
  readonly port: number;
  readonly method: string;
  /** Request target with the query string. */
  readonly target: string;
  readonly headers: TapHeaders;
  readonly status?: number;
  readonly answer?: TapHeaders;
  readonly request: TapBody;
  readonly response: TapBody;
  readonly error?: string;
}
