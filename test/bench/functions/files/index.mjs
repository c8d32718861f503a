/** Writes, reads and removes 10,000 small files. */
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';

const content = 'x'.repeat(1024);

export const handler = async () => {
  let bytes = 0;
  mkdirSync('/tmp/files', { recursive: true });
  for (let i = 0; i < 10_000; i++) {
    const path = `/tmp/files/${i}`;
    writeFileSync(path, content);
    bytes += readFileSync(path).length;
  }
  rmSync('/tmp/files', { recursive: true });
  return { statusCode: 200, body: JSON.stringify({ bytes }) };
};
