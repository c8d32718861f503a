import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Alastor } from '../../cdk/index.ts';
import { startEngine } from '../../cdk/local/engine.ts';
import { seededRandom } from '../../examples/hello-retail/attack/random.ts';
import { sendTraffic, visitors } from '../../examples/hello-retail/attack/traffic.ts';
import { seed } from '../../examples/hello-retail/seed.ts';
import { HelloRetail } from '../../examples/hello-retail/stack.ts';
import { buildLayer } from '../../layers/build.ts';
import { type Workbench, workbench } from '../cdk/construct-parts.ts';

let bench: Workbench;
beforeAll(() => {
  bench = workbench();
});
afterAll(() => bench.remove());

/** Headers that differ between any two answers. */
const always = new Set(['apigw-requestid', 'date']);

/** What the shop answers to the same visitors; the engine is gone when this resolves. */
async function answers(assembly: string): Promise<object[]> {
  const engine = await startEngine({ assembly });
  try {
    await seed({
      endpoint: engine.endpoint,
      region: engine.region,
      credentials: { accessKeyId: 'local', secretAccessKey: 'local' },
    });
    const all = visitors(seededRandom(5), 9);
    const given = await sendTraffic(engine.apiUrl('ApiUrl'), all, () => undefined);
    await engine.idle();
    return given.map(({ status, headers, body }, place) => ({
      what: all[place]?.what,
      status,
      headers: Object.fromEntries(Object.entries(headers).filter(([name]) => !always.has(name))),
      body,
    }));
  } finally {
    await engine.stop();
  }
}

describe('the shop, running', () => {
  it('answers the same with and without Alastor, benign and error cases', { timeout: 240_000 }, async () => {
    const alone = bench.app({ bundle: true });
    new HelloRetail(alone, 'HelloRetail');
    const audited = bench.app({ bundle: true });
    const shop = new HelloRetail(audited, 'HelloRetail');
    await Promise.all([buildLayer(), buildLayer({ withNode: true })]);
    new Alastor(shop, 'Alastor').auditAll(shop);

    const without = await answers(alone.synth().directory);
    const withAlastor = await answers(audited.synth().directory);
    expect(withAlastor).toEqual(without);
    expect(without).toHaveLength(9);
  });
});
