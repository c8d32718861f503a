import type net from 'node:net';
import { readClientHello } from './client-hello.ts';
import { type Opening, sniff } from './sniff.ts';

/** How long the rest of a first flight may take once its beginning is there. */
const OPENING_WAIT_MS = 1000;

/** Waits until more than `seen` bytes can be read, or the client is gone; true when the time passes without either. */
export async function awaitReadable(socket: net.Socket, seen: number, ms: number): Promise<boolean> {
  const come = (): boolean => socket.readableLength > seen || ended(socket) || socket.destroyed;
  if (come()) return false;
  return new Promise((resolve) => {
    const finish = (silent: boolean): void => {
      clearTimeout(timer);
      socket.off('readable', look).off('close', look);
      resolve(silent);
    };
    const look = (): void => {
      if (come()) finish(false);
    };
    const timer = setTimeout(finish, ms, true);
    socket.on('readable', look).on('close', look);
  });
}

/** The client has sent its FIN; what it said before may still be in the buffer, so 'end' has not been emitted. */
const ended = (socket: net.Socket): boolean =>
  (socket as net.Socket & { _readableState?: { ended?: boolean } })._readableState?.ended === true;

/** What can be read, left where it is. In one turn of the event loop, so that 'end' is not emitted in between. */
function peek(socket: net.Socket): Buffer {
  const bytes: Buffer | null = socket.read();
  if (bytes === null) return Buffer.alloc(0);
  socket.unshift(bytes);
  return bytes;
}

/** Waits until the first bytes tell what they are, and in TLS until the hello is complete. */
export async function readOpening(socket: net.Socket): Promise<{ first: Buffer; opening: Opening }> {
  const deadline = performance.now() + OPENING_WAIT_MS;
  for (;;) {
    const first = peek(socket);
    const opening = sniff(first);
    const incomplete = opening === 'more' || (opening === 'tls' && readClientHello(first) === 'more');
    const left = deadline - performance.now();
    if (!incomplete || left <= 0 || ended(socket) || socket.destroyed) return { first, opening };
    await awaitReadable(socket, first.length, left);
  }
}

type Speaker = 'client' | 'server' | 'nobody';

/** Waits for the first byte from either side; `nobody` when a side is gone before. */
export function firstToSpeak(client: net.Socket, server: net.Socket): Promise<Speaker> {
  return new Promise((resolve) => {
    const finish = (who: Speaker): void => {
      client.off('readable', byClient).off('close', failed);
      server.off('readable', byServer).off('close', failed).off('error', failed);
      resolve(who);
    };
    const byClient = (): void => finish('client');
    const byServer = (): void => finish('server');
    const failed = (): void => finish('nobody');
    client.on('readable', byClient).on('close', failed);
    server.on('readable', byServer).on('close', failed).on('error', failed);
  });
}
