import { describe, expect, it } from 'vitest';
import { hostId, type NodeId, type Partition, requestId, requestPartition } from '../../../functions/graph/ids.ts';
import { story } from '../../../functions/graph/story.ts';
import { walk } from '../../../functions/graph/walk.ts';
import { workflow } from '../../../functions/graph/workflow.ts';
import type { JoinKey, Trigger } from '../../../layers/record/types.ts';
import { provenanceOf } from '../memory-source.ts';
import { Clock, Recorded } from '../scenario.ts';

const exact = (...keys: string[]): JoinKey[] => keys.map((key) => ({ key, sure: 'exact' }));
const guess = (...keys: string[]): JoinKey[] => keys.map((key) => ({ key, sure: 'inferred' }));
const node = (one: Recorded, req: string): NodeId => requestId(one.id, requestPartition(req));

/** A world of functions whose requests do nothing but what a test says. */
function world() {
  const clock = new Clock();
  const instances: Recorded[] = [];
  return {
    clock,
    instances,
    fn(name: string): Recorded {
      const one = new Recorded(name, clock);
      instances.push(one);
      return one;
    },
    /** Nodes upstream (downstream) of one. */
    async reached(start: NodeId, direction: 'backward' | 'forward', exactOnly = false): Promise<Set<NodeId>> {
      const found = await walk(provenanceOf(instances), start, { direction, limit: 1000, exactOnly });
      return new Set(found.visits.map((visit) => visit.node));
    },
    async causes(of: NodeId) {
      const graph = provenanceOf(instances);
      await graph.find(of);
      return (await graph.causesOf(of, Number.MAX_SAFE_INTEGER)).filter(
        ({ op, arrive }) => op === 'invoke' && arrive !== undefined,
      );
    },
    async effects(of: NodeId) {
      const graph = provenanceOf(instances);
      await graph.find(of);
      return (await graph.effectsOf(of, 0)).filter(({ op, arrive }) => op === 'invoke' && arrive !== undefined);
    },
  };
}

function received(one: Recorded, req: string, keys: readonly JoinKey[], trigger: Trigger = { type: 'sqs' }): NodeId {
  one.begin(req, trigger, keys);
  one.end();
  return node(one, req);
}

describe('fan-out and batches', () => {
  it('joins one publication to every function behind every queue, and each of them to it', async () => {
    const w = world();
    const sender = w.fn('sender');
    sender.begin('r');
    sender.aws(sender.runtime, 'sns', 'Publish', ['sns:n1']);
    sender.end();
    const effects = ['a', 'b', 'c'].map((name, i) => received(w.fn(name), `r-${name}`, exact(`sqs:q${i}`, 'sns:n1')));
    const other = received(w.fn('d'), 'r-d', exact('sqs:q9', 'sns:n2'));
    const forward = await w.reached(node(sender, 'r'), 'forward', true);
    for (const effect of effects) {
      expect(forward).toContain(effect);
      expect(await w.reached(effect, 'backward', true)).toContain(node(sender, 'r'));
    }
    expect(forward).not.toContain(other);
  });

  it('joins a batch to the sender of each of its entries, and to nobody else', async () => {
    const w = world();
    const senders = ['a', 'b', 'c'].map((name) => {
      const one = w.fn(name);
      one.begin(`r-${name}`);
      one.aws(one.runtime, 'sqs', 'SendMessage', [`sqs:${name}`]);
      one.end();
      return one;
    });
    const batch = received(w.fn('receiver'), 'r', exact('sqs:a', 'sqs:c'));
    const causes = await w.causes(batch);
    expect(causes.map(({ by }) => by).sort()).toEqual(['sqs:a', 'sqs:c']);
    const upstream = await w.reached(batch, 'backward');
    expect(senders.map((one) => upstream.has(node(one, `r-${one.fn}`)))).toEqual([true, false, true]);
  });
});

describe('what a service hands on of a result', () => {
  it('joins the record of a destination to the request that it is about', async () => {
    const w = world();
    const worker = w.fn('worker');
    worker.begin('r-work');
    worker.end();
    worker.begin('r-other');
    worker.end();
    const told = received(w.fn('told'), 'r-told', exact('outcome:r-work'), { type: 'invoke' });
    const [cause, ...others] = await w.causes(told);
    expect(cause).toMatchObject({ from: node(worker, 'r-work'), sure: 'exact', by: 'outcome:r-work' });
    expect(others).toEqual([]);
    expect((await w.effects(node(worker, 'r-work'))).map(({ to }) => to)).toEqual([told]);
    expect(await w.effects(node(worker, 'r-other'))).toEqual([]);
    const { requests } = await workflow(provenanceOf(w.instances), [node(worker, 'r-work')], 10);
    expect(requests).toContain(told);
  });

  it('joins a state to the one whose result it was given, as a guess', async () => {
    const w = world();
    const first = w.fn('first');
    first.begin('r1');
    first.end(guess('payload:aa'));
    const second = w.fn('second');
    second.begin('r2', { type: 'stepfunctions' }, guess('payload:aa'));
    second.exchange(second.runtime, { host: 'drop.evil', request: { bytes: 9 } });
    // It answers what it was asked: it did not cause itself.
    second.end(guess('payload:aa'));
    const unrelated = received(w.fn('third'), 'r3', guess('payload:bb'), { type: 'invoke' });
    expect(await w.causes(node(second, 'r2'))).toMatchObject([{ from: node(first, 'r1'), sure: 'inferred', by: 'payload:aa' }]);
    expect((await w.effects(node(first, 'r1'))).map(({ to }) => to)).toEqual([node(second, 'r2')]);
    expect(await w.causes(unrelated)).toEqual([]);
    const asked = { limit: 100, inputs: 'data' } as const;
    const told = await story(provenanceOf(w.instances), hostId('drop.evil'), asked);
    expect(told.steps.find((step) => step.node === node(first, 'r1'))).toMatchObject({ sure: 'inferred', by: 'payload:aa' });
    const sure = await story(provenanceOf(w.instances), hostId('drop.evil'), { ...asked, exactOnly: true });
    expect(sure.requests.map((one) => one.requestId)).toEqual(['r2']);
    expect(await w.reached(node(first, 'r1'), 'forward', true)).not.toContain(node(second, 'r2'));
  });

  it('prefers an exact cause to any guess, from both ends', async () => {
    const w = world();
    const maker = w.fn('maker');
    maker.begin('r-make');
    maker.end(guess('payload:aa'));
    const caller = w.fn('caller');
    caller.begin('r-call');
    caller.aws(caller.runtime, 'lambda', 'Invoke', ['lambda:r-do'], [], 202);
    caller.end();
    const done = received(w.fn('doer'), 'r-do', guess('payload:aa'), { type: 'invoke' });
    expect((await w.causes(done)).map(({ by }) => by)).toEqual(['lambda:r-do']);
    expect(await w.effects(node(maker, 'r-make'))).toEqual([]);
  });

  it('prefers of several guesses one of the same trace, else the latest, and never one that came later', async () => {
    const w = world();
    const makers = ['old', 'traced', 'latest'].map((name) => {
      const one = w.fn(name);
      one.begin(`r-${name}`, { type: 'invoke' }, guess(name === 'traced' ? 'trace:1-aa' : `trace:${name}`));
      one.end(guess('payload:aa'));
      return node(one, `r-${name}`);
    });
    const traced = received(w.fn('x'), 'r-x', guess('payload:aa', 'trace:1-aa'), { type: 'invoke' });
    const plain = received(w.fn('y'), 'r-y', guess('payload:aa'), { type: 'invoke' });
    const late = w.fn('late');
    late.begin('r-late');
    late.end(guess('payload:aa'));
    expect((await w.causes(traced)).map(({ from }) => from)).toEqual([makers[1]]);
    expect((await w.causes(plain)).map(({ from }) => from)).toEqual([makers[2]]);
    expect(await w.effects(makers[0] as NodeId)).toEqual([]);
  });
});

describe('a load balancer', () => {
  const root = 'trace:1-67891233-abcdef';
  const alb = (path: string): Trigger => ({ type: 'alb', method: 'POST', path, sourceIp: '203.0.113.9' });
  it('is seen through by the trace and what was asked for, as a guess', async () => {
    const w = world();
    const caller = w.fn('caller');
    caller.begin('r', { type: 'invoke' }, guess(root));
    const call = caller.exchange(caller.runtime, { host: 'lb.example', method: 'POST', path: '/buy', keys: guess(root) });
    caller.aws(caller.runtime, 'sqs', 'SendMessage', ['sqs:1']);
    caller.end();
    const bought = received(w.fn('shop'), 'r-buy', guess(root), alb('/buy'));
    const looked = received(w.fn('show'), 'r-look', guess(root), alb('/look'));
    const sent = received(w.fn('work'), 'r-work', [...exact('sqs:1'), ...guess(root)]);
    const exchange = `exchange:${caller.id}:r:${call}` as NodeId;
    expect(await w.causes(bought)).toMatchObject([{ from: exchange, sure: 'inferred', by: root }]);
    expect((await w.effects(exchange)).map(({ to }) => to)).toEqual([bought]);
    expect(await w.causes(looked)).toEqual([]);
    expect((await w.causes(sent)).map(({ by }) => by)).toEqual(['sqs:1']);
  });
});

describe('containers that speak HTTP to each other', () => {
  it('join by the id of the call, as a guess because any caller may choose it, and so is the answer', async () => {
    const w = world();
    const caller = w.fn('caller');
    const callee = w.fn('callee');
    caller.begin('r');
    const from = w.clock.tick();
    callee.begin('c-1', { type: 'http' }, guess('call:c-1'));
    callee.end();
    const id = caller.exchange(caller.runtime, { from, host: 'callee', keys: guess('call:c-1') });
    caller.end();
    const exchange = `exchange:${caller.id}:r:${id}` as NodeId;
    expect(await w.causes(node(callee, 'c-1'))).toMatchObject([{ from: exchange, sure: 'inferred' }]);
    const graph = provenanceOf(w.instances);
    await graph.find(exchange);
    const replies = (await graph.causesOf(exchange, Number.MAX_SAFE_INTEGER)).filter(
      ({ op, arrive }) => op === 'reply' && arrive,
    );
    expect(replies).toMatchObject([{ from: node(callee, 'c-1'), sure: 'inferred' }]);
  });

  it('do not join a request to the call that it makes itself under the id of its own caller', async () => {
    const w = world();
    const middle = w.fn('middle');
    middle.begin('c-1', { type: 'http' }, guess('call:c-1'));
    const id = middle.exchange(middle.runtime, { host: 'last', keys: guess('call:c-1') });
    middle.end();
    const exchange = `exchange:${middle.id}:c-1:${id}` as NodeId;
    expect(await w.causes(node(middle, 'c-1'))).toEqual([]);
    expect(await w.effects(exchange)).toEqual([]);
    const graph = provenanceOf(w.instances);
    await graph.find(exchange);
    const joined = (await graph.causesOf(exchange, Number.MAX_SAFE_INTEGER)).filter(({ arrive }) => arrive !== undefined);
    expect(joined).toEqual([]);
  });
});

describe('a stream of a table', () => {
  it('leads from the request it caused to the writer of that state of the item, over exact edges, and back', async () => {
    const w = world();
    const item = (state: string) => `ddb:orders@${state.padStart(32, '0')}`;
    const writer = w.fn('writer');
    for (const state of ['1', '2']) {
      writer.begin(`w${state}`);
      writer.aws(writer.runtime, 'dynamodb', 'PutItem', [], [{ type: 'table-item', id: item(state), access: 'write' }]);
      writer.end();
    }
    const reader = w.fn('reader');
    reader.begin('r', { type: 'dynamodb' }, [], [{ type: 'table-item', id: item('2'), access: 'read' }]);
    reader.exchange(reader.runtime, { host: 'drop.evil', request: { bytes: 9 } });
    reader.end();
    expect(await w.reached(node(writer, 'w2'), 'forward', true)).toContain(node(reader, 'r'));
    expect(await w.reached(node(writer, 'w1'), 'forward', true)).not.toContain(node(reader, 'r'));
    const told = await story(provenanceOf(w.instances), hostId('drop.evil'), { limit: 100, inputs: 'data', exactOnly: true });
    expect(told.requests.map((one) => one.requestId).sort()).toEqual(['r', 'w2']);
    for (const start of [node(reader, 'r'), node(writer, 'w2')]) {
      const { requests } = await workflow(provenanceOf(w.instances), [start], 10);
      expect([...requests].sort()).toEqual([node(reader, 'r'), node(writer, 'w2')].sort());
    }
  });
});

describe('what belongs to no single request', () => {
  it('is kept apart: between requests, and while several of them ran', async () => {
    const w = world();
    const one = w.fn('f');
    one.begin('r');
    one.end();
    one.idle();
    one.write(one.runtime, '/tmp/idle');
    const [last] = one.records.slice(-1);
    if (last?.kind === 'file-close') one.records.push({ ...last, seq: last.seq + 1, phase: 'invoke', path: '/tmp/both' });
    const graph = provenanceOf(w.instances);
    const files = async (partition: string) => {
      const local = await graph.local(one.id, partition as Partition, node(one, 'r'));
      return [...(local?.nodes.values() ?? [])].flatMap((found) => (found.kind === 'file' ? [found.path] : []));
    };
    expect(await files('~idle')).toEqual(['/tmp/idle']);
    expect(await files('~concurrent')).toEqual(['/tmp/both']);
    expect(await files('r')).toEqual([]);
  });
});
