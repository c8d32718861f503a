import type { AttackerHost, Visit } from '../../examples/hello-retail/attack/attacker.ts';
import type { Step } from '../../examples/hello-retail/attack/ground-truth.ts';
import type { Random } from '../../examples/hello-retail/attack/random.ts';
import type { ShopAnswer } from '../../examples/hello-retail/attack/shop.ts';

/** The one odd fact that an investigation starts from. */
export interface Fact {
  readonly what: 'address' | 'domain' | 'file' | 'hash' | 'object' | 'process' | 'request';
  /** As one would type it into a search. */
  readonly q: string;
}

/** What an attack really did, by the attacker's own account: its payloads, the answers it got, what its servers saw. */
export interface Outcome {
  readonly fact: Fact;
  /** `apigw-requestid` of the attacker's requests, and of others' without which it would not have worked. */
  readonly entries: readonly string[];
  readonly steps: readonly Step[];
}

/** A text that somebody had converted, be it a visitor or an attacker. */
export interface Converted {
  /** The client, by its name. */
  readonly agent: string;
  readonly id: string;
  readonly text: string;
  readonly requestId: string;
}

/** What an attack is given. */
export interface World {
  readonly random: Random;
  /** Bucket of the desk. */
  readonly bucket: string;
  /** Address of the inner API, which an attacker learns from an error message or guesses. */
  readonly innerUrl: string;
  /** HTTPS server of the attacker for one of the scenario's roles. */
  host(role: string): AttackerHost;
  /** What a host of the attacker hands out from now on. */
  serve(role: string, path: string, content: string): void;
  /** What reached a host of the attacker. */
  visits(role: string): readonly Visit[];
  /** A loopback address of the attacker's own, for servers of another kind. */
  address(): string;
  /** A client of the attacker's, told by its name. */
  agent(): string;
  call(method: 'GET' | 'POST', path: string, options: { readonly body?: unknown; readonly agent: string }): Promise<ShopAnswer>;
  /** What has been converted so far: the driver sent it, so it knows. */
  converted(): readonly Converted[];
  /** Lets others go on: visitors, and the other attacks. */
  turn(): Promise<void>;
  /** Lets others go on until something has happened, or half a minute is over. */
  until(happened: () => boolean): Promise<void>;
  /** Called when all is over. */
  atEnd(stop: () => Promise<void>): void;
  log(line: string): void;
}

export interface Scenario {
  /** As `--only` takes it. */
  readonly name: string;
  /** In a sentence. */
  readonly what: string;
  readonly starts: Fact['what'];
  /** HTTPS servers that the attacker needs. */
  readonly hosts: readonly string[];
  /** @throws Error when the attack did not work. */
  run(world: World): Promise<Outcome>;
}
