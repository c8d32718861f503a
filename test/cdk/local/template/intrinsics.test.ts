// biome-ignore-all lint/suspicious/noTemplateCurlyInString: that is how Fn::Sub writes its variables
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { startEngine } from '../../../../cdk/local/engine.ts';

const directories: string[] = [];
afterEach(() => {
  for (const one of directories.splice(0)) rmSync(one, { recursive: true, force: true });
});

/** A cloud assembly with one hand-written template. */
function assembly(template: object, environment = 'aws://unknown-account/unknown-region'): string {
  const directory = mkdtempSync(join(tmpdir(), 'alastor-test-template-'));
  directories.push(directory);
  const artifact = { type: 'aws:cloudformation:stack', environment, properties: { templateFile: 'T.template.json' } };
  writeFileSync(join(directory, 'manifest.json'), JSON.stringify({ version: '48.0.0', artifacts: { T: artifact } }));
  writeFileSync(join(directory, 'T.template.json'), JSON.stringify(template));
  return directory;
}

async function outputs(
  values: Record<string, unknown>,
  rest: object = {},
  environment?: string,
): Promise<Record<string, string>> {
  const Outputs = Object.fromEntries(Object.entries(values).map(([name, Value]) => [name, { Value }]));
  const engine = await startEngine({ assembly: assembly({ Outputs, ...rest }, environment) });
  await engine.stop();
  return { ...engine.outputs };
}

const one = async (value: unknown, rest: object = {}) => (await outputs({ Value: value }, rest)).Value;
const queue = { Resources: { Q: { Type: 'AWS::SQS::Queue', Properties: { QueueName: 'q' } } } };

describe('intrinsic functions', () => {
  it.each<[string, unknown, string]>([
    ['Ref of a resource', { Ref: 'Q' }, 'http'],
    ['Fn::GetAtt', { 'Fn::GetAtt': ['Q', 'Arn'] }, 'arn:aws:sqs:us-east-1:123456789012:q'],
    ['Fn::GetAtt with a dot', { 'Fn::GetAtt': 'Q.QueueName' }, 'q'],
    [
      'Fn::Sub',
      { 'Fn::Sub': '${Q.Arn}/${!literal}/${AWS::Region}' },
      'arn:aws:sqs:us-east-1:123456789012:q/${literal}/us-east-1',
    ],
    ['Fn::Sub with a map', { 'Fn::Sub': ['${a}-${Q.QueueName}', { a: { Ref: 'AWS::Partition' } }] }, 'aws-q'],
    ['Fn::Join of Fn::Split', { 'Fn::Join': ['+', { 'Fn::Split': [',', 'a,b'] }] }, 'a+b'],
    ['Fn::Select', { 'Fn::Select': ['1', { 'Fn::Split': ['/', 'x/y'] }] }, 'y'],
    ['Fn::Base64', { 'Fn::Base64': 'hi' }, 'aGk='],
    [
      'pseudo parameters',
      { 'Fn::Join': ['', [{ Ref: 'AWS::AccountId' }, { Ref: 'AWS::URLSuffix' }, { Ref: 'AWS::StackName' }]] },
      '123456789012amazonaws.comT',
    ],
  ])('%s', async (_name, value, expected) => {
    expect(await one(value, queue)).toContain(expected);
  });

  it('conditions choose values and resources', async () => {
    const found = await outputs(
      { If: { 'Fn::If': ['IsA', 'yes', 'no'] }, Not: { 'Fn::If': ['Both', 'yes', 'no'] } },
      {
        Parameters: { Mode: { Type: 'String', Default: 'a' } },
        Conditions: {
          IsA: { 'Fn::Equals': [{ Ref: 'Mode' }, 'a'] },
          IsB: { 'Fn::Equals': [{ Ref: 'Mode' }, 'b'] },
          Both: {
            'Fn::And': [{ Condition: 'IsA' }, { 'Fn::Not': [{ 'Fn::Or': [{ Condition: 'IsB' }, { Condition: 'IsA' }] }] }],
          },
        },
        // A type that cannot run is no matter where its condition is false.
        Resources: { Never: { Type: 'AWS::EC2::Instance', Condition: 'IsB' } },
      },
    );
    expect(found).toEqual({ If: 'yes', Not: 'no' });
  });

  it('mappings, and properties that are AWS::NoValue', async () => {
    const rest = {
      Mappings: { M: { 'us-east-1': { size: 'big' } } },
      Resources: { Q: { Type: 'AWS::SQS::Queue', Properties: { QueueName: 'q', DelaySeconds: { Ref: 'AWS::NoValue' } } } },
    };
    expect(await one({ 'Fn::FindInMap': ['M', { Ref: 'AWS::Region' }, 'size'] }, rest)).toBe('big');
  });

  it('take account and region of the stack', async () => {
    const Arn = { 'Fn::GetAtt': ['Q', 'Arn'] };
    expect(await outputs({ Arn }, queue, 'aws://111122223333/eu-west-1')).toEqual({
      Arn: 'arn:aws:sqs:eu-west-1:111122223333:q',
    });
  });

  it('know the version of the bootstrap stack', async () => {
    const BootstrapVersion = { Type: 'AWS::SSM::Parameter::Value<String>', Default: '/cdk-bootstrap/hnb659fds/version' };
    expect(Number(await one({ Ref: 'BootstrapVersion' }, { Parameters: { BootstrapVersion } }))).toBeGreaterThan(5);
  });
});

describe('what cannot be resolved', () => {
  it.each<[string, unknown, object, RegExp]>([
    ['another stack', { 'Fn::ImportValue': 'x' }, {}, /output Value: Fn::ImportValue: no stack .* exports x/],
    ['an unknown function', { 'Fn::Cidr': ['x', 1, 1] }, {}, /output Value: Fn::Cidr is not supported locally/],
    ['a name that is not there', { Ref: 'Nobody' }, {}, /output Value: Ref Nobody names nothing/],
    [
      'an attribute that is not there',
      { 'Fn::GetAtt': ['Q', 'Colour'] },
      queue,
      /AWS::SQS::Queue \(Q\) has no attribute Colour; it has Arn/,
    ],
    ['a secret', '{{resolve:secretsmanager:x}}', {}, /dynamic reference/],
    [
      'a parameter of Parameter Store',
      '',
      { Parameters: { P: { Type: 'AWS::SSM::Parameter::Value<String>', Default: '/x' } } },
      /stack T, P: the parameter reads \/x/,
    ],
    ['a parameter without default', '', { Parameters: { P: { Type: 'String' } } }, /stack T, P: the parameter has no default/],
    [
      'a circle',
      '',
      { Resources: { A: { Type: 'AWS::SQS::Queue', DependsOn: 'B' }, B: { Type: 'AWS::SQS::Queue', DependsOn: ['A'] } } },
      /circular dependency: A → B → A/,
    ],
    ['a transform', '', { Transform: 'AWS::Serverless-2016-10-31' }, /transforms/],
  ])('%s is an error that says where', async (_name, value, rest, message) => {
    await expect(one(value, rest)).rejects.toThrow(message);
  });
});
