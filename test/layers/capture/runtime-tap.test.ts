import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Batch } from '../../../layers/capture/batch.ts';
import { Invocations } from '../../../layers/capture/invocations.ts';
import { Recorder } from '../../../layers/capture/recorder.ts';
import { Redactor } from '../../../layers/capture/redact.ts';
import { RuntimeProcess } from '../../../layers/capture/runtime-process.ts';
import { RuntimeTap } from '../../../layers/capture/runtime-tap.ts';
import { Speakers } from '../../../layers/capture/speakers.ts';
import type { WireEvent } from '../../../layers/capture/wire/event.ts';
import type { AuditRecord, Observation, ProcessId } from '../../../layers/record/types.ts';

/** A process that lives as long as the test does: this one. */
const stat = readFileSync('/proc/self/stat', 'latin1');
const RUNTIME: ProcessId = `${process.pid}@${stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19]}`;
const CHILD: ProcessId = '4194300@1';
const PEER = { addr: '127.0.0.1', port: 9001, proto: 'tcp' } as const;

const GET_NEXT = 'GET /2018-06-01/runtime/invocation/next HTTP/1.1\r\nHost: x\r\n\r\n';
const next = (req: string, event: string): string =>
  `HTTP/1.1 200 OK\r\nLambda-Runtime-Aws-Request-Id: ${req}\r\nLambda-Runtime-Deadline-Ms: 99\r\nContent-Length: ${event.length}\r\n\r\n${event}`;
const post = (req: string, body: string, what = 'response'): string =>
  `POST /2018-06-01/runtime/invocation/${req}/${what} HTTP/1.1\r\nHost: x\r\nContent-Length: ${body.length}\r\n\r\n${body}`;
const ACCEPTED = 'HTTP/1.1 202 Accepted\r\nContent-Length: 2\r\n\r\nOK';
const REFUSED = 'HTTP/1.1 413 Too Large\r\nContent-Length: 0\r\n\r\n';

const open = (path: string): Observation => ({
  ...{ kind: 'file-open', t: 1, proc: RUNTIME, path, mode: 'r', created: false, truncated: false, fd: 3 },
});

/** A connection to the Runtime API, as the shim would tee it. */
function talk(conn: number, proc: ProcessId = RUNTIME) {
  let t = 1_000_000;
  const passed = { sent: 0, received: 0 };
  const event = (sent: boolean, text: string, total = text.length, by = proc): WireEvent => {
    const direction = sent ? 'sent' : 'received';
    const offset = passed[direction];
    passed[direction] += total;
    const leftOut = total > text.length;
    const bytes = Buffer.from(text, 'latin1');
    t += 10;
    return {
      kind: 'bytes',
      conn,
      proc: by,
      t,
      runtimeApi: true,
      sent,
      tls: false,
      hello: false,
      leftOut,
      offset,
      total,
      bytes,
    };
  };
  return {
    opened: (): WireEvent => ({ kind: 'open', conn, proc, t, runtimeApi: true, localPort: 1, peer: PEER }),
    closed: (): WireEvent => ({ kind: 'close', conn, proc, t, runtimeApi: true, tls: false, unread: false, ...passed }),
    says: (text: string, by?: ProcessId) => event(true, text, text.length, by),
    hears: (text: string, total?: number) => event(false, text, total),
  };
}

/** Everything behind the ring that has to do with requests, as the recorder has it. */
function bench({ managed = false } = {}) {
  const batches: Batch[] = [];
  const ring: (Observation | WireEvent)[] = [];
  const sink = { backlogBytes: 0, failing: false, enqueue: (batch: Batch) => void batches.push(batch) };
  const recorder = new Recorder({
    sink,
    redactor: new Redactor(),
    ring: {
      read(take) {
        for (const one of ring.splice(0)) {
          if (one.kind === 'open' || one.kind === 'bytes' || one.kind === 'close') tap.take(one);
          else take(one);
        }
      },
    },
    onEvent: (o) => speakers.learn(o),
  });
  const nothing = (): void => {};
  const invocations = new Invocations({
    ...{ recorder, managed, onAsked: nothing, onBegun: nothing, onDone: nothing },
    losses: () => tap.lost,
  });
  const runtime = new RuntimeProcess('/nowhere');
  const strangers: string[] = [];
  const speakers = new Speakers({ invocations, runtime, managed, onStranger: (detail) => void strangers.push(detail) });
  const tap = new RuntimeTap({
    listener: speakers,
    onIncomplete: (req) => recorder.gap('ring-full', 1, req),
    onExchange: (proc, observation) => {
      if (!speakers.isRuntime({ proc })) recorder.observe(observation());
    },
  });
  const run = (...events: (Observation | WireEvent)[]): void => {
    ring.push(...events);
    recorder.drain();
  };
  const records = (): AuditRecord[] => {
    recorder.cut();
    const lines = (batch: Batch) => batch.body.toString().split('\n').slice(0, batch.records);
    return batches.flatMap((batch) => lines(batch).map((line) => JSON.parse(line) as AuditRecord));
  };
  const places = (): string[] =>
    records().map((r) => `${'path' in r ? r.path : 'status' in r ? `${r.kind} ${r.status}` : r.kind} ${r.req} ${r.phase}`);
  return { run, ring, records, places, tap, speakers, invocations, strangers };
}

describe('what the runtime says to the Runtime API', () => {
  it('cuts the record at the very place where it was said, however late it is read', () => {
    const { run, places } = bench();
    const it = talk(1);
    run(
      ...[it.opened(), open('/init'), it.says(GET_NEXT), open('/before'), it.hears(next('A', '{}')), open('/a')],
      ...[it.says(post('A', '{"ok":1}')), it.hears(ACCEPTED), open('/after'), it.says(GET_NEXT), open('/between')],
      ...[it.hears(next('B', '{}')), open('/b')],
    );
    expect(places()).toEqual([
      '/init null init',
      '/before null init',
      'request-begin A invoke',
      '/a A invoke',
      'request-end ok A invoke',
      '/after A after',
      '/between null idle',
      'request-begin B invoke',
      '/b B invoke',
    ]);
  });

  it('is understood however it is cut into pieces', () => {
    const event = JSON.stringify({
      Records: [{ eventSource: 'aws:sqs', messageId: 'm-1', eventSourceARN: 'a:b:c:d:e:queue' }],
    });
    const story = (pieces: (text: string) => string[]): readonly AuditRecord[] => {
      const { run, records } = bench();
      const it = talk(1);
      run(it.opened());
      const say = (text: string): void => run(...pieces(text).map((piece) => it.says(piece)));
      const hear = (text: string): void => run(...pieces(text).map((piece) => it.hears(piece)));
      say(GET_NEXT);
      hear(next('A', event));
      say(post('A', 'answer', 'error'));
      hear(ACCEPTED);
      say(GET_NEXT);
      return records().map(({ t, ...rest }) => rest) as unknown as AuditRecord[];
    };
    const whole = story((text) => [text]);
    expect(whole[0]).toMatchObject({
      kind: 'request-begin',
      keys: expect.arrayContaining([{ key: 'sqs:m-1', sure: 'exact' }]),
    });
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 1, max: 40 }), { minLength: 1, maxLength: 30 }), (cuts) => {
        const pieces = (text: string): string[] => {
          const found: string[] = [];
          for (let at = 0, i = 0; at < text.length; i++) {
            const size = cuts[i % cuts.length]!;
            found.push(text.slice(at, at + size));
            at += size;
          }
          return found;
        };
        expect(story(pieces)).toEqual(whole);
      }),
      { numRuns: 50 },
    );
  });

  it('does not end a request as long as the platform has not taken the answer', () => {
    const { run, places } = bench();
    const it = talk(1);
    run(it.says(GET_NEXT), it.hears(next('A', '{}')), it.says(post('A', 'too much')), it.hears(REFUSED), open('/still'));
    run(it.says(post('A', '{}', 'error')), it.hears(ACCEPTED), it.says(GET_NEXT));
    expect(places()).toEqual(['request-begin A invoke', '/still A invoke', 'request-end error A invoke']);
  });

  it.each(['killed', 'closed'])(
    'counts when the runtime ends before it has read what the platform says to its answer: %s',
    (how) => {
      const { run, places, tap, invocations } = bench();
      const it = talk(1);
      run(it.says(GET_NEXT), it.hears(next('A', '{}')), it.says(post('A', '{}')));
      if (how === 'closed') run(it.closed());
      tap.settle(2);
      invocations.fail('A', 'crash');
      expect(places()).toEqual(['request-begin A invoke', 'request-end ok A invoke']);
    },
  );

  it('counts once when the runtime sends its answer again, over another connection', () => {
    const { run, places } = bench();
    const [it, again] = [talk(1), talk(2)];
    run(it.says(GET_NEXT), it.hears(next('A', '{}')), it.says(post('A', '{}')), it.closed());
    run(again.opened(), again.says(post('A', '{}')), again.hears(ACCEPTED), again.says(GET_NEXT));
    expect(places()).toEqual(['request-begin A invoke', 'request-end ok A invoke']);
  });

  it('does not count when it did not leave', () => {
    const { run, places, tap } = bench();
    const it = talk(1);
    run(it.says(GET_NEXT), it.hears(next('A', '{}')), it.says(post('A', '{}')));
    run({ ...it.closed(), sent: 80 } as WireEvent);
    tap.settle(2);
    expect(places()).toEqual(['request-begin A invoke']);
  });

  it('is an error when a streamed answer says so at its end', () => {
    const { run, records } = bench();
    const it = talk(1);
    const head = `POST /2018-06-01/runtime/invocation/A/response HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n`;
    run(it.says(GET_NEXT), it.hears(next('A', '{}')), it.says(head), it.says('3\r\none\r\n'));
    run(it.says('0\r\nLambda-Runtime-Function-Error-Type: Stream.Broken\r\n\r\n'), it.hears(ACCEPTED));
    expect(records().at(-1)).toMatchObject({ status: 'error', errorType: 'Stream.Broken', response: { bytes: 3 } });
  });

  it('starts another instance when a snapshot is restored', () => {
    const { run, records } = bench();
    const it = talk(1);
    run(
      it.says('GET /2018-06-01/runtime/restore/next HTTP/1.1\r\nHost: x\r\n\r\n'),
      it.hears('HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n'),
    );
    expect(records()).toMatchObject([{ kind: 'restore', seq: 0 }]);
  });
});

describe('what the ring could not hold', () => {
  it('of an event is missing from the record, and counted: the size is right, a digest is not given', () => {
    const { run, records } = bench();
    const it = talk(1);
    const [head = '', body = ''] = next('A', 'x'.repeat(100)).split(/(?<=\r\n\r\n)/);
    run(it.says(GET_NEXT), it.hears(head), it.hears(body.slice(0, 10), 100), open('/a'));
    expect(records()).toMatchObject([
      { kind: 'request-begin', req: 'A', event: { bytes: 100 } },
      { path: '/a', req: 'A' },
      { kind: 'gap', why: 'ring-full', lost: 1 },
    ]);
    expect(records()[0]).not.toHaveProperty('event.sha256');
  });

  it('makes it deaf until the next call begins, and a request whose end was in it is lost, not crashed', () => {
    const { run, places, records, tap } = bench();
    const it = talk(1);
    run(it.says(GET_NEXT), it.hears(next('A', '{}')));
    it.says(post('A', '{}'));
    it.hears(ACCEPTED);
    run(it.says(GET_NEXT), it.hears(next('B', '{}')), open('/b'), it.says(post('B', '{}')), it.hears(ACCEPTED));
    run(it.says(GET_NEXT));
    expect(tap.lost).toBeGreaterThan(0);
    expect(places().filter((place) => !place.startsWith('gap'))).toEqual([
      'request-begin A invoke',
      'request-begin B invoke',
      '/b B invoke',
      'request-end ok B invoke',
    ]);
    expect(records().filter(({ kind }) => kind === 'gap')).toMatchObject([{ why: 'shim-lost', lost: 1 }]);
  });
});

describe('another process that talks to the Runtime API', () => {
  const spawned: Observation = { kind: 'process-start', t: 1, proc: CHILD, parent: RUNTIME, exe: '/x', how: 'spawn' };

  it('moves no boundary, also not over a connection that it has from the runtime; what it did is on record', () => {
    const { run, places, records } = bench();
    const it = talk(1);
    run(it.opened(), it.says(GET_NEXT), it.hears(next('A', '{}')), spawned);
    run(it.says(post('A', '{"forged":1}'), CHILD), it.hears(ACCEPTED), open('/a'));
    expect(places().slice(2)).toEqual(['/2018-06-01/runtime/invocation/A/response A invoke', '/a A invoke']);
    expect(records()[2]).toMatchObject({
      kind: 'exchange',
      proc: CHILD,
      method: 'POST',
      status: 202,
      addr: '127.0.0.1',
      port: 9001,
    });
    // The runtime's own answer comes too late.
    run(it.says(post('A', '{}')), it.hears('HTTP/1.1 400 Bad\r\nContent-Length: 0\r\n\r\n'), it.says(GET_NEXT));
    expect(records().at(-1)).toMatchObject({ kind: 'request-end', status: 'ok', response: { bytes: 12 } });
  });

  it.each(['before', 'after'])('has a request of its own when the platform says so, %s it takes it', async (when) => {
    const { run, places, speakers, invocations } = bench();
    const it = talk(1);
    const thief = talk(2, CHILD);
    run(it.says(GET_NEXT), spawned, thief.opened(), thief.says(GET_NEXT));
    if (when === 'before') speakers.announced('B', 5);
    run(thief.hears(next('B', '{}')));
    if (when === 'after') speakers.announced('B', 5);
    run(open('/b'), thief.says(post('B', '{}')), thief.hears(ACCEPTED), open('/idle'));
    await invocations.finished('B');
    expect(places().filter((place) => !place.includes('/runtime/'))).toEqual([
      'process-start null init',
      'request-begin B invoke',
      '/b B invoke',
      'request-end ok B invoke',
      '/idle null idle',
    ]);
  });

  it('has one also when its answer was still to be read when the platform said so', async () => {
    const { run, ring, places, speakers, invocations } = bench();
    const it = talk(1);
    const thief = talk(2, CHILD);
    run(it.says(GET_NEXT), spawned, thief.opened(), thief.says(GET_NEXT), thief.hears(next('B', '{}')));
    ring.push(thief.says(post('B', '{}')), thief.hears(ACCEPTED));
    speakers.announced('B', 5);
    await invocations.finished('B');
    expect(places().filter((place) => place.startsWith('request'))).toEqual([
      'request-begin B invoke',
      'request-end ok B invoke',
    ]);
  });

  it('is the runtime when it is the next program that a script starts for its calls', () => {
    const { run, places } = bench();
    const script = '4194301@1';
    const start = (proc: ProcessId): Observation => ({
      kind: 'process-start',
      t: 1,
      proc,
      parent: script,
      exe: '/bin/curl',
      how: 'spawn',
    });
    const procs = ['4194302@1', '4194303@1', '4194304@1'];
    const [first, second, third] = procs.map((proc, i) => talk(i, proc));
    run(start(procs[0]!), first!.opened(), first!.says(GET_NEXT), first!.hears(next('A', '{}')), first!.closed());
    run(start(procs[1]!), second!.opened(), second!.says(post('A', '{}')), second!.hears(ACCEPTED), second!.closed());
    run(start(procs[2]!), third!.opened(), third!.says(GET_NEXT), open('/idle'));
    expect(places()).toEqual([
      'process-start null init',
      'request-begin A invoke',
      'process-start A invoke',
      'request-end ok A invoke',
      'process-start A after',
      '/idle null idle',
    ]);
  });

  it('counts as the runtime where requests run concurrently', () => {
    const { run, places } = bench({ managed: true });
    const [one, two] = [talk(1), talk(2, CHILD)];
    run(one.says(GET_NEXT), two.says(GET_NEXT), one.hears(next('A', '{}')), two.hears(next('B', '{}')));
    run(two.says(post('B', '{}')), two.hears(ACCEPTED), one.says(post('A', '{}')), one.hears(ACCEPTED));
    expect(places()).toEqual([
      'request-begin A invoke',
      'request-begin B invoke',
      'request-end ok B invoke',
      'request-end ok A invoke',
    ]);
  });

  it('is named as unknown when it goes through the proxy, where the shim does not see it', () => {
    const { run, places, speakers, strangers } = bench();
    const it = talk(1);
    run(it.says(GET_NEXT), it.hears(next('A', '{}')));
    speakers.ended({ port: 5 }, 'A', { status: 'ok', response: { bytes: 1 } }, 9);
    expect(strangers).toEqual(['a program that is not the runtime has answered request A']);
    expect(places()).toEqual(['request-begin A invoke']);
  });
});

it('never throws and holds little, whatever is teed', () => {
  const bytes = fc.oneof(
    fc.constantFrom(GET_NEXT, next('A', '{}'), post('A', 'x'), ACCEPTED, REFUSED, post('A', 'x').slice(0, 30)),
    fc.string({ unit: 'binary', maxLength: 60 }),
  );
  const event = fc.record({
    conn: fc.integer({ min: 0, max: 200 }),
    proc: fc.constantFrom(RUNTIME, CHILD, '', '@', '5@5'),
    sent: fc.boolean(),
    text: bytes,
    skip: fc.constantFrom(0, 0, 0, 5, -3),
    more: fc.constantFrom(0, 0, 7),
    close: fc.constantFrom(false, false, false, true),
  });
  fc.assert(
    fc.property(fc.array(event, { maxLength: 60 }), (events) => {
      const { run, records } = bench();
      const offsets = new Map<string, number>();
      for (const { conn, proc, sent, text, skip, more, close } of events) {
        const of = { conn, proc, t: 1, runtimeApi: true };
        const buffer = Buffer.from(text, 'latin1');
        const offset = Math.max(0, (offsets.get(`${conn} ${sent}`) ?? 0) + skip);
        offsets.set(`${conn} ${sent}`, offset + buffer.length + more);
        if (close) run({ ...of, kind: 'close', tls: false, unread: false, sent: 0, received: 0 });
        else
          run({
            ...of,
            kind: 'bytes',
            sent,
            tls: false,
            hello: false,
            leftOut: more > 0,
            offset,
            total: buffer.length + more,
            bytes: buffer,
          });
      }
      records();
    }),
    { numRuns: 200 },
  );
});
