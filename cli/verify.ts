import { S3Client } from '@aws-sdk/client-s3';
import type { Finding, Sureness } from '../functions/store/finding.ts';
import { DirectoryEvidence } from '../functions/verify/directory-source.ts';
import type { EvidenceSource } from '../functions/verify/evidence.ts';
import { S3Evidence } from '../functions/verify/s3-source.ts';
import { type Totals, tombstonesOf, verify, verifyInstance } from '../functions/verify/verify.ts';
import { FUNCTION_NAME, INSTANCE_ID } from '../layers/record/key.ts';
import type { InstanceId } from '../layers/record/types.ts';
import { apiOptions, connect } from './api.ts';
import { clientOf } from './aws.ts';
import { command, NOTHING_FOUND } from './command.ts';
import { runningEngines } from './local-engine.ts';
import { formOptions, jsonOf, print, warn } from './print.ts';
import { Progress } from './progress.ts';
import { Register } from './register.ts';
import { plural, type Style, safe, screenOf, size, wrap } from './screen.ts';
import { instant, UsageError } from './usage.ts';

/** Findings that are kept and shown; the rest is counted. */
const MOST = 10_000;
/** Requests that a finding names on a terminal. */
const NAMED = 8;
const DAY = 86_400_000;
const NOT_WHOLE = 4;

export default command({
  usage: ['[options]', '--directory <path> [options]'],
  options: {
    bucket: {
      type: 'string',
      value: 'name',
      says: 'bucket with the segments: stack output <id>EvidenceBucket (default: that of the engine on this machine)',
    },
    directory: { type: 'string', value: 'path', says: 'a copy of the bucket instead, as `aws s3 sync` makes it' },
    function: { type: 'string', value: 'name', says: 'the record of this function only' },
    instance: { type: 'string', value: 'id', says: 'the record of this instance only; takes --function with it' },
    from: {
      type: 'string',
      value: 'time',
      says: 'instances with a segment stored from then on: ISO 8601, or a span back such as 36h',
    },
    to: { type: 'string', value: 'time', says: 'instances with a segment stored before then' },
    retention: { type: 'string', value: 'days', says: 'how long segments are kept; what is older may be gone (default: 90)' },
    alone: { type: 'boolean', says: 'judge by the segments alone: do not ask the query API what was noted of them' },
    ...formOptions,
    ...apiOptions,
    'aws-endpoint': { type: 'string', value: 'url', says: 'address of S3, where it is not AWS (default: AWS_ENDPOINT_URL)' },
  },
  text: `Reads every segment in all its versions, and checks that numbers are without a hole, that each segment names the digest of the one
before, that keys, headers and records agree, that times do not contradict each other, and that nothing is there that no recorder
writes. The query API, when there is one, adds a second witness: the digests that were noted when the segments were stitched, and the
invocations that the platform saw. Without it a record whose end was cut off looks like that of a killed instance.

certain: nothing lawful looks like this. likely: something lawful would be very odd. possible: a crash looks the same, too.
told: nothing is wrong; somebody deleted it on purpose and a tombstone says who (\`alastor forget\`).
docs/security.md says what can be found and what cannot. Needs s3:ListBucketVersions, s3:GetObjectVersion and kms:Decrypt (the
prop \`auditors\`), and of the API execute-api:Invoke.`,
  examples: ['--from 24h', '--function purchase --json', '--directory ./evidence --alone'],
  exits:
    '0 the record is whole (what is only possible does not count), 1 it could not be checked, 2 wrong arguments, 3 there is nothing to check, 4 it is not whole, 130 interrupted',
  async run(values) {
    const asked = scope(values);
    const register = await registerFor(values);
    const source = sourceFor(values);
    const findings: Finding[] = [];
    const counts: Record<Sureness, number> = { certain: 0, likely: 0, possible: 0, told: 0 };
    const take = (one: Finding): void => {
      counts[one.sure]++;
      if (findings.length < MOST) findings.push(one);
    };
    const seen = new Set<InstanceId>();
    const cut: string[] = [];
    const noted = register === undefined ? {} : { noted: (id: InstanceId) => register.noted(id, cut) };
    const totals = await new Progress().stage('verifying the record', async (note) => {
      const told = ({ instances, segments, bytes }: Totals) =>
        note(`${plural(segments, 'segment')} of ${plural(instances, 'instance')}, ${size(bytes)}`);
      const onProgress = (id: InstanceId, so: Totals): void => {
        seen.add(id);
        told(so);
      };
      const all = verify({ ...asked, source, ...noted, onProgress });
      for (;;) {
        const { done, value } = await all.next();
        if (done) {
          told(value);
          return value;
        }
        take(value);
      }
    });
    if (register !== undefined) {
      await new Progress().stage('comparing with other witnesses', async () => {
        // Of instances that have no segment left at all, only the register knows.
        const { forgotten } = await tombstonesOf(source, asked.part);
        for (const place of await register.instances(asked, cut)) {
          if (seen.has(place.instanceId)) continue;
          const { findings: more } = await verifyInstance(place, { ...asked, source, ...noted, forgotten });
          for (const one of more) take(one);
        }
        for (const one of await register.silenced(asked, cut)) take(one);
      });
    }
    const all = counts.certain + counts.likely + counts.possible + counts.told;
    if (all > findings.length) cut.push(`findings: ${all - findings.length} more`);
    if (values.ndjson) await print(findings.map(jsonOf));
    else if (values.json) await print([jsonOf({ findings, counts, totals, cut })]);
    else await print([...lines(findings), `${summary(findings, counts)} in ${totalsText(totals)}.`]);
    warn('verify', cut);
    if (counts.certain + counts.likely > 0) return NOT_WHOLE;
    return totals.segments + counts.told === 0 ? NOTHING_FOUND : 0;
  },
});

interface Asked {
  readonly bucket?: string | undefined;
  readonly directory?: string | undefined;
  readonly function?: string | undefined;
  readonly instance?: string | undefined;
  readonly from?: string | undefined;
  readonly to?: string | undefined;
  readonly retention?: string | undefined;
  readonly alone: boolean;
  readonly endpoint?: string | undefined;
  readonly profile?: string | undefined;
  readonly region?: string | undefined;
  readonly 'aws-endpoint'?: string | undefined;
}

/** @throws UsageError */
function scope(values: Asked) {
  const now = Date.now();
  const { function: fn, instance } = values;
  if (fn !== undefined && !FUNCTION_NAME.test(fn)) throw new UsageError(`--function "${fn}" is no name of a function`);
  if (instance !== undefined && !INSTANCE_ID.test(instance))
    throw new UsageError(`--instance "${instance}" is no id of an instance`);
  if (instance !== undefined && fn === undefined)
    throw new UsageError('--instance needs --function beside it: keys begin with that');
  const from = values.from === undefined ? 0 : instant('--from', values.from, now);
  const to = values.to === undefined ? Number.POSITIVE_INFINITY : instant('--to', values.to, now);
  if (from >= to) throw new UsageError(`--from ${values.from} is not before --to ${values.to}`);
  const days = Number(values.retention ?? 90);
  if (!Number.isInteger(days) || days < 1)
    throw new UsageError(`--retention must be a whole number of days, not "${values.retention}"`);
  const part = {
    ...(fn === undefined ? {} : { fn }),
    ...(instance === undefined ? {} : { instanceId: instance as InstanceId }),
  };
  return { part, from, to, kept: days * DAY, now };
}

function sourceFor(values: Asked): EvidenceSource {
  if (values.directory !== undefined) {
    if (values.bucket !== undefined) throw new UsageError('--bucket and --directory exclude each other');
    return new DirectoryEvidence(values.directory);
  }
  const [engine] = values.bucket === undefined ? runningEngines().running : [];
  const output = Object.keys(engine?.outputs ?? {}).find((name) => name.endsWith('EvidenceBucket'));
  const bucket = values.bucket ?? (output === undefined ? undefined : engine?.outputs[output]);
  if (bucket === undefined) throw new UsageError('--bucket (the stack output <id>EvidenceBucket) or --directory is missing');
  const client = clientOf({ ...values, endpoint: values['aws-endpoint'] ?? engine?.endpoint ?? process.env.AWS_ENDPOINT_URL });
  const region = client.region ?? engine?.region;
  return new S3Evidence(
    new S3Client({ ...client, ...(region === undefined ? {} : { region }), forcePathStyle: client.endpoint !== undefined }),
    bucket,
  );
}

/** A copy in a directory is compared with the API only when somebody says which: it may be of another account. */
async function registerFor(values: Asked): Promise<Register | undefined> {
  if (values.alone) return undefined;
  const named = values.endpoint !== undefined || Boolean(process.env.ALASTOR_ENDPOINT);
  const here =
    values.directory === undefined && values.bucket === undefined && runningEngines().running.some(({ query }) => query);
  if (named || here) return new Register(await connect(values));
  warn('verify', [
    'judged by the segments alone; --endpoint (the query API) adds what was noted of them and what the platform saw',
  ]);
  return undefined;
}

const STYLES: Readonly<Record<Sureness, Style>> = { certain: 'red', likely: 'yellow', possible: 'dim', told: 'cyan' };
const RANK: readonly Sureness[] = ['certain', 'likely', 'possible', 'told'];

function* lines(findings: readonly Finding[]): Generator<string> {
  const screen = screenOf(process.stdout);
  for (const one of [...findings].sort((a, b) => RANK.indexOf(a.sure) - RANK.indexOf(b.sure))) {
    const { kind, sure, function: fn, instanceId = '', segment, from, to, requests, why } = one;
    const records = from === undefined ? '' : `records ${from}-${to}`;
    yield screen.paint(STYLES[sure], `${sure} ${kind}`);
    yield* wrap(
      screen,
      [fn, instanceId, records]
        .filter((text) => text !== '')
        .map((text) => safe(text))
        .join('  '),
      '  ',
    );
    if (segment !== undefined) yield* wrap(screen, safe(segment), '  ');
    yield* wrap(screen, safe(why), '  ');
    const more = requests.length > NAMED ? [`and ${requests.length - NAMED} more (--json names them)`] : [];
    if (requests.length > 0) {
      yield* wrap(screen, `requests: ${[...requests.slice(0, NAMED).map((id) => safe(id, 100)), ...more].join(', ')}`, '  ');
    }
  }
}

function summary(findings: readonly Finding[], counts: Readonly<Record<Sureness, number>>): string {
  const doubts = RANK.filter((sure) => sure !== 'told' && counts[sure] > 0).map((sure) => `${counts[sure]} ${sure}`);
  const forgotten = counts.told === 0 ? [] : [`${plural(counts.told, 'part')} of it forgotten on purpose`];
  const told = [...doubts, ...forgotten];
  if (doubts.length === 0) return ['Nothing is wrong', ...forgotten].join(', ');
  const requests = new Set(findings.flatMap((one) => one.requests));
  return `${told.join(', ')}${requests.size === 0 ? '' : ` (${plural(requests.size, 'request')} concerned)`}`;
}

const totalsText = ({ instances, segments, bytes }: Totals) =>
  `${plural(segments, 'segment')} of ${plural(instances, 'instance')} (${size(bytes)})`;
