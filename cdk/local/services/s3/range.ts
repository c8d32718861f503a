import { ServiceError } from '../../http/error.ts';

export interface ByteRange {
  readonly start: number;
  /** Inclusive. */
  readonly end: number;
}

/** One `bytes=` range of an object of `size` bytes; null for none, or for several (S3 then sends everything). Throws 416. */
export function parseRange(text: string | undefined, size: number): ByteRange | null {
  const match = /^bytes=(\d*)-(\d*)$/.exec(text?.trim() ?? '');
  if (match === null) return null;
  const [, first = '', last = ''] = match;
  if (first === '' && last === '') return null;
  const start = first === '' ? Math.max(0, size - Number(last)) : Number(first);
  const end = first === '' || last === '' ? size - 1 : Math.min(Number(last), size - 1);
  if (start >= size || (first === '' && last === '0'))
    throw new ServiceError('InvalidRange', 'The requested range is not satisfiable', 416);
  return start > end ? null : { start, end };
}
