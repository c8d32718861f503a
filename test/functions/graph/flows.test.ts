import { describe, expect, it } from 'vitest';
import { type NodeId, requestId, requestPartition } from '../../../functions/graph/ids.ts';
import { walk } from '../../../functions/graph/walk.ts';
import type { ResourceRef } from '../../../layers/record/types.ts';
import { provenanceOf } from '../memory-source.ts';
import { Clock, Recorded } from '../scenario.ts';

/** Data that one request leaves somewhere and another one finds there, without any hand-over between them. */
const state = (digit: string) => digit.repeat(32);
const object = (id: string, access: ResourceRef['access']): ResourceRef => ({ type: 's3-object', id, access });
const item = (id: string, access: ResourceRef['access']): ResourceRef => ({ type: 'table-item', id, access });

interface Flow {
  readonly writes: readonly [service: string, operation: string, resources: readonly ResourceRef[]];
  readonly reads: readonly [service: string, operation: string, resources: readonly ResourceRef[]];
}
const FLOWS: Readonly<Record<string, Flow & { readonly joined: boolean }>> = {
  'an object, by its version': {
    writes: ['s3', 'PutObject', [object('s3://b/k@v1', 'write')]],
    reads: ['s3', 'GetObject', [object('s3://b/k@v1', 'read')]],
    joined: true,
  },
  'another version of the object': {
    writes: ['s3', 'PutObject', [object('s3://b/k@v1', 'write')]],
    reads: ['s3', 'GetObject', [object('s3://b/k@v2', 'read')]],
    joined: false,
  },
  'an item, by its key': {
    writes: ['dynamodb', 'UpdateItem', [item(`ddb:t/${state('a')}`, 'write')]],
    reads: ['dynamodb', 'GetItem', [item(`ddb:t/${state('a')}`, 'read'), item(`ddb:t@${state('b')}`, 'read')]],
    joined: true,
  },
  'an item whose key the writer does not know, by its state': {
    writes: ['dynamodb', 'PutItem', [item(`ddb:t@${state('b')}`, 'write'), { type: 'table', id: 'ddb:t', access: 'write' }]],
    reads: ['dynamodb', 'GetItem', [item(`ddb:t/${state('a')}`, 'read'), item(`ddb:t@${state('b')}`, 'read')]],
    joined: true,
  },
  'another item of the table': {
    writes: ['dynamodb', 'PutItem', [item(`ddb:t/${state('c')}`, 'write')]],
    reads: ['dynamodb', 'GetItem', [item(`ddb:t/${state('a')}`, 'read')]],
    joined: false,
  },
};

function flow({ writes, reads }: Flow, order: 'write first' | 'read first' = 'write first') {
  const clock = new Clock();
  const writer = new Recorded('writer', clock);
  const reader = new Recorded('reader', clock);
  const act = (one: Recorded, req: string, [service, operation, resources]: Flow['writes']) => {
    one.begin(req);
    one.aws(one.runtime, service, operation, [], resources);
    one.end();
  };
  if (order === 'read first') act(reader, 'r', reads);
  act(writer, 'w', writes);
  if (order === 'write first') act(reader, 'r', reads);
  const of = (one: Recorded, req: string): NodeId => requestId(one.id, requestPartition(req));
  return { instances: [writer, reader], written: of(writer, 'w'), read: `exchange:${reader.id}:r:x1` as NodeId };
}

async function reach(instances: readonly Recorded[], start: NodeId, direction: 'backward' | 'forward') {
  const { visits } = await walk(provenanceOf(instances), start, { direction, limit: 1000, exactOnly: true });
  return visits.map(({ node }) => node);
}

describe.each(Object.entries(FLOWS))('%s', (_what, one) => {
  it(one.joined ? 'carries what was written to who reads it later' : 'carries nothing', async () => {
    const { instances, written, read } = flow(one);
    expect((await reach(instances, read, 'backward')).includes(written)).toBe(one.joined);
    expect((await reach(instances, written, 'forward')).includes(read)).toBe(one.joined);
  });

  it('carries nothing to who has read before', async () => {
    const { instances, written, read } = flow(one, 'read first');
    expect(await reach(instances, read, 'backward')).not.toContain(written);
    expect(await reach(instances, written, 'forward')).not.toContain(read);
  });
});

describe('a file of an instance', () => {
  it('carries what one request wrote to the next one that reads it, in this instance and no other', async () => {
    const clock = new Clock();
    const one = new Recorded('f', clock);
    const other = new Recorded('f', clock);
    one.begin('w');
    one.write(one.runtime, '/tmp/kept');
    one.end();
    for (const instance of [one, other]) {
      instance.begin('r');
      instance.read(instance.runtime, '/tmp/kept');
      instance.end();
    }
    const unit = (instance: Recorded) => `process:${instance.id}:r:${instance.runtime}` as NodeId;
    const written = requestId(one.id, requestPartition('w'));
    expect(await reach([one, other], unit(one), 'backward')).toContain(written);
    expect(await reach([one, other], unit(other), 'backward')).not.toContain(written);
    expect(await reach([one, other], written, 'forward')).toContain(unit(one));
  });
});
