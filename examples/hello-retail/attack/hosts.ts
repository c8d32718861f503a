import { type Attacker, type AttackerHost, startAttacker } from './attacker.ts';
import { createAuthority } from './certificates.ts';
import type { Random } from './random.ts';

/** What the attacker uses a host for. Attack 1: `tool` hands out the tool, `exfil` and `relay` receive. Attack 2: `fence` receives. */
export const roles = ['tool', 'exfil', 'relay', 'fence'] as const;
export type Role = (typeof roles)[number];

export interface Internet {
  readonly attacker: Attacker;
  /** PEM of the authority that the attacker's certificates come from: stands for the public ones that everybody trusts. */
  readonly caPem: string;
  /** Host name to address, as DNS would answer. */
  readonly hosts: Readonly<Record<string, string>>;
  stop(): Promise<void>;
}

/** Starts the attacker's part of the internet on loopback addresses; all names, addresses and ports are random. */
export async function startInternet(random: Random): Promise<Internet> {
  const authority = await createAuthority('Example Public Authority');
  const network = `127.${random.between(64, 250)}.${random.between(1, 250)}`;
  const places = random.shuffle(Array.from({ length: 250 }, (_, place) => place + 2));
  const planned = await Promise.all(
    roles.map(async (role, index) => {
      // `.example` is reserved (RFC 2606): no such name can belong to anybody.
      const host = `${random.pick(['cdn', 'static', 'api', 'img', 'updates', 'metrics'])}-${random.word(7)}.example`;
      const address = `${network}.${places[index]}`;
      return { host, address, role, ...(await authority.issue(host, address)) };
    }),
  );
  const attacker = await startAttacker(planned);
  return {
    attacker,
    caPem: authority.cert,
    hosts: Object.fromEntries(planned.map(({ host, address }) => [host, address])),
    stop: () => attacker.stop(),
  };
}

/** The attacker's host for a role. @throws Error when there is none. */
export function hostFor({ hosts }: Attacker, role: Role): AttackerHost {
  const found = hosts.find((host) => host.role === role);
  if (!found) throw new Error(`The attacker has no host for the role ${role}.`);
  return found;
}
