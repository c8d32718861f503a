import { constants, createZstdDecompress, zstdDecompressSync } from 'node:zlib';
import { BOUNDS } from './bounds.ts';
import { SegmentError } from './errors.ts';

/** First four bytes of a zstd frame, little-endian (RFC 8878, 3.1.1). */
const ZSTD_MAGIC = 0xfd2f_b528;
/** Content up to this size is read by the decoder that is kept; what requests leave is a few KB. */
const ROOM = 128 * 1024;

/**
 * The content of the one zstd frame that a segment is. The bytes are hostile input: they may be anything.
 * @returns a buffer that the next call may write over
 * @throws SegmentError `truncated`, `oversized` or `encoding`
 */
export function readFrame(bytes: Uint8Array, name: string): Buffer {
  if (bytes.length > BOUNDS.compressed) throw new SegmentError('oversized', name, undefined, `${bytes.length} bytes stored`);
  if (bytes.length < 4) throw new SegmentError('truncated', name, undefined, `${bytes.length} bytes stored`);
  if (new DataView(bytes.buffer, bytes.byteOffset).getUint32(0, true) !== ZSTD_MAGIC) {
    throw new SegmentError('encoding', name, undefined, 'not a zstd frame');
  }
  const told = contentSize(bytes);
  return (told !== undefined && told < ROOM ? kept.read(bytes) : undefined) ?? readAnew(bytes, name, told);
}

/** By Node's documented means, which also say what is wrong. */
function readAnew(bytes: Uint8Array, name: string, told = 0): Buffer {
  let read: { readonly buffer: Buffer; readonly engine: { readonly bytesWritten: number } };
  try {
    // `info` changes what is returned, which the published types do not say. With room for all that is told, it is read in one go.
    read = zstdDecompressSync(bytes, {
      maxOutputLength: BOUNDS.decompressed,
      chunkSize: Math.min(Math.max(told + 64, 1024), 1024 * 1024),
      info: true,
    }) as unknown as typeof read;
  } catch (error) {
    const code = (error as { readonly code?: string }).code;
    if (code === 'ERR_BUFFER_TOO_LARGE') {
      throw new SegmentError('oversized', name, undefined, `more than ${BOUNDS.decompressed} bytes decompressed`, error);
    }
    const cut = code === 'Z_BUF_ERROR' || code === 'ZSTD_error_srcSize_wrong' || /unexpected end/i.test(String(error));
    throw new SegmentError(cut ? 'truncated' : 'encoding', name, undefined, 'zstd stream is damaged', error);
  }
  // Bytes behind the frame would count in the hash chain and be read by nobody.
  if (read.engine.bytesWritten !== bytes.length) {
    throw new SegmentError(
      'encoding',
      name,
      undefined,
      `${bytes.length - read.engine.bytesWritten} bytes follow the zstd frame`,
    );
  }
  return read.buffer;
}

/**
 * Bytes that the frame says it holds, if it is one as our writer makes them: those need no memory but for their content. It may
 * say anything. Frame header descriptor (RFC 8878, 3.1.1.1): two bits tell the width of the content size, one that no window is
 * needed. A dictionary id would stand before the size; our segments have none, and a wrong guess only costs time.
 */
function contentSize(bytes: Uint8Array): number | undefined {
  const descriptor = bytes[4] ?? 0;
  const width = descriptor >> 6;
  if ((descriptor & 0x20) === 0 || bytes.length < 9) return undefined;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (width === 0) return view.getUint8(5);
  if (width === 1) return view.getUint16(5, true) + 256;
  return width === 2 ? view.getUint32(5, true) : undefined;
}

/** What Node's stream classes stand on; not documented, but npm's own unpacking (minizlib) has relied on it for years. */
interface Native {
  readonly _handle: {
    onerror: (message: string) => void;
    writeSync(flush: number, from: Uint8Array, at: number, length: number, to: Uint8Array, toAt: number, room: number): void;
  };
  /** After a write: room that was left, bytes that were not taken. */
  readonly _writeState: Uint32Array;
  close(): void;
}

/**
 * A decoder that is kept from segment to segment: to make one takes five times as long as to read a small segment with it.
 * It gives a frame only when all is well with it; whatever is not, and a Node in which there is no such thing, is left to
 * {@link readAnew}.
 */
const kept = {
  native: undefined as Native | undefined,
  room: Buffer.alloc(0),
  failed: false,

  read(bytes: Uint8Array): Buffer | undefined {
    this.native ??= this.make();
    const { native, room } = this;
    if (typeof native._handle?.writeSync !== 'function') return undefined;
    this.failed = false;
    native._handle.writeSync(constants.ZSTD_e_end, bytes, 0, bytes.length, room, 0, room.length);
    const [left = 0, untaken = 0] = native._writeState;
    // A full buffer may not be all of it. Zero bytes left to take and no error: the frame was whole, its checksum right.
    if (!this.failed && left > 0 && untaken === 0) return room.subarray(0, room.length - left);
    native.close();
    this.native = undefined;
    return undefined;
  },

  make(): Native {
    this.room = Buffer.alloc(ROOM);
    const native = createZstdDecompress() as unknown as Native;
    if (native._handle !== undefined) {
      native._handle.onerror = () => {
        this.failed = true;
      };
    }
    return native;
  },
};
