import { createInterface } from 'node:readline/promises';
import { Doomed } from '../functions/store/doomed.ts';
import type { Erased } from '../functions/store/erasure.ts';
import type { Tombstone } from '../functions/store/tombstone.ts';
import { FUNCTION_NAME, INSTANCE_ID } from '../layers/record/key.ts';
import type { InstanceId } from '../layers/record/types.ts';
import { type AwsAsked, clientOf, located, serviceOptions } from './aws.ts';
import { command, NOTHING_FOUND, type Options, type Values } from './command.ts';
import type { Deployment } from './forget/deployment.ts';
import type { Locks, Version } from './forget/objects.ts';
import type { Asked, Targets } from './forget/targets.ts';
import { jsonOf, print, warn } from './print.ts';
import { Progress } from './progress.ts';
import { plural, safe, size } from './screen.ts';
import { instant, UsageError } from './usage.ts';

const options = {
  request: { type: 'string', value: 'ids', says: 'the record of this request, or of several with commas between' },
  instance: { type: 'string', value: 'id', says: 'the record of this instance' },
  function: { type: 'string', value: 'name', says: 'the record of this function; with --request or --instance: theirs' },
  before: { type: 'string', value: 'time', says: 'only segments stored before then: ISO 8601, or a span back such as 30d' },
  reason: { type: 'string', value: 'text', says: 'why, which stays for all to read: name no person in it' },
  apply: { type: 'boolean', says: 'delete; without it is only told what would go' },
  yes: { type: 'boolean', says: 'do not ask once more' },
  'bypass-governance': { type: 'boolean', says: 'delete also what Object Lock keeps in mode governance' },
  installation: { type: 'string', value: 'name', says: 'which one, where a region has several: `<stack>-<id>`' },
  ...serviceOptions,
  json: { type: 'boolean', says: 'print the result as one JSON object' },
} as const satisfies Options;

export default command({
  usage: ['--request <ids> | --instance <id> | --function <name> [options]'],
  options,
  text: `Deletes segments in all their versions, and what was made of them. The smallest unit is a segment: what else lies in it goes,
too, and is named first. A tombstone stays, under forgotten/ in the bucket, where no audited function can write: which segment of
which instance, the digest of what was there, who, when and why. \`alastor verify\` and \`alastor gaps\` tell it from tampering.

What was interrupted is completed by the next run with --apply, whatever that is asked to forget.

Needs, which no role of Alastor has: s3:ListBucketVersions, GetObjectVersion, GetObjectRetention, GetObjectLegalHold,
GetBucketObjectLockConfiguration, DeleteObjectVersion, PutObject on forgotten/*, with --bypass-governance
s3:BypassGovernanceRetention; kms:Decrypt (the prop \`auditors\`) and kms:GenerateDataKey; on both tables dynamodb:Query, Scan,
PutItem, UpdateItem, DeleteItem, BatchWriteItem; lambda:ListFunctions, ListEventSourceMappings; sqs:GetQueueUrl,
GetQueueAttributes; sts:GetCallerIdentity. docs/operations.md says what it does not reach.`,
  examples: [
    '--request "$REQUEST"',
    '--function checkout --before 30d --reason "ticket 4711" --apply --bypass-governance',
    '--instance "$INSTANCE" --reason "ticket 4711" --apply --yes --bypass-governance --json',
  ],
  exits:
    '0 done, or told what would go, 1 it cannot be done, 2 wrong arguments, 3 nothing is meant, 130 interrupted (run it again to complete it)',
  endsItself: true,
  async run(values) {
    const asked = askedFor(values);
    const stop = new AbortController();
    const interrupt = (): void => stop.abort();
    process.on('SIGINT', interrupt).on('SIGTERM', interrupt);
    let deployment: Deployment | undefined;
    try {
      const { findDeployment } = await import('./forget/deployment.ts');
      const { 'bypass-governance': _, ...rest } = values;
      const aws = located({ ...rest }, {}) as AwsAsked;
      const progress = new Progress();
      deployment = await progress.stage('finding the deployment', () => findDeployment(clientOf(aws), values.installation));
      return await forget(asked, values, deployment, progress, stop.signal);
    } catch (error) {
      if (!stop.signal.aborted) throw error;
      const left = deployment === undefined ? [] : await deployment.store.forgotten.open().catch(() => undefined);
      const half =
        left === undefined ? 'what was begun could not be asked' : `${plural(left.length, 'segment')} half forgotten`;
      const more = left?.length === 0 ? 'nothing was changed' : `${half}; run the same again`;
      process.stderr.write(`alastor forget: interrupted, ${more}\n`);
      return 130;
    } finally {
      process.off('SIGINT', interrupt).off('SIGTERM', interrupt);
      deployment?.close();
    }
  },
});

type Given = Values<typeof options>;
/** Longest reason: it stands in every row. */
const LONGEST_REASON = 500;
const MOST_REQUESTS = 1000;
/** Other requests that are named. */
const NAMED = 10;

/** @throws UsageError */
function askedFor(values: Given): Asked {
  const { request, instance, function: fn, reason } = values;
  const requests = [...new Set((request ?? '').split(',').map((id) => id.trim()))].filter((id) => id !== '');
  if (request !== undefined && requests.length === 0) throw new UsageError('--request names no request');
  if (requests.length > MOST_REQUESTS) throw new UsageError(`--request names more than ${MOST_REQUESTS}`);
  if (request !== undefined && instance !== undefined) throw new UsageError('--request and --instance exclude each other');
  if (request === undefined && instance === undefined && fn === undefined)
    throw new UsageError('what is to be forgotten? --request, --instance or --function says it');
  if (fn !== undefined && !FUNCTION_NAME.test(fn)) throw new UsageError(`--function "${fn}" is no name of a function`);
  if (instance !== undefined && !INSTANCE_ID.test(instance))
    throw new UsageError(`--instance "${instance}" is no id of an instance`);
  if (values.apply && (reason ?? '').trim() === '') throw new UsageError('--apply needs --reason: why it is deleted stays');
  if ((reason ?? '').length > LONGEST_REASON) throw new UsageError(`--reason is longer than ${LONGEST_REASON} letters`);
  if (values.apply && !values.yes && !(process.stdin.isTTY && process.stderr.isTTY))
    throw new UsageError('--apply asks once more, and there is no terminal to ask: add --yes');
  const before = values.before === undefined ? Number.POSITIVE_INFINITY : instant('--before', values.before, Date.now());
  return { requests, instance: instance as InstanceId | undefined, fn, before };
}

/** What would go. */
interface Plan {
  readonly targets: Targets;
  readonly open: readonly Tombstone[];
  readonly segments: readonly Version[];
  readonly spills: readonly Version[];
  readonly locks: Locks;
  /** Undefined: not counted, because nobody will be asked. */
  readonly rows: Erased | undefined;
  readonly deadLetters: Awaited<ReturnType<Deployment['deadLetters']>>;
}

async function forget(asked: Asked, values: Given, deployment: Deployment, progress: Progress, signal: AbortSignal) {
  const plan = await planned(asked, deployment, progress, signal, values.apply && values.yes);
  const { targets, open } = plan;
  warn('forget', targets.notes);
  if (targets.segments.length + open.length === 0) {
    if (values.json) await print([jsonOf({ applied: false, ...told(plan) })]);
    else warn('forget', ['nothing is meant: no segment']);
    return NOTHING_FOUND;
  }
  const locked = plan.locks.governance > 0 && !values['bypass-governance'];
  const until = new Date(plan.locks.until).toISOString();
  const why = `${plural(plan.locks.governance, 'version')} kept by Object Lock in mode governance until ${until}: --bypass-governance deletes them`;
  if (!values.apply) {
    if (values.json) await print([jsonOf({ applied: false, ...told(plan) })]);
    else await print([...lines(plan), ...(locked ? [why] : []), 'Nothing was changed; --apply deletes it.']);
    return 0;
  }
  if (locked) throw new Error(`nothing was deleted: ${why}`);
  if (!values.yes) {
    await print(lines(plan));
    if (!(await confirmed(targets.segments.length + open.length, signal))) {
      process.stderr.write('alastor forget: not confirmed, nothing was changed\n');
      return 1;
    }
  }
  const { carryOut } = await import('./forget/carry-out.ts');
  const bypass = values['bypass-governance'];
  const reason = (values.reason ?? '').trim();
  const done = await carryOut({ deployment, targets: targets.segments, open, reason, bypass, signal, progress });
  if (values.json) await print([jsonOf({ applied: true, ...told(plan), done })]);
  else
    await print([
      `${plural(done.segments, 'segment')} forgotten: ${plural(done.versions + done.spills, 'version')} of objects, ${plural(rowsIn(done.rows), 'row')}.`,
      ...namesLeft(done.rows),
    ]);
  return 0;
}

async function planned(
  asked: Asked,
  deployment: Deployment,
  progress: Progress,
  signal: AbortSignal,
  unseen: boolean,
): Promise<Plan> {
  const { targetsOf } = await import('./forget/targets.ts');
  const { checkLocks, versionsOf } = await import('./forget/objects.ts');
  const open = await deployment.store.forgotten.open();
  const targets = await progress.stage('looking for segments', (note) => targetsOf(asked, deployment, signal, note));
  const doomed = new Doomed([...targets.segments, ...open]);
  return await progress.stage('looking at what goes with them', async (note) => {
    const segments = await versionsOf(deployment, doomed, 'segments', signal);
    const spills = await versionsOf(deployment, doomed, 'spills', signal);
    const versions = [...segments, ...spills];
    const locks = await checkLocks(deployment, versions, signal, (n) => note(`${n} of ${versions.length} versions`));
    const counting = { apply: false, signal, note: (so: Erased) => note(`${so.read} rows read`) };
    const rows = unseen ? undefined : await deployment.erasure.run(doomed, counting);
    return { targets, open, segments, spills, locks, rows, deadLetters: await deployment.deadLetters() };
  });
}

const bytesOf = (versions: readonly Version[]) => versions.reduce((sum, { bytes }) => sum + bytes, 0);

function told({ targets, open, segments, spills, locks, rows, deadLetters }: Plan): object {
  return {
    ...{ segments: targets.segments.map(({ segment }) => segment), otherRequests: targets.others, begun: open.length },
    ...{ versions: segments.length, bytes: bytesOf(segments), spills: spills.length, spillBytes: bytesOf(spills) },
    ...{ locked: locks.governance, ...(rows === undefined ? {} : { rows }), deadLetters, notes: targets.notes },
  };
}

function* lines({ targets, open, segments, spills, rows, deadLetters }: Plan): Generator<string> {
  const { segments: meant, others } = targets;
  const places = new Set(meant.map(({ segment }) => segment.split('/').slice(1, 3).join(' ')));
  yield `segments       ${meant.length} of ${plural(places.size, 'instance')}`;
  for (const place of [...places].slice(0, NAMED)) yield `  ${safe(place)}`;
  if (places.size > NAMED) yield `  and ${places.size - NAMED} more`;
  yield `versions       ${segments.length}, ${size(bytesOf(segments))}`;
  if (others.length > 0) {
    const named = others.slice(0, NAMED).map((id) => safe(id, 100));
    const more = others.length > NAMED ? [`and ${others.length - NAMED} more (--json names them)`] : [];
    yield `with them      ${plural(others.length, 'other request')}, wholly or in part: ${[...named, ...more].join(', ')}`;
  }
  if (open.length > 0) {
    const runs = new Set(open.map(({ at, by }) => `${new Date(at / 1000).toISOString()} by ${by}`));
    yield `also           ${plural(open.length, 'segment')} of what was begun and not done: ${[...runs].map((one) => safe(one)).join('; ')}`;
  }
  if (rows !== undefined) {
    yield `graph          ${plural(rows.shards, 'shard')}, ${plural(spills.length, 'version')} in the bucket (${size(bytesOf(spills))})`;
    yield `index          ${plural(rows.links, 'link')}, ${plural(rows.names, 'name')} that nothing else has`;
    yield `lists          ${plural(rows.lists, 'row')}; ${rows.baselines} of baselines, ${rows.witnesses} of witnesses, ${rows.findings} of findings, ${rows.setAside} set aside`;
    yield* namesLeft(rows);
  }
  const { stitcher = 0, witness = 0 } = deadLetters;
  if (stitcher > 0)
    yield `dead letters   ${plural(stitcher, 'message')} of the stitcher: they name segments, and do nothing for one that is gone`;
  if (witness > 0)
    yield `dead letters   ${plural(witness, 'event')} that the witness function gave up on, kept for 14 days: not looked into`;
}

function* namesLeft({ namesLeft: left }: Erased): Generator<string> {
  if (left > 0)
    yield `${plural(left, 'name')} (addresses, hosts and the like) of the last three days stay in the index, with nothing under them, until their time.`;
}

const rowsIn = ({ namesLeft: _, read: __, ...counts }: Erased) => Object.values(counts).reduce((sum, n) => sum + n, 0);

/** Asks for the number, which somebody who did not read will not type. */
async function confirmed(segments: number, signal: AbortSignal): Promise<boolean> {
  const asking = createInterface({ input: process.stdin, output: process.stderr });
  try {
    asking.on('SIGINT', () => process.emit('SIGINT'));
    const typed = await asking.question(`This cannot be taken back. Type "forget ${segments}" to delete them: `, { signal });
    return typed.trim() === `forget ${segments}`;
  } finally {
    asking.close();
  }
}
