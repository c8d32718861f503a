import type { Random } from '../../examples/hello-retail/attack/random.ts';

/** An attack, given what lets the others go on; settles when it is done. */
export type Attack = (turn: () => Promise<void>) => Promise<void>;

/** How often a visitor comes at the same time as a step of an attack. */
const TOGETHER = 0.5;

/**
 * Attacks and visitors in random order, cut at the attacks' turns. One goes on at a time, but visitors come along with steps of
 * attacks: so they meet in instances, queues and batches.
 * @throws Error what a visitor threw; attacks keep their errors to themselves
 */
export async function interleave(
  attacks: readonly Attack[],
  visitors: readonly (() => Promise<unknown>)[],
  random: Random,
): Promise<void> {
  const waiting: (() => Promise<boolean>)[] = attacks.map(startable);
  const left = [...visitors];
  while (waiting.length + left.length > 0) {
    const drawn = random.between(0, waiting.length + left.length - 1);
    const go = waiting[drawn];
    if (go === undefined) {
      await left.pop()?.();
      continue;
    }
    const beside = random.next() < TOGETHER ? left.pop()?.() : undefined;
    const [more] = await Promise.all([go(), beside]);
    if (!more) waiting.splice(drawn, 1);
  }
}

/** @returns what goes on to the attack's next turn, and tells whether there will be another. */
function startable(attack: Attack): () => Promise<boolean> {
  let goOn = () => {};
  let paused = () => {};
  let done: Promise<false> | undefined;
  const turn = () => {
    paused();
    return new Promise<void>((resolve) => {
      goOn = resolve;
    });
  };
  return async () => {
    const atTurn = new Promise<true>((resolve) => {
      paused = () => resolve(true);
    });
    if (done === undefined) done = attack(turn).then(() => false as const);
    else goOn();
    return Promise.race([atTurn, done]);
  };
}
