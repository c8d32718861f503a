/** The template before cdk-nag (pack AwsSolutions) and CDK's own validator of CloudFormation, both at their strictest. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { App, Duration, Stack, Validations } from 'aws-cdk-lib';
import { HttpJwtAuthorizer } from 'aws-cdk-lib/aws-apigatewayv2-authorizers';
import { ArnPrincipal } from 'aws-cdk-lib/aws-iam';
import { CfnFunction } from 'aws-cdk-lib/aws-lambda';
import { CfnBucket } from 'aws-cdk-lib/aws-s3';
import { AwsSolutionsChecks } from 'cdk-nag';
import { afterAll, beforeAll, expect, it, vi } from 'vitest';
import { Alastor, type AlastorProps } from '../../cdk/index.ts';
import { inlineFunction, type Workbench, workbench } from './construct-parts.ts';

interface Report {
  readonly pluginReports: readonly {
    readonly pluginName: string;
    readonly violations: readonly {
      readonly ruleName: string;
      readonly violatingConstructs: readonly { readonly constructPath: string }[];
    }[];
  }[];
}

/** What is found and is as it should be: `<rule> <construct>`, and why. */
const JUSTIFIED: readonly (readonly [found: RegExp, why: string])[] = [
  [
    /IAM4\[.*AWSLambdaBasicExecutionRole\] Audit\/Alastor\//,
    'it lets a function write logs; cdk/permissions.ts lists the rest',
  ],
  [
    /IAM5\[.*\/segments\/\*\] Audit\/Alastor\/(Stitcher|Query|Verification)\//,
    'they read all segments, whose names nobody knows beforehand',
  ],
  [/IAM5\[.*\/spill\/\*\] Audit\/Alastor\/(Stitcher|Query)\//, 'they write and read all spilled shards'],
  [/IAM5\[.*\/forgotten\/\*\] Audit\/Alastor\/Verification\//, 'it reads all tombstones'],
  [/IAM5\[Resource::\*\] Audit\/Alastor\/Inventory\//, 'Lambda lists functions and event sources of all resources only'],
  [
    /IAM5\[Resource::arn:[^\]]*\] Audit\/Alastor\/Inventory\//,
    'it reads how all functions, and what invokes them, are configured',
  ],
  [/IAM5\[.*\/segments\/<Shop[0-9A-F]+>\/\*\] Audit\/Shop\/AlastorSegments/, 'new objects below the prefix of its own name'],
  [/DDB3 Audit\/Alastor\/Evidence\/(Shards|Links)\//, 'the graph is made of the segments: alastor restitch makes it anew'],
  [/SQS3 Audit\/Alastor\/Witness\/DeadLetters\//, 'it is a dead-letter queue itself, of asynchronous invocations'],
  [/IAM4\[.*\] Audit\/Shop\/ServiceRole\//, 'the role of the audited function is none of Alastor'],
  [/IAM4\[.*\] Audit\/BucketNotificationsHandler/, 'CDK has a function of its own set up notifications of buckets'],
];

let bench: Workbench;
let synths = 0;
beforeAll(() => {
  // Other tests do without (test/vitest.config.ts).
  vi.stubEnv('CDK_VALIDATION', 'true');
  bench = workbench();
});
afterAll(() => bench.remove());

/** What is found: plugin, rule, construct. */
function findings(props: AlastorProps, also: (stack: Stack) => void = () => undefined): readonly string[] {
  const outdir = join(bench.folder, `nag-${synths++}`);
  const context = {
    ...{ 'aws:cdk:bundling-stacks': [], '@aws-cdk/core:failSynthOnValidationErrors': true },
    '@aws-cdk/core:strictCfnValidateErrors': true,
  };
  const app = new App({ outdir, analyticsReporting: false, context });
  Validations.of(app).addPlugins(new AwsSolutionsChecks(app));
  const stack = new Stack(app, 'Audit', { env: { account: '123456789012', region: 'us-east-1' } });
  new Alastor(stack, 'Alastor', { layerDirectory: bench.layerDirectory, ...props }).audit(inlineFunction(stack, 'Shop'));
  also(stack);
  try {
    app.synth();
  } catch (error) {
    expect((error as Error).name).toBe('ValidationFailed');
  }
  const report = JSON.parse(readFileSync(join(outdir, 'validation-report.json'), 'utf8')) as Report;
  return report.pluginReports.flatMap(({ pluginName, violations }) =>
    violations.flatMap(({ ruleName, violatingConstructs }) =>
      violatingConstructs.map(({ constructPath }) => `${pluginName} ${ruleName} ${constructPath}`),
    ),
  );
}

it.each<[string, AlastorProps]>([
  ['as it is by default', {}],
  [
    'with everything that can be chosen',
    {
      ...{ objectLock: 'compliance', encryptionKey: false, retention: Duration.days(30) },
      auditors: [new ArnPrincipal('arn:aws:iam::123456789012:role/auditor')],
      queryAuthorizer: new HttpJwtAuthorizer('Jwt', 'https://login.example', { jwtAudience: ['alastor'] }),
    },
  ],
])(
  'finds nothing in Alastor %s that is not justified',
  (_, props) => {
    const found = findings(props);
    expect(found.filter((one) => !JUSTIFIED.some(([known]) => known.test(one)))).toEqual([]);
    // A justification that nothing needs any more is taken out.
    expect(JUSTIFIED.filter(([known]) => !found.some((one) => known.test(one)))).toEqual([]);
  },
  60_000,
);

it('would find something: both look', () => {
  const found = findings({}, (stack) => {
    new CfnBucket(stack, 'Bare');
    new CfnFunction(stack, 'Wrong', { code: { zipFile: 'x' }, role: 'arn:aws:iam::123456789012:role/x', memorySize: 7 });
  });
  expect(found).toContainEqual(expect.stringMatching(/^AwsSolutions AwsSolutions-S1 Audit\/Bare/));
  expect(found).toContainEqual(expect.stringMatching(/^CloudFormation Validate .* Audit\/Wrong/));
}, 60_000);
