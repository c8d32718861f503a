/** What Object Lock keeps, before anything is deleted. The engine's S3 holds to the locks of the template. */
import { ListObjectVersionsCommand, PutObjectCommand, S3Client } from '@aws-sdk/client-s3';
import { Duration } from 'aws-cdk-lib';
import { Bucket, ObjectLockRetention } from 'aws-cdk-lib/aws-s3';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { checkLocks, deleteVersions, versionsOf } from '../../cli/forget/objects.ts';
import { Doomed } from '../../functions/store/doomed.ts';
import { segmentKey } from '../../layers/record/key.ts';
import type { InstanceId } from '../../layers/record/types.ts';
import { type Running, running } from '../cdk/local/running.ts';

const instanceId = '0190aaaa-0000-7000-8000-000000000000' as InstanceId;
const segment = (first: number) => segmentKey({ fn: 'fn', instanceId, first, last: first });
const { signal } = new AbortController();
const doomed = new Doomed([{ segment: segment(0), stored: 0 }]);
let engine: Running;
let s3: S3Client;

beforeAll(async () => {
  engine = await running((stack) => {
    const objectLockDefaultRetention = ObjectLockRetention.compliance(Duration.days(2));
    new Bucket(stack, 'Kept', { bucketName: 'kept', versioned: true, objectLockEnabled: true, objectLockDefaultRetention });
    new Bucket(stack, 'Free', { bucketName: 'free', versioned: true });
  });
  s3 = new S3Client({ ...engine.client, forcePathStyle: true });
  const keys = [segment(0), segment(1), `spill/${instanceId}/r#000000000000-000000000000`];
  for (const bucket of ['kept', 'free'])
    for (const Key of keys) await s3.send(new PutObjectCommand({ Bucket: bucket, Key, Body: 'x' }));
});
afterAll(async () => {
  s3?.destroy();
  await engine?.stop();
});

it('deletes nothing that is kept in mode compliance, and says from when on it can be', async () => {
  const where = { s3, bucket: 'kept' };
  const versions = await versionsOf(where, doomed, 'segments', signal);
  expect(versions.map(({ key }) => key)).toEqual([segment(0)]);
  const day = new Date(Date.now() + 2 * 86_400_000).toISOString().slice(0, 10);
  await expect(checkLocks(where, versions, signal, () => undefined)).rejects.toThrow(
    new RegExp(`^nothing was deleted: .*mode compliance.* after ${day}T`),
  );
  const anyway = deleteVersions(where, versions, { bypass: true, signal, note: () => undefined });
  await expect(anyway).rejects.toThrow(/1 of 1 versions could not be deleted.*AccessDenied/);
});

it('deletes all versions of what is meant and nothing beside it', async () => {
  const where = { s3, bucket: 'free' };
  await s3.send(new PutObjectCommand({ Bucket: 'free', Key: segment(0), Body: 'y' }));
  for (const what of ['segments', 'spills'] as const) {
    const versions = await versionsOf(where, doomed, what, signal);
    expect(versions).toHaveLength(what === 'segments' ? 2 : 1);
    expect(await checkLocks(where, versions, signal, () => undefined)).toEqual({ governance: 0, until: 0 });
    await deleteVersions(where, versions, { bypass: false, signal, note: () => undefined });
  }
  const { Versions = [], DeleteMarkers = [] } = await s3.send(new ListObjectVersionsCommand({ Bucket: 'free' }));
  expect([Versions.map(({ Key }) => Key), DeleteMarkers]).toEqual([[segment(1)], []]);
});
