import { writeSync } from 'node:fs';
import { TAP_DESCRIPTOR, type TapHead } from '../message.ts';

/* Taken at load: what the application later does to these does not reach the tap. */
const write = writeSync;
const { concat, from } = Buffer;

/** Whether there is a shim in this process, and a recorder behind it. */
export function isHeard(): boolean {
  try {
    return write(TAP_DESCRIPTOR, 'P') === 1;
  } catch {
    return false;
  }
}

/** Announces the next connection of this thread as observed; `taken` back when it was not made after all. */
export function announceConnection(taken: boolean): boolean {
  try {
    return write(TAP_DESCRIPTOR, taken ? 'C' : 'c') === 1;
  } catch {
    return false;
  }
}

/** Hands an exchange over. What cannot be handed over is lost, and counted by the shim when the ring was full. */
export function tell(head: TapHead, request: readonly Buffer[], response: readonly Buffer[]): void {
  const json = from(JSON.stringify(head));
  const prefix = Buffer.alloc(5);
  prefix[0] = 0x58;
  prefix.writeUInt32LE(json.length, 1);
  write(TAP_DESCRIPTOR, concat([prefix, json, ...request, ...response]));
}

export const micros = (): number => Math.floor((performance.timeOrigin + performance.now()) * 1000);
