import { mkdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { ProcessId } from '../record/types.ts';

/**
 * Makes the directory the extension shares with wrapper and shim, empty. After a reset of the environment /tmp still holds
 * the old one, and whatever the function has made of it: nothing in it is used again.
 * @throws the file system's error; the parent must exist
 */
export function prepareDir(dir: string): void {
  rmSync(dir, { recursive: true, force: true });
  mkdirSync(dir, { mode: 0o700 });
}

/** Writes a file so that a reader sees all of it or none. */
export function writeShared(dir: string, name: string, content: string | Uint8Array): void {
  const path = join(dir, name);
  writeFileSync(`${path}.new`, content, { mode: 0o600 });
  renameSync(`${path}.new`, path);
}

/** What the wrapper needs to know; an absent port means that this part of the capture is not there. */
export interface Ports {
  readonly runtime?: number | undefined;
  readonly proxy?: number | undefined;
  readonly steer: readonly string[];
  /** Processes may tap their own traffic. */
  readonly tap: boolean;
  /** The recorder's process, if it can see itself. */
  readonly recorder: ProcessId | undefined;
  /** What the shim tees. */
  readonly tee: readonly ('http' | 'runtime')[];
}

/** One `NAME=value` per line; values hold nothing that a shell would interpret. */
export function portsFile({ runtime, proxy, steer, tap, tee, recorder }: Ports): string {
  const lines = [
    ...(runtime === undefined ? [] : [`ALASTOR_RUNTIME_PORT=${runtime}`]),
    ...(proxy === undefined ? [] : [`ALASTOR_PROXY_PORT=${proxy}`]),
    ...(tap ? ['ALASTOR_TAP=1'] : []),
    ...(tee.length > 0 ? [`ALASTOR_TEE=${tee.join(',')}`] : []),
    ...(recorder === undefined ? [] : [`ALASTOR_RECORDER=${recorder}`]),
    `ALASTOR_STEER=${steer.join(',')}`,
  ];
  return `${lines.join('\n')}\n`;
}
