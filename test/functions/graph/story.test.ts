import { describe, expect, it } from 'vitest';
import { addressId, fileId, hostId, processId, requestId, requestPartition, resourceId } from '../../../functions/graph/ids.ts';
import { story } from '../../../functions/graph/story.ts';
import { type Carrier, containerReuse, handOver, survivingProcess, tamperedAnswer } from '../attacks.ts';
import { provenanceOf } from '../memory-source.ts';
import { Clock, Recorded } from '../scenario.ts';

const OPTIONS = { limit: 500, inputs: 'data' } as const;

describe('story of an exfiltration through container reuse', () => {
  it('holds every step that carried it, and nothing else', async () => {
    const { instances, cards, notify, purchase, curl, sh } = containerReuse();
    const told = await story(provenanceOf(instances), hostId('drop.evil'), OPTIONS);
    const at = (req: string) => requestPartition(req);
    const carried = told.steps.filter(({ role }) => role !== 'touched').map(({ node }) => node);
    expect(new Set(carried)).toEqual(
      new Set([
        hostId('drop.evil'),
        'client:203.0.113.9:curl/8',
        `exchange:${notify.id}:req-notify:x1`,
        processId(notify.id, at('req-notify'), notify.runtime),
        requestId(notify.id, at('req-notify')),
        ...['x5', 'x6'].map((x) => `exchange:${cards.id}:req-use:${x}`),
        processId(cards.id, at('req-use'), cards.runtime),
        requestId(cards.id, at('req-use')),
        `exchange:${purchase.id}:req-buy:x1`,
        processId(purchase.id, at('req-buy'), purchase.runtime),
        requestId(purchase.id, at('req-buy')),
        fileId(cards.id, '/tmp/.x.js'),
        processId(cards.id, at('req-plant'), curl),
        processId(cards.id, at('req-plant'), sh),
        processId(cards.id, at('req-plant'), cards.runtime),
        requestId(cards.id, at('req-plant')),
        `exchange:${cards.id}:req-plant:x2`,
        hostId('dl.evil'),
      ]),
    );
    const touched = told.steps.filter(({ role }) => role === 'touched').map(({ label }) => label);
    expect(touched.sort()).toEqual(['ddb:cards', 'dynamodb:Scan 200']);
    expect(told.frontier).toEqual([]);
  });

  it('orders steps by time, each naming the one it explains, its evidence and its place', async () => {
    const { instances, cards } = containerReuse();
    const told = await story(provenanceOf(instances, [6, 20, 33]), hostId('drop.evil'), OPTIONS);
    const times = told.steps.map(({ at }) => at);
    expect(times).toEqual([...times].sort((a, b) => a - b));
    const roots = told.steps.filter(({ parent }) => parent === undefined);
    expect(roots.map(({ node }) => node)).toEqual([hostId('drop.evil')]);
    for (const step of told.steps.filter(({ parent }) => parent !== undefined))
      expect(step.evidence.length, step.node).toBeGreaterThan(0);
    const file = told.steps.find(({ kind }) => kind === 'file');
    expect(file).toMatchObject({
      label: '/tmp/.x.js',
      instanceId: cards.id,
      function: 'authorize-cc',
      via: 'read',
      reason: 'was read',
    });
  });

  it('says what was reused between which requests', async () => {
    const { instances, cards } = containerReuse();
    const told = await story(provenanceOf(instances), hostId('drop.evil'), OPTIONS);
    expect(told.reused).toEqual([
      {
        what: 'file',
        node: fileId(cards.id, '/tmp/.x.js'),
        label: '/tmp/.x.js',
        instanceId: cards.id,
        from: 'req-plant',
        to: 'req-use',
      },
    ]);
    expect(
      told.requests
        .filter(({ entry }) => entry)
        .map(({ requestId: id }) => id)
        .sort(),
    ).toEqual(['req-buy', 'req-plant']);
    expect(told.requests.map(({ requestId: id }) => id).sort()).toEqual(['req-buy', 'req-notify', 'req-plant', 'req-use']);
  });

  it('can be asked by address and up to a time', async () => {
    const { instances } = containerReuse();
    const told = await story(provenanceOf(instances), addressId('127.66.0.1', 80), OPTIONS);
    expect(told.requests.map(({ requestId: id }) => id)).toEqual(['req-plant']);
    const before = await story(provenanceOf(instances), hostId('drop.evil'), { ...OPTIONS, at: 1 });
    expect(before.requests).toEqual([]);
  });

  it('leaves out what was touched when asked to', async () => {
    const { instances } = containerReuse();
    const told = await story(provenanceOf(instances), hostId('drop.evil'), { ...OPTIONS, inputs: 'none' });
    expect(told.steps.some(({ role }) => role === 'touched')).toBe(false);
    expect(told.requests.length).toBe(4);
  });
});

describe('story of a download', () => {
  it('counts an answer from when it began to arrive: the client may be done with it before the proxy is', async () => {
    const clock = new Clock();
    const one = new Recorded('f', clock);
    const t = () => clock.tick();
    one.begin('r1');
    const [from, answered] = [t(), t()];
    one.write(one.runtime, '/tmp/tool');
    one.exchange(one.runtime, { host: 'dl.evil', from, answered, to: t() });
    one.exchange(one.runtime, { host: 'later.example' });
    one.end();
    one.begin('r2');
    one.read(one.runtime, '/tmp/tool');
    one.exchange(one.runtime, { host: 'drop.evil', request: { bytes: 9 } });
    const told = await story(provenanceOf([one]), hostId('drop.evil'), OPTIONS);
    const endpoints = told.steps.filter(({ kind }) => kind === 'endpoint').map(({ label }) => label);
    expect(endpoints).toEqual(['dl.evil', 'drop.evil']);
  });
});

describe('story of a process that outlives its request', () => {
  it('leads from what the next request wrote to the request that started the process, not through requests in between', async () => {
    const { instances, fn, daemon } = survivingProcess();
    const told = await story(provenanceOf(instances), resourceId('ddb:orders/77'), OPTIONS);
    expect(told.requests.map(({ requestId: id }) => id).sort()).toEqual(['req-a', 'req-c']);
    expect(told.steps.map(({ node }) => node)).toContain(processId(fn.id, requestPartition('req-c'), daemon));
    expect(told.reused).toEqual([
      expect.objectContaining({
        what: 'process',
        from: 'req-a',
        to: 'req-c',
        node: processId(fn.id, requestPartition('req-a'), daemon),
      }),
    ]);
  });

  it('does not depend on how records were cut into segments', async () => {
    const { instances, fn } = survivingProcess();
    const whole = await story(provenanceOf(instances), resourceId('ddb:orders/77'), OPTIONS);
    const cuts = fn.records.map(({ seq }) => seq);
    const split = await story(provenanceOf(instances, cuts), resourceId('ddb:orders/77'), OPTIONS);
    expect(split.steps.map(({ node }) => node)).toEqual(whole.steps.map(({ node }) => node));
    expect(split.reused).toEqual(whole.reused);
  });
});

describe('story that leads through the answer of a call', () => {
  it('follows the function that was under the influence of an earlier request, and not the one that only did what it was asked', async () => {
    const { instances, authorize, daemon } = tamperedAnswer();
    const told = await story(provenanceOf(instances), hostId('fence.evil'), OPTIONS);
    const requests = told.requests.map(({ requestId: id }) => id).sort();
    expect(requests).toEqual(['auth-1', 'auth-2', 'buy-1', 'buy-2', 'publish-2']);
    expect(told.reused).toEqual([
      expect.objectContaining({ what: 'process', from: 'auth-1', to: 'auth-2', instanceId: authorize.id }),
    ]);
    const late = told.steps.find(({ node }) => node === processId(authorize.id, requestPartition('auth-2'), daemon));
    // It was only when it started that the process said what it runs.
    expect(late?.label).toBe('sh -c while (61)');
    const calls = told.steps.filter(({ kind, role }) => kind === 'exchange' && role === 'touched').map(({ label }) => label);
    expect(calls).toEqual(['lambda:Invoke 200', 'lambda:Invoke 200']);
    const units = told.steps.filter(({ kind, label }) => kind === 'process' && label.startsWith('/var/lang/bin/node'));
    expect(units).toHaveLength(5);
  });

  it('follows all of them when asked to', async () => {
    const { instances } = tamperedAnswer();
    const told = await story(provenanceOf(instances), hostId('fence.evil'), { ...OPTIONS, inputs: 'all' });
    expect(told.requests).toHaveLength(7);
    expect(told.steps.map(({ label }) => label)).toContain('ddb:prices/1');
  });
});

describe.each<Carrier>(['sqs', 's3', 'event', 'lambda'])('hand-over by %s', (carrier) => {
  it('joins sender and receiver exactly, and no bystander', async () => {
    const { instances, a, b } = handOver(carrier);
    const told = await story(provenanceOf(instances), hostId('drop.evil'), OPTIONS);
    expect([...told.instances].sort()).toEqual([a.id, b.id].sort());
    const invoke = told.steps.find(({ node }) => node.startsWith(`exchange:${a.id}`));
    expect(invoke).toMatchObject({ via: 'invoke', sure: 'exact', role: 'carried', requestId: 'req-a' });
  });
});
