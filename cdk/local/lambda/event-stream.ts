/**
 * Frames of application/vnd.amazon.eventstream, the answer of InvokeWithResponseStream.
 * Layout: total length, headers length, CRC of those; headers; payload; CRC of all (Smithy, "Amazon Event Stream").
 */
import { crc32 } from 'node:zlib';

const STRING_HEADER = 7;

export function eventFrame(type: string, contentType: string, payload: Buffer): Buffer {
  const headers = Buffer.concat([
    stringHeader(':event-type', type),
    stringHeader(':content-type', contentType),
    stringHeader(':message-type', 'event'),
  ]);
  const prelude = Buffer.alloc(12);
  prelude.writeUInt32BE(12 + headers.length + payload.length + 4, 0);
  prelude.writeUInt32BE(headers.length, 4);
  prelude.writeUInt32BE(crc32(prelude.subarray(0, 8)), 8);
  const body = Buffer.concat([prelude, headers, payload]);
  const checksum = Buffer.alloc(4);
  checksum.writeUInt32BE(crc32(body));
  return Buffer.concat([body, checksum]);
}

function stringHeader(name: string, value: string): Buffer {
  const length = Buffer.alloc(2);
  length.writeUInt16BE(Buffer.byteLength(value));
  return Buffer.concat([
    Buffer.from([name.length]),
    Buffer.from(name),
    Buffer.from([STRING_HEADER]),
    length,
    Buffer.from(value),
  ]);
}
