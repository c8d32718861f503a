import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { type HeldPort, holdPort } from './held-port.ts';
import { portsFile, prepareDir, writeShared } from './instance-dir.ts';
import { type LeftBehind, leftBehind } from './ledger.ts';
import { log } from './log.ts';
import { type FrontDoor, openFrontDoor } from './network/front.ts';
import { makeRingBeside, type RingFile } from './ring-file.ts';
import { type Settings, steeredEndpoints } from './settings.ts';

/** Present where the runtime is Java's, which reads no PEM. */
const JAVA = '/var/lang/bin/java';

/** What the wrapper, and the runtime that it starts, must find. Each part may be missing: `failures` says why. */
export interface Prepared {
  readonly ring: RingFile | undefined;
  /** Where the Runtime API proxy will answer. */
  readonly requests: HeldPort | undefined;
  /** Where the network proxy will answer. */
  readonly front: FrontDoor | undefined;
  readonly steer: readonly string[];
  /** From a recorder that was in this environment before. */
  readonly before: LeftBehind | undefined;
  readonly failures: readonly string[];
}

/**
 * The platform starts the runtime when this extension has registered; so this is all that happens before. The ports are open and
 * nobody serves them yet: who connects waits. Never rejects.
 */
export async function prepare(settings: Settings, env: NodeJS.ProcessEnv): Promise<Prepared> {
  const failures: string[] = [];
  const attempt = async <T>(what: string, work: () => T | Promise<T>): Promise<T | undefined> => {
    try {
      return await work();
    } catch (error) {
      log(`${what} could not be started; the function runs without it`, error);
      failures.push(`${what}: ${String(error)}`);
      return undefined;
    }
  };
  const before = leftBehind(settings.dir);
  const making = attempt('the event ring', () => {
    prepareDir(settings.dir);
    return makeRingBeside(join(settings.dir, 'ring'));
  });
  const { network } = settings;
  const opening = attempt('the Runtime API proxy', holdPort);
  const front =
    network === 'auto' || network === 'proxy'
      ? await attempt('the network proxy', () => openFrontDoor(env, (line) => log(line)))
      : undefined;
  const steer = (await attempt('endpoint overrides', () => steeredEndpoints(env))) ?? [];
  const requests = await opening;
  const ring = await making;
  await attempt('the shared files', async () => {
    if (front !== undefined) {
      writeShared(settings.dir, 'ca.pem', front.caPem);
      writeShared(settings.dir, 'ca-added.pem', front.addedPem);
      if (existsSync(JAVA)) {
        const { javaTruststore } = await import('./network/truststore.ts');
        writeShared(settings.dir, 'ca.jks', javaTruststore(front.caPem));
      }
    }
    const tap = network === 'auto' || network === 'tap';
    writeShared(settings.dir, 'ports', portsFile({ runtime: requests?.port, proxy: front?.held.port, steer, tap }));
  });
  return { ring, requests, front, steer, before, failures };
}
