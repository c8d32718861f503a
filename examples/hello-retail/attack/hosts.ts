import { type Attacker, type AttackerHost, startAttacker } from './attacker.ts';
import { createAuthority } from './certificates.ts';
import type { Random } from './random.ts';

/** What the attacker uses a host for. Attack 1: `tool` hands out the tool, `exfil` and `relay` receive. Attack 2: `fence` receives. */
export const roles = ['tool', 'exfil', 'relay', 'fence'] as const;
export type Role = (typeof roles)[number];

export interface Internet {
  readonly attacker: Attacker;
  /** A loopback address that nobody else is given, for servers of another kind. */
  address(): string;
  /** PEM of the authority that the attacker's certificates come from: stands for the public ones that everybody trusts. */
  readonly caPem: string;
  /** Host name to address, as DNS would answer. */
  readonly hosts: Readonly<Record<string, string>>;
  stop(): Promise<void>;
}

/**
 * Starts the attacker's part of the internet on loopback addresses, a host for each role; all names, addresses and ports are
 * random.
 */
export async function startInternet(random: Random, wanted: readonly string[] = roles): Promise<Internet> {
  const authority = await createAuthority('Example Public Authority');
  const network = `127.${random.between(64, 250)}.${random.between(1, 250)}`;
  const places = random.shuffle(Array.from({ length: 250 }, (_, place) => place + 2));
  const address = () => `${network}.${places.pop()}`;
  const planned = await Promise.all(
    wanted.map(async (role) => {
      // `.example` is reserved (RFC 2606): no such name can belong to anybody.
      const host = `${random.pick(['cdn', 'static', 'api', 'img', 'updates', 'metrics'])}-${random.word(7)}.example`;
      const at = address();
      return { host, address: at, role, ...(await authority.issue(host, at)) };
    }),
  );
  const attacker = await startAttacker(planned);
  return {
    attacker,
    address,
    caPem: authority.cert,
    hosts: Object.fromEntries(planned.map((one) => [one.host, one.address])),
    stop: () => attacker.stop(),
  };
}

/** The attacker's host for a role. @throws Error when there is none. */
export function hostFor({ hosts }: Attacker, role: string): AttackerHost {
  const found = hosts.find((host) => host.role === role);
  if (!found) throw new Error(`The attacker has no host for the role ${role}.`);
  return found;
}
