import { createHash } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { buildShards } from '../../../functions/graph/build.ts';
import { hostId, type NodeId, requestId, requestPartition } from '../../../functions/graph/ids.ts';
import { story } from '../../../functions/graph/story.ts';
import { walk } from '../../../functions/graph/walk.ts';
import { contentParts } from '../../../layers/capture/handover/index.ts';
import type { BodyDigest } from '../../../layers/record/types.ts';
import { provenanceOf } from '../memory-source.ts';
import { Clock, Recorded } from '../scenario.ts';

let streams = 0;
/** Bytes without any order, other ones at every call and the same in every run. */
function noise(size: number): Buffer {
  const stream = streams++;
  const blocks = Array.from({ length: Math.ceil(size / 64) }, (_, i) => createHash('sha512').update(`${stream} ${i}`).digest());
  return Buffer.concat(blocks).subarray(0, size);
}

/** As the recorder digests a body. */
function digest(body: Buffer): BodyDigest {
  const parts = contentParts(body, undefined);
  const sha256 = createHash('sha256').update(body).digest('hex');
  return { bytes: body.length, sha256, ...(parts === undefined ? {} : { parts }) };
}

/** One function downloads `came`; another one, with nothing to do with it, uploads `left`. */
function smuggled(came: Buffer, left: Buffer, host = 'files.example') {
  const clock = new Clock();
  const loader = new Recorded('loader', clock);
  const sender = new Recorded('sender', clock);
  loader.begin('r-load');
  loader.exchange(loader.runtime, { host, response: digest(came) });
  loader.end();
  sender.begin('r-send');
  sender.exchange(sender.runtime, { host: 'drop.evil', method: 'POST', request: digest(left), response: { bytes: 2 } });
  sender.end();
  return { instances: [loader, sender], loader, sender };
}

const request = (one: Recorded, req: string): NodeId => requestId(one.id, requestPartition(req));
const secret = noise(16_000);
const wrapped = Buffer.concat([Buffer.from('{"file":"'), noise(3000), secret, noise(5000), Buffer.from('"}')]);

async function upstream(instances: readonly Recorded[], exactOnly = false) {
  const found = await walk(provenanceOf(instances), hostId('drop.evil'), { direction: 'backward', limit: 1000, exactOnly });
  return found.visits.map(({ node }) => node);
}

describe('content that is met again', () => {
  it.each([
    ['whole', secret, secret],
    ['as a part of a larger body', secret, wrapped],
    ['in part', wrapped, wrapped.subarray(1000, 20_000)],
    ['whole, too small to be cut', secret.subarray(0, 1500), secret.subarray(0, 1500)],
  ])('joins the place where it came in to the one where it left: %s', async (_how, came, left) => {
    const { instances, loader, sender } = smuggled(came, left);
    expect(await upstream(instances)).toContain(request(loader, 'r-load'));
    const forward = await walk(provenanceOf(instances), request(loader, 'r-load'), { direction: 'forward', limit: 1000 });
    expect(forward.visits.map(({ node }) => node)).toContain(request(sender, 'r-send'));
    const told = await story(provenanceOf(instances), hostId('drop.evil'), { limit: 100, inputs: 'data' });
    expect(told.steps.find(({ via }) => via === 'data')).toMatchObject({
      sure: 'inferred',
      function: 'loader',
      role: 'carried',
    });
    expect(told.requests.map(({ requestId: id }) => id).sort()).toEqual(['r-load', 'r-send']);
  });

  it.each([
    ['other content', secret, noise(16_000)],
    ['content too small to mean anything', Buffer.from('{"ok":true}'), Buffer.from('{"ok":true}')],
    ['zeros', Buffer.alloc(16_000), Buffer.concat([noise(9000), Buffer.alloc(16_000)])],
    [
      'one part that two texts have in common',
      Buffer.concat([secret.subarray(0, 1200), noise(20_000)]),
      Buffer.concat([noise(20_000), secret.subarray(0, 300)]),
    ],
  ])('does not join %s', async (_what, came, left) => {
    const { instances, loader } = smuggled(came, left);
    expect(await upstream(instances)).not.toContain(request(loader, 'r-load'));
  });

  it('is a guess, which a walk may leave out, and so may a story', async () => {
    const { instances, loader } = smuggled(secret, wrapped);
    expect(await upstream(instances, true)).not.toContain(request(loader, 'r-load'));
    for (const options of [{ exactOnly: true, inputs: 'data' }, { inputs: 'none' }] as const) {
      const told = await story(provenanceOf(instances), hostId('drop.evil'), { limit: 100, ...options });
      expect(told.requests.map(({ requestId: id }) => id)).toEqual(['r-send']);
    }
  });

  it('does not join what came in only after it had left', async () => {
    const { loader, sender } = smuggled(secret, secret);
    for (const record of loader.records) {
      Object.assign(record, { t: record.t + 60_000_000 });
      if (record.kind === 'exchange') Object.assign(record, { from: record.from + 60_000_000, to: record.to + 60_000_000 });
    }
    expect(await upstream([loader, sender])).not.toContain(request(loader, 'r-load'));
  });

  it('joins what one function left at a host to the other one that fetched it there', async () => {
    const clock = new Clock();
    const giver = new Recorded('giver', clock);
    const taker = new Recorded('taker', clock);
    giver.begin('r-give');
    giver.exchange(giver.runtime, { host: 'paste.example', method: 'PUT', request: digest(secret) });
    giver.end();
    taker.begin('r-take');
    taker.exchange(taker.runtime, { host: 'cdn.example', response: digest(secret) });
    taker.end();
    const exchange = `exchange:${taker.id}:r-take:x1` as NodeId;
    const fetched = await walk(provenanceOf([giver, taker]), exchange, { direction: 'backward', limit: 1000 });
    expect(fetched.visits.map(({ node }) => node)).toContain(request(giver, 'r-give'));
  });

  it('tells inside one request which of its downloads it sent on, without any entry in the index', async () => {
    const clock = new Clock();
    const one = new Recorded('f', clock);
    one.begin('r');
    one.aws(one.runtime, 'dynamodb', 'Query', []);
    const query = one.records.at(-1)!;
    Object.assign(query, { response: digest(secret) });
    one.exchange(one.runtime, { host: 'other.example', response: { bytes: 5000 } });
    one.aws(one.runtime, 'lambda', 'Invoke', []);
    Object.assign(one.records.at(-1)!, { request: digest(wrapped) });
    one.end();
    const graph = provenanceOf([one]);
    const sent = `exchange:${one.id}:r:x3` as NodeId;
    await graph.find(sent);
    const data = (await graph.causesOf(sent, Number.MAX_SAFE_INTEGER)).filter(({ op }) => op === 'data');
    expect(data).toMatchObject([{ from: `exchange:${one.id}:r:x1`, sure: 'inferred' }]);
    const built = one.segments().map(({ segment, key }) => buildShards(segment, key));
    expect(built.flatMap(({ links }) => links.filter(({ key }) => key.startsWith('body:')))).toEqual([]);
  });

  it('costs at most five entries for each body, and none for small ones', () => {
    const { instances } = smuggled(wrapped, Buffer.alloc(900, 'x'));
    const links = instances.flatMap((one) => one.segments().flatMap(({ segment, key }) => buildShards(segment, key).links));
    expect(links.filter(({ key }) => key.startsWith('body:'))).toHaveLength(5);
  });
});
