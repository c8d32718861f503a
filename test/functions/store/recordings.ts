import fc from 'fast-check';
import type { ProcessId } from '../../../layers/record/types.ts';
import { containerReuse, handOver, survivingProcess, tamperedAnswer } from '../attacks.ts';
import { Clock, Recorded, START, type Stored } from '../scenario.ts';

/** What instances recorded, and how it was cut into segments. */
export interface Recording {
  readonly instances: readonly Recorded[];
  readonly segments: readonly (Stored & { /** µs: when S3 took it. */ readonly received: number })[];
}

const told: readonly (() => readonly Recorded[])[] = [
  () => containerReuse().instances,
  () => survivingProcess().instances,
  () => tamperedAnswer().instances,
  () => handOver('s3').instances,
  () => handOver('sqs').instances,
];

/** One thing that an instance does; names come from so few that instances, requests and processes meet over them. */
interface Act {
  readonly what: keyof typeof ACTS;
  readonly who: number;
  readonly a: number;
  readonly b: number;
}

/** An instance and the processes it has. */
interface Actor {
  readonly one: Recorded;
  readonly processes: ProcessId[];
  begun: number;
}

const path = (n: number) => ['/tmp/a', '/tmp/b', '/var/task/index.js', '/tmp/a b#c%d', '/etc/passwd'][n % 5] ?? '/';
const host = (n: number) => ['drop.evil', 'example.com', 'b.example.com'][n % 3] ?? '';
const addr = (n: number) => `127.66.0.${n % 4}`;
const proc = ({ processes }: Actor, n: number) => processes[n % processes.length] as ProcessId;

const ACTS = {
  begin: (actor: Actor, a: number, b: number) => {
    const triggers = [
      [{ type: 'invoke' }, []],
      [{ type: 'http', sourceIp: addr(b), userAgent: 'curl/8', method: 'GET', path: '/' }, [`apigw:a${b}`]],
      [{ type: 'sqs', source: 'orders' }, [`sqs:m${b}`]],
      [{ type: 's3', source: 'bucket' }, [`s3req:R${b}`]],
    ] as const;
    const [trigger, keys] = triggers[a % triggers.length] ?? triggers[0];
    // Now and then an id that is already taken, by this instance or by another one.
    const id = b === 0 ? `again-${a % 2}` : `${actor.one.id.slice(-6)}-${actor.begun++}`;
    actor.one.begin(
      id,
      trigger,
      keys.map((key) => ({ key, sure: 'exact' as const })),
    );
  },
  end: ({ one }: Actor) => one.end(),
  idle: ({ one }: Actor) => one.idle(),
  spawn: (actor: Actor, a: number, b: number) =>
    actor.processes.push(actor.one.spawn(proc(actor, a), 40 + (b % 3), ['sh', '-c', `x ${a}`])),
  exit: (actor: Actor, a: number) => actor.one.exit(proc(actor, a)),
  read: (actor: Actor, a: number, b: number) => actor.one.read(proc(actor, a), path(b)),
  write: (actor: Actor, a: number, b: number) => actor.one.write(proc(actor, a), path(b)),
  unlink: (actor: Actor, a: number, b: number) =>
    actor.one.add(proc(actor, a), { kind: 'file-change', op: 'unlink', path: path(b) }),
  rename: (actor: Actor, a: number, b: number) =>
    actor.one.add(proc(actor, a), { kind: 'file-change', op: 'rename', path: path(a), to: path(b) }),
  lookup: (actor: Actor, a: number, b: number) =>
    actor.one.add(proc(actor, a), { kind: 'dns', name: host(b), addrs: [addr(b), addr(a)] }),
  connect: (actor: Actor, a: number, b: number) => {
    const peer = { addr: addr(b), port: 443, proto: 'tcp' } as const;
    actor.one.add(proc(actor, a), { kind: 'socket-connect', peer, fd: 5, localPort: 40_000 + a, steered: a % 2 === 0 });
    actor.one.add(proc(actor, a), { kind: 'socket-close', peer, fd: 5, received: 10 * a, sent: b });
  },
  exchange: (actor: Actor, a: number, b: number) =>
    actor.one.exchange(proc(actor, a), { host: host(b), addr: addr(a), method: a % 2 === 0 ? 'GET' : 'POST' }),
  message: ({ one, ...rest }: Actor, a: number, b: number) =>
    one.aws(
      proc({ one, ...rest }, a),
      'sqs',
      'SendMessage',
      [`sqs:m${b}`],
      [{ type: 'queue', id: 'sqs:orders', access: 'write' }],
    ),
  object: ({ one, ...rest }: Actor, a: number, b: number) => {
    const access = a % 2 === 0 ? ('read' as const) : ('write' as const);
    const resource = { type: 's3-object', id: `s3://bucket/key@v${b}`, access } as const;
    one.aws(proc({ one, ...rest }, a), 's3', access === 'read' ? 'GetObject' : 'PutObject', [`s3req:R${b}`], [resource]);
  },
  item: ({ one, ...rest }: Actor, a: number, b: number) =>
    one.aws(
      proc({ one, ...rest }, a),
      'dynamodb',
      'PutItem',
      [],
      [{ type: 'table-item', id: `ddb:cards/${b}`, access: 'write' }],
    ),
  lost: ({ one }: Actor, a: number) => one.add(undefined, { kind: 'gap', why: 'ring-full', lost: a + 1 }),
  /** More than one BatchWriteItem takes. */
  flood: (actor: Actor, a: number, b: number) => {
    for (let i = 0; i < 60; i++) actor.one.write(proc(actor, a), `${path(b)}${i}`);
  },
  /** Hours pass, or the clock is set back. */
  jump: ({ one }: Actor, a: number) => {
    one.clock.now += [3_600_000_000, 90_000_000_000, -60_000_000, 1][a % 4] ?? 0;
  },
} as const;

/** Instances that did these things; two of the three run the same function. */
function played(acts: readonly Act[]): readonly Recorded[] {
  const clock = new Clock();
  const actors = ['shop', 'shop', 'mail'].map((fn): Actor => {
    const one = new Recorded(fn, clock);
    return { one, processes: [one.runtime], begun: 0 };
  });
  const wanted = new Set(acts.map(({ who }) => who));
  for (const { what, who, a, b } of acts) {
    const actor = actors[who];
    if (actor !== undefined) ACTS[what](actor, a, b);
  }
  return actors.filter((_, i) => wanted.has(i) || (i === 0 && wanted.size === 0)).map(({ one }) => one);
}

const names = Object.keys(ACTS) as (keyof typeof ACTS)[];
const act = (most: readonly (keyof typeof ACTS)[]) =>
  fc.record({ what: fc.constantFrom(...most), who: fc.nat(2), a: fc.nat(4), b: fc.nat(4) });
const usual = names.filter((name) => name !== 'flood');

/** By the number of a scenario, or what instances do. */
type Story = number | readonly Act[];

/** Mostly small; a few with hundreds of records. */
const stories: fc.Arbitrary<Story> = fc.oneof(
  { weight: 5, arbitrary: fc.array(act(usual), { maxLength: 24 }) },
  { weight: 3, arbitrary: fc.nat(told.length - 1) },
  { weight: 1, arbitrary: fc.array(act(names), { minLength: 20, maxLength: 60 }) },
);

/** µs after the scenarios begin: soon, in another hour, after midnight, and so late that the times told are not believed. */
const ARRIVALS = [3_600_000_000, 7_500_000_000, 50_000_000_000, 3_000_000_000_000];

/** A recording before it is made, in few words. */
interface Plan {
  readonly story: Story;
  /** After these records. */
  readonly cuts: readonly number[];
  /** When segments arrive, over and over. */
  readonly arrivals: readonly number[];
}

export const plans: fc.Arbitrary<Plan> = fc.record({
  story: stories,
  cuts: fc.array(fc.nat(60), { maxLength: 8 }),
  arrivals: fc.array(fc.constantFrom(...ARRIVALS), { minLength: 1, maxLength: 4 }),
});

/** Made anew each time, with new instances. */
export function recorded({ story, cuts, arrivals }: Plan): Recording {
  const instances = typeof story === 'number' ? (told[story]?.() ?? []) : played(story);
  const segments = instances.flatMap((one) => one.segments(cuts));
  const received = (i: number) => START + (arrivals[i % arrivals.length] ?? 0);
  return { instances, segments: segments.map((one, i) => ({ ...one, received: received(i) })) };
}
