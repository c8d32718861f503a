import { describe, expect, it } from 'vitest';
import {
  fileId,
  hostId,
  instanceId,
  type Partition,
  processId,
  requestId,
  requestPartition,
} from '../../../functions/graph/ids.ts';
import { walk } from '../../../functions/graph/walk.ts';
import { presentable } from '../../../functions/graph/workflow.ts';
import { provenanceOf } from '../memory-source.ts';
import { Clock, Recorded } from '../scenario.ts';

/** A process writes a file and exits, the file is read and deleted, the instance shuts down: none of them is left. */
function dead() {
  const clock = new Clock();
  const one = new Recorded('f', clock);
  one.begin('r1');
  const child = one.spawn(one.runtime, 40, ['sh', '-c', 'x']);
  one.write(child, '/tmp/gone');
  one.exit(child);
  one.end();
  one.begin('r2');
  one.read(one.runtime, '/tmp/gone');
  one.add(one.runtime, { kind: 'file-change', op: 'unlink', path: '/tmp/gone' });
  one.exchange(one.runtime, { host: 'drop.evil', request: { bytes: 9 } });
  one.end();
  one.read(one.runtime, '/tmp/late');
  const ended = one.add(undefined, { kind: 'shutdown', reason: 'spindown' });
  Object.assign(ended, { req: null, phase: 'shutdown' });
  return { one, child, ended };
}

describe('what no longer exists', () => {
  it('stays in the graph, connected to what it has influenced', async () => {
    const { one, child } = dead();
    const { visits } = await walk(provenanceOf([one]), hostId('drop.evil'), { direction: 'backward', limit: 100 });
    const seen = visits.map(({ node }) => node);
    expect(seen).toContain(fileId(one.id, '/tmp/gone'));
    expect(seen).toContain(processId(one.id, requestPartition('r1'), child));
    expect(seen).toContain(requestId(one.id, requestPartition('r1')));
  });

  it('says in which interval it lived, and how it ended', async () => {
    const { one, child, ended } = dead();
    const graph = provenanceOf([one]);
    const first = await graph.local(one.id, requestPartition('r1'), instanceId(one.id));
    const unit = first?.nodes.get(processId(one.id, requestPartition('r1'), child));
    expect(
      unit?.kind === 'process' && unit.started !== undefined && unit.exited !== undefined && unit.started < unit.exited,
    ).toBe(true);
    const second = await graph.local(one.id, requestPartition('r2'), instanceId(one.id));
    const file = fileId(one.id, '/tmp/gone');
    const [unlinked] = second?.into(file).filter(({ op }) => op === 'unlink') ?? [];
    const [written] = first?.into(file).filter(({ op }) => op === 'write') ?? [];
    expect(written !== undefined && unlinked !== undefined && written.start < unlinked.start).toBe(true);
    const last = await graph.local(one.id, '~shutdown' as Partition, instanceId(one.id));
    expect(last?.nodes.get(instanceId(one.id))).toMatchObject({ shutdown: 'spindown', last: ended.t });
  });

  it('is marked when it happened after the answer of its request', async () => {
    const { one } = dead();
    const local = await provenanceOf([one]).local(one.id, requestPartition('r2'), instanceId(one.id));
    if (local === undefined) throw new Error('no graph');
    const after = presentable(local)
      .edges()
      .filter((edge) => edge.after);
    expect(after.map(({ from, op }) => `${op} ${from}`)).toEqual([`read ${fileId(one.id, '/tmp/late')}`]);
  });
});
