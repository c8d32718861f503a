import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { attempts } from './attempt.ts';
import { type PlatformCapabilities, probePlatform } from './capabilities.ts';
import { type HeldPort, holdPort, passOn } from './held-port.ts';
import { portsFile, prepareDir, writeShared } from './instance-dir.ts';
import { type LeftBehind, leftBehind } from './ledger.ts';
import { log } from './log.ts';
import { type FrontDoor, openFrontDoor } from './network/front.ts';
import { makeRingBeside, type RingFile } from './ring-file.ts';
import { ownProcess } from './runtime-process.ts';
import { type Settings, steeredEndpoints } from './settings.ts';
import { Upstream } from './upstream.ts';

/** What the wrapper, and the runtime that it starts, must find. Each part may be missing: `failures` says why. */
export interface Prepared {
  readonly ring: RingFile | undefined;
  /** Named pipe by which the shims ask for the ring to be read. */
  readonly bell: string | undefined;
  /** The shim can be loaded, and has somewhere to write. */
  readonly shim: boolean;
  /** The runtime's own talk with the Runtime API will tell of requests, where the shim is in the runtime. */
  readonly tapsRequests: boolean;
  readonly platform: Promise<PlatformCapabilities>;
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
 * @param home folder of the shim and the probe (/opt/alastor)
 */
export async function prepare(settings: Settings, env: NodeJS.ProcessEnv, home: string): Promise<Prepared> {
  const failures: string[] = [];
  const attempt = attempts(failures);
  const before = leftBehind(settings.dir);
  const bell = join(settings.dir, 'ring.bell');
  const dir = await attempt('the directory of the event ring', () => {
    prepareDir(settings.dir);
    return settings.dir;
  });
  const making = dir === undefined ? undefined : attempt('the event ring', () => makeRingBeside(join(dir, 'ring')));
  const platform = probePlatform(join(home, 'probe'), dir && bell);
  const { network, requests: seenBy } = settings;
  const opening = attempt('the Runtime API proxy', () => holdPort(portToHold(env)));
  const front =
    network === 'auto' || network === 'proxy'
      ? await attempt('the network proxy', () => openFrontDoor(env, (line) => log(line)))
      : undefined;
  const steer = (await attempt('endpoint overrides', () => steeredEndpoints(env))) ?? [];
  const requests = await opening;
  const ring = await making;
  const shim = ring !== undefined && existsSync(join(home, 'libalastor.so'));
  const tapsRequests = shim && (seenBy === 'tap' || (seenBy === 'auto' && network !== 'proxy'));
  await attempt('the shared files', async () => {
    if (front !== undefined) {
      writeShared(settings.dir, 'ca.pem', front.caPem);
      writeShared(settings.dir, 'ca-added.pem', front.addedPem);
      const { javaTruststore, mayBeJava } = await import('./network/truststore.ts');
      if (mayBeJava(env)) writeShared(settings.dir, 'ca.jks', javaTruststore(front.caPem));
    }
    const tap = network === 'auto' || network === 'tap';
    const tee = [...(tap && shim ? (['http'] as const) : []), ...(tapsRequests ? (['runtime'] as const) : [])];
    writeShared(
      settings.dir,
      'ports',
      portsFile({ runtime: requests?.port, proxy: front?.held.port, steer, tap, tee, recorder: ownProcess() }),
    );
  });
  return { ring, bell: ring && bell, shim, tapsRequests, platform, requests, front, steer, before, failures };
}

/**
 * Lambda Web Adapter, an extension, talks to the Runtime API in the function's place, and can be told beforehand to go through a
 * proxy: there it finds ours. 0 when it does not matter which, because the wrapper tells the runtime.
 */
function portToHold({ AWS_LWA_LAMBDA_RUNTIME_API_PROXY: told = '' }: NodeJS.ProcessEnv): number {
  const port = Number(/^(?:127\.0\.0\.1|localhost):(\d{1,5})$/.exec(told)?.[1] ?? 0);
  return port < 65_536 ? port : 0;
}

/** For the ports that nobody will serve: the runtime's calls are passed on unread, and the shim finds no network proxy and goes direct. */
export function standAside(
  settings: Settings,
  env: NodeJS.ProcessEnv,
  { requests, front }: Pick<Prepared, 'requests' | 'front'>,
): void {
  const upstream = new Upstream(settings, env);
  if (requests !== undefined) passOn(requests, () => upstream.address);
  void front?.held.close();
}
