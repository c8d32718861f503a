import { CloudWatchClient } from '@aws-sdk/client-cloudwatch';
import { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { LambdaClient } from '@aws-sdk/client-lambda';
import { S3Client } from '@aws-sdk/client-s3';
import { SQSClient } from '@aws-sdk/client-sqs';
import type { Api } from '../api.ts';
import type { clientOf } from '../aws.ts';
import { alarmChecks, queueAge } from './alarms.ts';
import { attachedFunctions } from './attached.ts';
import { bucketChecks, tableChecks } from './evidence.ts';
import { type Finding, look, ok, unknown, warning, wrong } from './finding.ts';
import { ownFunctions, queues } from './parts.ts';
import { permissionChecks } from './permissions.ts';
import { recordChecks } from './record.ts';
import { choose, type Survey, survey } from './survey.ts';

export interface Examined {
  /** Undefined when none could be found. */
  readonly installation: string | undefined;
  readonly findings: readonly Finding[];
}

/** Signatures are refused when they are five minutes old. */
const CLOCK_MOST_MS = 300_000;
const CLOCK_FAIR_MS = 30_000;

/** @param note told what is looked at @throws UsageError when it must be said which installation is meant */
export async function examine(
  client: ReturnType<typeof clientOf>,
  open: () => Promise<Api>,
  wanted: string | undefined,
  note: (text: string) => void,
): Promise<Examined> {
  const lambda = new LambdaClient(client);
  const sqs = new SQSClient(client);
  const s3 = new S3Client({ ...client, forcePathStyle: client.endpoint !== undefined });
  const dynamo = new DynamoDBClient(client);
  const cloudWatch = new CloudWatchClient(client);
  try {
    note('functions of the region');
    let found: Survey | undefined;
    const failed = await look('account', 'lambda:ListFunctions', async () => {
      found = await survey(lambda);
      return [];
    });
    if (found === undefined) return { installation: undefined, findings: failed };
    const chosen = choose(found.installations, wanted);
    const findings: Finding[] = [clock(found.clockAheadMs)];
    if (chosen === undefined) {
      const says = `Alastor is not deployed here: none of ${found.functions.length} functions is one of its own`;
      return {
        installation: undefined,
        findings: [wrong('deployment', says, 'other region or profile? Else deploy: docs/install.md'), ...findings],
      };
    }
    findings.unshift(ok('deployment', chosen.name));
    findings.push(...(await ownFunctions(lambda, chosen)));
    note('queues');
    const { findings: ofQueues, queueArn } = await queues(lambda, sqs, chosen);
    findings.push(...ofQueues, ...(await queueAge(cloudWatch, queueArn)));
    note('bucket and tables');
    findings.push(...(await bucketChecks(s3, chosen, queueArn)), ...(await tableChecks(dynamo, chosen)));
    note('audited functions');
    const elsewhere = new Set(found.installations.filter((one) => one !== chosen).map(({ bucket }) => bucket));
    const { findings: ofFunctions, audited } = await attachedFunctions(lambda, chosen, found.functions, elsewhere);
    findings.push(...ofFunctions);
    findings.push(...(await permissionChecks(client, s3, chosen, queueArn, audited, note)));
    note('the record');
    const names = audited.map(({ name }) => name);
    findings.push(...(await recordChecks(open, names)));
    note('alarms');
    findings.push(...(await alarmChecks(cloudWatch, chosen)));
    return { installation: chosen.name, findings };
  } finally {
    for (const one of [lambda, sqs, s3, dynamo, cloudWatch]) one.destroy();
  }
}

function clock(aheadMs: number | undefined): Finding {
  if (aheadMs === undefined) return unknown('clock', 'not checked: the answers bear no date', 'compare it with another one');
  const says = `of this machine is ${Math.abs(Math.round(aheadMs / 1000))} s ${aheadMs < 0 ? 'behind' : 'ahead'}`;
  if (Math.abs(aheadMs) < CLOCK_FAIR_MS) return ok('clock', says);
  const mend = 'set it by NTP: signed requests are refused when they are five minutes off';
  return Math.abs(aheadMs) < CLOCK_MOST_MS ? warning('clock', says, mend) : wrong('clock', says, mend);
}
