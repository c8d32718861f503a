import { exactly, literally, type Step, type StepMatch } from './ground-truth.ts';

/** Functions of the shop by the names that the stack gives them. */
export const functions = {
  purchase: 'hello-retail-purchase',
  getPrice: 'hello-retail-get-price',
  authorizeCc: 'hello-retail-authorize-cc',
  storeCc: 'hello-retail-store-cc',
  publish: 'hello-retail-publish',
} as const;

/** The runtime's process; its program is known only where it was seen starting. */
const runtime = 'node|python|bootstrap';

/** A client's request and the user agent that it named. */
export interface Entry {
  readonly requestId: string;
  readonly userAgent: string;
}

/** The steps of a story, put together from what every attack on this shop has in common. */
export class Story {
  readonly steps: Step[] = [];

  /** From here on, what is added is upstream of these hosts. */
  upstreamOf: readonly string[];

  constructor(upstreamOf: readonly string[]) {
    this.upstreamOf = upstreamOf;
  }

  attack(what: string, match: StepMatch): this {
    this.steps.push({ what, match, role: 'attack', upstreamOf: this.upstreamOf });
    return this;
  }

  context(what: string, match: StepMatch): this {
    this.steps.push({ what, match, role: 'context', upstreamOf: this.upstreamOf });
    return this;
  }

  /** A client's request arrives at purchase, which asks for the price. */
  arrives(what: string, { requestId, userAgent }: Entry): this {
    const { purchase, getPrice } = functions;
    return this.attack(`${what}: the client`, { kind: 'client', label: literally(userAgent) })
      .attack(`${what}: the request`, { kind: 'request', label: '', function: purchase, entry: requestId })
      .attack(`${what}: purchase handles it`, {
        kind: 'process',
        label: runtime,
        function: purchase,
        entry: requestId,
      })
      .context(`${what}: purchase asks get-price`, invokes(purchase, requestId))
      .runs('get-price answers', getPrice, requestId, 'context')
      .context('get-price reads the price list', {
        kind: 'exchange',
        label: ':GetItem',
        function: getPrice,
        entry: requestId,
      })
      .context('the price list', { kind: 'resource', label: 'hello-retail-prices' });
  }

  /** Purchase has the card authorised; a card that was given is stored first. */
  authorizes({ requestId }: Entry, card: 'given' | 'stored'): this {
    const { purchase, authorizeCc, storeCc } = functions;
    this.attack('purchase invokes authorize-cc', invokes(purchase, requestId));
    this.runs('authorize-cc', authorizeCc, requestId, 'attack').context("the shell that computes the name's fingerprint", {
      kind: 'process',
      label: 'sh|process',
      function: authorizeCc,
      entry: requestId,
    });
    if (card === 'stored') {
      return this.context('authorize-cc reads the stored card', {
        kind: 'exchange',
        label: ':GetItem',
        function: authorizeCc,
        entry: requestId,
      }).context('the stored cards', cardsTable);
    }
    return this.context('authorize-cc has the card stored', invokes(authorizeCc, requestId))
      .runs('store-cc', storeCc, requestId, 'context')
      .context('store-cc writes it', { kind: 'exchange', label: ':PutItem', function: storeCc, entry: requestId });
  }

  /** Publish, invoked by `caller`, sends what it was told to a host of the attacker. */
  publishes(what: string, caller: string, { requestId }: Entry, host: string, path: string): this {
    return this.attack(`${what}: ${caller} invokes publish`, invokes(caller, requestId))
      .runs(`${what}: publish`, functions.publish, requestId, 'attack')
      .context('publish puts it on the event bus', {
        kind: 'exchange',
        label: ':PutEvents',
        function: functions.publish,
        entry: requestId,
      })
      .attack(`${what}: publish sends it out`, {
        kind: 'exchange',
        label: `^POST https://${literally(host + path)}`,
        function: functions.publish,
        entry: requestId,
      })
      .attack(`${what}: the attacker's host`, { kind: 'endpoint', label: exactly(host) });
  }

  runs(what: string, fn: string, entry: string, role: Step['role']): this {
    return this[role](`${what}: the request`, { kind: 'request', label: '', function: fn, entry })[role](
      `${what}: its runtime`,
      {
        kind: 'process',
        label: runtime,
        function: fn,
        entry,
      },
    );
  }
}

export const cardsTable: StepMatch = { kind: 'resource', label: 'hello-retail-cards' };

export function invokes(caller: string, entry: string): StepMatch {
  return { kind: 'exchange', label: ':Invoke', function: caller, entry };
}
