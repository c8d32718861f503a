import { apiOptions, connect } from './api.ts';
import { type AwsAsked, clientOf, located, serviceOptions } from './aws.ts';
import { command } from './command.ts';
import type { Finding, State } from './doctor/finding.ts';
import { jsonOf, print } from './print.ts';
import { Progress } from './progress.ts';
import { type Screen, type Style, safe, screenOf, wrap } from './screen.ts';

export default command({
  usage: ['[options]'],
  options: {
    installation: {
      type: 'string',
      value: 'name',
      says: 'which one, where a region has several: `<stack>-<id>`, as their alarms and metrics are named',
    },
    'query-url': { ...apiOptions.endpoint },
    ...serviceOptions,
    json: { type: 'boolean', says: 'print the findings as one JSON object' },
  },
  text: `Reads and changes nothing. Looks at what is deployed: Alastor's own functions, the queue and its dead letters, the bucket, the
tables, the audited functions and the version of their layers, the query API with what it misses, alarms, the clock of this
machine. Simulates the policies of roles, with those of bucket and key: that Alastor's own can do what they must, that audited
functions can put their own segments and cannot read, alter or delete evidence. Where a policy depends on what only a real request
tells, or is not understood, and for what it could not look at, it says ? and never that it is well. Policies of an organisation
(SCPs, RCPs) and of VPC endpoints are not looked at.

Needs lambda:ListFunctions, GetFunctionConfiguration, ListEventSourceMappings, ListLayerVersions; sqs:GetQueueUrl,
GetQueueAttributes; s3:ListBucket, GetBucketVersioning, GetBucketObjectLockConfiguration, GetBucketPublicAccessBlock,
GetBucketNotification, GetBucketPolicy, GetEncryptionConfiguration; kms:GetKeyPolicy; iam:GetRole, ListRolePolicies, GetRolePolicy,
ListAttachedRolePolicies, GetPolicy, GetPolicyVersion; dynamodb:DescribeTable, DescribeTimeToLive; cloudwatch:DescribeAlarms, GetMetricStatistics;
execute-api:Invoke. Without one of them the rest is still looked at.`,
  examples: ['', '--profile security --region eu-west-1', '--json | jq -r \'.findings[] | select(.state == "wrong").says\''],
  exits:
    '0 nothing is wrong (there may be warnings, and things not checked), 1 something is wrong or nothing could be looked at, 2 wrong arguments',
  async run(values) {
    const { 'query-url': query, ...aws } = located({ ...values }, {});
    const { examine } = await import('./doctor/examine.ts');
    const client = clientOf(aws as AwsAsked);
    const open = async () => {
      // What an engine on this machine recorded is not the record of an account.
      if (query === undefined && process.env.ALASTOR_ENDPOINT === undefined && client.endpoint === undefined)
        throw new Error('whom to ask? --query-url is not given');
      return await connect({ endpoint: query, profile: values.profile, region: values.region });
    };
    const examined = await new Progress().stage('looking', (note) => examine(client, open, values.installation, note));
    const count = (state: State) => examined.findings.filter((one) => one.state === state).length;
    const counts = { wrong: count('wrong'), warnings: count('warning'), unknown: count('unknown'), ok: count('ok') };
    if (values.json)
      await print([jsonOf({ installation: examined.installation ?? null, ...counts, findings: examined.findings })]);
    else await print(lines(screenOf(process.stdout), examined.findings, counts));
    return counts.wrong > 0 || counts.ok === 0 ? 1 : 0;
  },
});

const MARKS: Readonly<Record<State, readonly [mark: string, style: Style]>> = {
  ok: ['ok     ', 'green'],
  warning: ['warning', 'yellow'],
  wrong: ['WRONG  ', 'red'],
  unknown: ['?      ', 'cyan'],
};
const INDENT = ' '.repeat(9);

function* lines(screen: Screen, findings: readonly Finding[], counts: Readonly<Record<string, number>>): Iterable<string> {
  for (const { state, what, says, mend } of findings) {
    const [mark, style] = MARKS[state];
    const [first = '', ...rest] = wrap(screen, `${safe(what)}: ${safe(says)}`, INDENT);
    yield `${screen.paint(style, mark)}  ${first.slice(INDENT.length)}`;
    yield* rest;
    if (mend !== undefined) yield* wrap(screen, `→ ${safe(mend)}`, `${INDENT}  `, INDENT);
  }
  yield '';
  yield `${counts.wrong} wrong, ${counts.warnings} warnings, ${counts.unknown} not checked, ${counts.ok} ok`;
}
