import { describe, expect, it } from 'vitest';
import { fileId, hostId, processId, requestId, requestPartition } from '../../../functions/graph/ids.ts';
import { story } from '../../../functions/graph/story.ts';
import { walk } from '../../../functions/graph/walk.ts';
import { workflow } from '../../../functions/graph/workflow.ts';
import { containerReuse, handOver } from '../attacks.ts';
import { provenanceOf } from '../memory-source.ts';
import { Clock, Recorded } from '../scenario.ts';

describe('trace', () => {
  it('backward holds the entry request, forward from it the place where the data went', async () => {
    const { instances, cards } = containerReuse();
    const entry = requestId(cards.id, requestPartition('req-plant'));
    const backward = await walk(provenanceOf(instances), hostId('drop.evil'), { direction: 'backward', limit: 1000 });
    expect(backward.visits.map(({ node }) => node)).toContain(entry);
    const forward = await walk(provenanceOf(instances), entry, { direction: 'forward', limit: 1000 });
    expect(forward.visits.map(({ node }) => node)).toContain(hostId('drop.evil'));
    expect(forward.visits.map(({ node }) => node)).toContain(requestId(cards.id, requestPartition('req-use')));
  });

  it('does not blame a read for what was written only afterwards, nor a writer whose content was replaced before', async () => {
    const one = new Recorded('f', new Clock());
    one.begin('r1');
    const first = one.spawn(one.runtime, 31, ['a']);
    one.write(first, '/tmp/f');
    const second = one.spawn(one.runtime, 32, ['b']);
    one.write(second, '/tmp/f');
    const reader = one.spawn(one.runtime, 33, ['c']);
    one.read(reader, '/tmp/f');
    const third = one.spawn(one.runtime, 34, ['d']);
    one.write(third, '/tmp/f');
    one.end();
    const unit = (proc: typeof first) => processId(one.id, requestPartition('r1'), proc);
    const { visits } = await walk(provenanceOf([one]), unit(reader), { direction: 'backward', limit: 100 });
    const seen = visits.map(({ node }) => node);
    expect(seen).toContain(fileId(one.id, '/tmp/f'));
    expect(seen).toContain(unit(second));
    expect(seen).not.toContain(unit(first));
    expect(seen).not.toContain(unit(third));
  });

  it('names the frontier when a budget ends it', async () => {
    const one = new Recorded('f', new Clock());
    one.begin('r');
    for (let i = 0; i < 300; i++) one.exchange(one.runtime, { host: `h${i}.example`, request: { bytes: 9 } });
    one.end();
    const unit = processId(one.id, requestPartition('r'), one.runtime);
    const { visits, frontier } = await walk(provenanceOf([one]), unit, { direction: 'forward', limit: 50 });
    expect(visits).toHaveLength(50);
    expect(frontier).toContainEqual({ node: unit, why: 'limit' });
  });

  it('ends on a cycle that forged records make', async () => {
    const clock = new Clock();
    const a = new Recorded('a', clock);
    const b = new Recorded('b', clock);
    a.begin('ra', { type: 'invoke' }, [{ key: 'sqs:loop1', sure: 'exact' }]);
    b.begin('rb', { type: 'invoke' }, [{ key: 'sqs:loop2', sure: 'exact' }]);
    a.aws(a.runtime, 'sqs', 'SendMessage', ['sqs:loop2', 'sqs:loop1']);
    b.aws(b.runtime, 'sqs', 'SendMessage', ['sqs:loop1']);
    a.write(a.runtime, '/tmp/a');
    a.add(a.runtime, { kind: 'file-change', op: 'rename', path: '/tmp/a', to: '/tmp/b' });
    a.add(a.runtime, { kind: 'file-change', op: 'symlink', path: '/tmp/b', to: '/tmp/a' });
    a.read(a.runtime, '/tmp/a');
    b.exchange(b.runtime, { host: 'drop.evil', request: { bytes: 5 } });
    const { visits } = await walk(provenanceOf([a, b]), hostId('drop.evil'), { direction: 'backward', limit: 1000 });
    expect(visits.map(({ node }) => node)).toContain(requestId(a.id, requestPartition('ra')));
    const told = await story(provenanceOf([a, b]), hostId('drop.evil'), { limit: 500, inputs: 'all' });
    expect(told.requests).toHaveLength(2);
  });

  it('does not let one instance speak for the files and processes of another', async () => {
    const clock = new Clock();
    const good = new Recorded('good', clock);
    const evil = new Recorded('evil', clock);
    good.begin('r1');
    good.read(good.runtime, '/tmp/cache');
    good.exchange(good.runtime, { host: 'partner.example', request: { bytes: 5 } });
    evil.begin('r1');
    evil.begin('r1', { type: 'invoke' }, [{ key: `file:${good.id}:/tmp/cache`, sure: 'exact' }]);
    evil.exchange(evil.runtime, {
      keys: [
        { key: `proc:${good.id}:${good.runtime}`, sure: 'exact' },
        { key: `file:file:${good.id}:/tmp/cache`, sure: 'exact' },
      ],
    });
    const told = await story(provenanceOf([good, evil]), hostId('partner.example'), { limit: 500, inputs: 'all' });
    expect(told.instances).toEqual([good.id]);
  });
});

describe('workflow', () => {
  it('is all that exact joins connect to a request, asked from either end', async () => {
    const { instances, a, b } = handOver('sqs');
    for (const [one, req] of [
      [a, 'req-a'],
      [b, 'req-b'],
    ] as const) {
      const { graph, requests } = await workflow(provenanceOf(instances), [requestId(one.id, requestPartition(req))], 10);
      expect([...requests].sort()).toEqual(
        [requestId(a.id, requestPartition('req-a')), requestId(b.id, requestPartition('req-b'))].sort(),
      );
      expect(graph.edges().filter(({ arrive }) => arrive !== undefined)).toHaveLength(1);
    }
  });
});
