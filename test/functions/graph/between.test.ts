import { describe, expect, it } from 'vitest';
import { between, commonCauses } from '../../../functions/graph/between.ts';
import { hostId, processId, requestId, requestPartition } from '../../../functions/graph/ids.ts';
import { walk } from '../../../functions/graph/walk.ts';
import { provenanceOf } from '../memory-source.ts';
import { Clock, Recorded } from '../scenario.ts';

const whole = { limit: 5000, paths: 100, skip: 0, longest: 50 };

/** `layers` × `width` processes, each of which writes a file that all of the next layer read; the last ones send. */
function mesh(layers: number, width: number): Recorded {
  const one = new Recorded('mesh', new Clock());
  one.begin('r');
  for (let layer = 0; layer < layers; layer++) {
    for (let i = 0; i < width; i++) {
      const proc = one.spawn(one.runtime, 100 + layer * width + i, ['step']);
      for (let j = 0; layer > 0 && j < width; j++) one.read(proc, `/tmp/${layer - 1}-${j}`);
      one.write(proc, `/tmp/${layer}-${i}`);
      if (layer === layers - 1) one.exchange(proc, { host: 'drop.evil', request: { bytes: 9 } });
    }
  }
  one.end();
  return one;
}

describe('paths between two nodes', () => {
  it('are as many as there are, shortest first', async () => {
    const one = mesh(3, 2);
    const graph = provenanceOf([one]);
    const from = requestId(one.id, requestPartition('r'));
    const { paths, cut } = await between(graph, from, hostId('drop.evil'), whole);
    // By one process of the last layer: 2; by one before it: 2 × 2; by all three layers: 2 × 2 × 2.
    expect(paths.map(({ edges }) => edges.length)).toEqual([4, 4, 6, 6, 6, 6, 8, 8, 8, 8, 8, 8, 8, 8]);
    expect(cut).toEqual([]);
    const short = await between(graph, from, hostId('drop.evil'), { ...whole, longest: 6 });
    expect(short).toMatchObject({ cut: ['length'] });
    expect(short.paths).toHaveLength(6);
  });

  it('end in bounded time and memory where there are more than could ever be told, and say so', async () => {
    const one = mesh(9, 9);
    const from = requestId(one.id, requestPartition('r'));
    const { paths, cut } = await between(provenanceOf([one]), from, hostId('drop.evil'), { ...whole, paths: 1_000_000 });
    expect(paths.length).toBeGreaterThan(1000);
    expect(cut).toContain('made');
  });

  it('name what was not followed when a budget ends them', async () => {
    const one = mesh(3, 3);
    const from = requestId(one.id, requestPartition('r'));
    const { frontier } = await between(provenanceOf([one]), from, hostId('drop.evil'), { ...whole, limit: 4 });
    expect(frontier.map(({ why }) => why)).toContain('limit');
  });
});

describe('common causes', () => {
  it('begin with those where the ways part', async () => {
    const one = new Recorded('f', new Clock());
    one.begin('r');
    const shell = one.spawn(one.runtime, 50, ['sh']);
    const [a, b] = [one.spawn(shell, 51, ['a']), one.spawn(shell, 52, ['b'])];
    one.end();
    const unit = (proc: typeof a) => processId(one.id, requestPartition('r'), proc);
    const { causes } = await commonCauses(provenanceOf([one]), unit(a), unit(b), { limit: 100 });
    const near = causes.filter(({ nearest }) => nearest).map(({ node }) => node);
    expect(near).toContain(unit(shell));
    expect(causes.find(({ node }) => node === requestId(one.id, requestPartition('r')))).toMatchObject({
      nearest: false,
      depths: [3, 3],
    });
  });
});

describe('a walk that goes on', () => {
  it('reaches in pieces of any size what it reaches in one go, also through a node with many neighbours', async () => {
    const one = new Recorded('f', new Clock());
    one.begin('r');
    for (let i = 0; i < 60; i++) one.exchange(one.runtime, { host: `h${i}.example`, request: { bytes: 9 } });
    one.end();
    const start = processId(one.id, requestPartition('r'), one.runtime);
    const all = await walk(provenanceOf([one]), start, { direction: 'forward', limit: 5000 });
    expect(all.rest).toEqual([]);
    for (const limit of [1, 7, 50]) {
      const seen = new Set<string>();
      let trace = await walk(provenanceOf([one]), start, { direction: 'forward', limit });
      for (let pages = 1; ; pages++) {
        for (const { node } of trace.visits) seen.add(node);
        if (trace.rest.length === 0) break;
        expect(pages).toBeLessThan(1000);
        trace = await walk(provenanceOf([one]), start, { direction: 'forward', limit, from: trace.rest });
      }
      expect([...seen].sort()).toEqual(all.visits.map(({ node }) => node as string).sort());
    }
  });
});
