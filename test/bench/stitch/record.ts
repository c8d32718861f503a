/** Real evidence to measure with: the sample shop, audited, under the engine, with ordinary visitors and both attacks. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { GetObjectCommand, ListObjectsV2Command, S3Client } from '@aws-sdk/client-s3';
import { startEngine } from '../../../cdk/local/engine.ts';
import { synthesise } from '../../../cdk/local/synth.ts';
import * as attack1 from '../../../examples/hello-retail/attack/attack1.ts';
import * as attack2 from '../../../examples/hello-retail/attack/attack2.ts';
import { startInternet } from '../../../examples/hello-retail/attack/hosts.ts';
import { seededRandom } from '../../../examples/hello-retail/attack/random.ts';
import { sendTraffic, visitors } from '../../../examples/hello-retail/attack/traffic.ts';
import { seed } from '../../../examples/hello-retail/seed.ts';
import { segmentPrefix } from '../../../functions/store/schema.ts';
import { parseSegmentKey } from '../../../layers/record/key.ts';

export interface RecordedSegment {
  readonly key: string;
  readonly bytes: Uint8Array;
  /** When S3 took it, µs since 1970. */
  readonly received: number;
}

export interface Recording {
  /** In order of time. The attacks come after all of `benign`. */
  readonly benign: readonly RecordedSegment[];
  readonly attack: readonly RecordedSegment[];
  /** Hosts of the attacker that received something: where a trace begins. */
  readonly exfilHosts: readonly string[];
  /** ms from the segment being stored to the stitcher having written all of it; one for each segment. */
  readonly lag: readonly number[];
}

/**
 * Runs the shop once. `visits`: ordinary visitors, one after the other.
 * @param say takes a line about what goes on
 */
export async function recordShop(visits: number, say: (line: string) => void, signal: AbortSignal): Promise<Recording> {
  const folder = mkdtempSync(join(tmpdir(), 'alastor-bench-stitch-'));
  const random = seededRandom(7);
  const internet = await startInternet(random);
  const stitched = new Map<string, number>();
  let engine: Awaited<ReturnType<typeof startEngine>> | undefined;
  try {
    say('synthesising the shop');
    const assembly = join(folder, 'cdk.out');
    await synthesise(`${JSON.stringify(process.execPath)} test/bench/stitch/app.ts`, assembly, signal);
    engine = await startEngine({
      assembly,
      hosts: internet.hosts,
      trustedCaPem: internet.caPem,
      stateDir: join(folder, 'engine'),
      log: (line) => {
        const key = /"segment":"(segments\/[^"]+)","done":"stitched"/.exec(line)?.[1];
        if (key !== undefined && !stitched.has(key)) stitched.set(key, Date.now());
      },
    });
    const credentials = { accessKeyId: 'local', secretAccessKey: 'local' };
    const { endpoint, region } = engine;
    await seed({ endpoint, region, credentials });
    const apiUrl = engine.apiUrl('ApiUrl');
    const s3 = new S3Client({ endpoint, region, credentials, forcePathStyle: true });
    const bucket = engine.outputs.AlastorEvidenceBucket ?? '';
    say(`recording ${visits} visitors`);
    await sendTraffic(apiUrl, visitors(random, visits), () => signal.throwIfAborted());
    await engine.idle(120_000);
    const benign = await segmentsOf(s3, bucket, new Set());
    say('recording both attacks');
    const context = { apiUrl, attacker: internet.attacker, random, log: () => undefined };
    const exfilHosts: string[] = [];
    for (const one of [attack1, attack2]) exfilHosts.push(...(await one.run(context)).exfilHosts);
    await engine.idle(120_000);
    const attack = await segmentsOf(s3, bucket, new Set(benign.map(({ key }) => key)));
    s3.destroy();
    const lag = [...benign, ...attack].flatMap(({ key, received }) => {
      const at = stitched.get(key);
      return at === undefined ? [] : [Math.max(0, at - received / 1000)];
    });
    if (lag.length < benign.length) throw new Error(`${benign.length} segments were stored, ${lag.length} stitched`);
    return { benign, attack, exfilHosts, lag };
  } finally {
    await engine?.stop();
    await internet.stop();
    rmSync(folder, { recursive: true, force: true });
  }
}

async function segmentsOf(s3: S3Client, Bucket: string, known: ReadonlySet<string>): Promise<RecordedSegment[]> {
  const found: RecordedSegment[] = [];
  for (let token: string | undefined; ; ) {
    const page = await s3.send(new ListObjectsV2Command({ Bucket, Prefix: segmentPrefix, ContinuationToken: token }));
    for (const { Key = '', LastModified } of page.Contents ?? []) {
      if (known.has(Key) || parseSegmentKey(Key) === undefined) continue;
      const { Body } = await s3.send(new GetObjectCommand({ Bucket, Key }));
      const bytes = (await Body?.transformToByteArray()) ?? new Uint8Array();
      found.push({ key: Key, bytes, received: (LastModified?.getTime() ?? 0) * 1000 });
    }
    token = page.NextContinuationToken;
    if (token === undefined) return found.sort((a, b) => a.received - b.received);
  }
}
