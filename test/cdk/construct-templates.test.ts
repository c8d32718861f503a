import { join } from 'node:path';
import { PythonFunction } from '@aws-cdk/aws-lambda-python-alpha';
import { Stack } from 'aws-cdk-lib';
import { Annotations, Match } from 'aws-cdk-lib/assertions';
import { Architecture, Code, DockerImageFunction, Function as LambdaFunction, Runtime } from 'aws-cdk-lib/aws-lambda';
import { NodejsFunction } from 'aws-cdk-lib/aws-lambda-nodejs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Alastor, AuditedDockerImageCode } from '../../cdk/index.ts';
import { layerArchitecture } from '../../cdk/layer.ts';
import { filesIn } from './builder.ts';
import { templateOf, type Workbench, workbench } from './construct-parts.ts';

/** What attaching makes of each runtime, packaging and processor, as CloudFormation gets it. */
let bench: Workbench;
beforeAll(() => {
  bench = workbench();
  const other = layerArchitecture.name === 'arm64' ? 'x64' : 'arm64';
  for (const kind of ['layer', 'layer-with-node']) {
    filesIn(join(bench.layerDirectory, `${kind}-${other}`), { 'alastor/wrapper': `${kind} ${other}` });
  }
  for (const image of ['image', `image-${other}`]) {
    filesIn(join(bench.layerDirectory, image), {
      ...{ Dockerfile: 'FROM scratch', 'extensions/alastor': 'launcher', 'alastor/node': 'a large binary' },
      ...{ 'alastor/build-id': '0123456789abcdef0123456789abcdef\n', 'alastor/entrypoint': '#!/bin/sh\nexec "$@"\n' },
    });
  }
});
afterAll(() => bench.remove());

const own = ['NODEJS_22_X', 'NODEJS_24_X'] as const;
const others = [
  ...([
    'PYTHON_3_10',
    'PYTHON_3_11',
    'PYTHON_3_12',
    'PYTHON_3_13',
    'PYTHON_3_14',
    'JAVA_11',
    'JAVA_17',
    'JAVA_21',
    'JAVA_25',
  ] as const),
  ...(['RUBY_3_3', 'RUBY_3_4', 'DOTNET_8', 'DOTNET_10'] as const),
];

/** Functions of every kind by what they are called in the stack. */
function everyKind(stack: Stack, architecture: Architecture): void {
  const code = () =>
    Code.fromAsset(filesIn(join(bench.folder, 'source'), { 'index.js': '', 'index.py': '', 'requirements.txt': '' }));
  for (const name of [...own, ...others]) {
    new LambdaFunction(stack, name, { runtime: Runtime[name], handler: 'index.handler', code: code(), architecture });
  }
  const entry = join(filesIn(join(bench.folder, 'node'), { 'index.ts': 'export const handler = async () => 1;' }), 'index.ts');
  new NodejsFunction(stack, 'NodejsFunction', { entry, runtime: Runtime.NODEJS_24_X, architecture, depsLockFilePath: entry });
  new PythonFunction(stack, 'PythonFunction', {
    entry: join(bench.folder, 'source'),
    runtime: Runtime.PYTHON_3_13,
    architecture,
  });
  const dockerfile = 'FROM public.ecr.aws/lambda/nodejs:24\nCMD ["index.handler"]\n';
  const directory = filesIn(join(bench.folder, 'docker'), { Dockerfile: dockerfile });
  const image = AuditedDockerImageCode.fromImageAsset(directory, { layerDirectory: bench.layerDirectory });
  new DockerImageFunction(stack, 'DockerImageFunction', { code: image, architecture });
}

interface Properties {
  readonly Runtime?: string;
  readonly Layers?: readonly { readonly Ref: string }[];
  readonly Environment?: { readonly Variables: Readonly<Record<string, unknown>> };
  readonly Architectures: readonly string[];
}

/** A template without what changes with content: hashes of assets and of construct paths. */
function masked(value: unknown): unknown {
  const text = JSON.stringify(value)
    .replace(/[0-9a-f]{64}/g, '<hash>')
    .replace(/("(?:Ref|Fn::GetAtt)":\[?"[A-Za-z0-9]*?)[0-9A-F]{8}"/g, '$1<id>"');
  return JSON.parse(text) as unknown;
}

describe.each([Architecture.X86_64, Architecture.ARM_64])('on $name', (architecture) => {
  let stack: Stack;
  let functions: Readonly<Record<string, Properties>>;
  const of = (name: string): Properties => {
    const found = Object.entries(functions).find(([id]) => id.replace(/[0-9A-F]{8}$/, '') === name.replaceAll('_', ''));
    if (found === undefined) throw new Error(`no function ${name} in ${Object.keys(functions).join(', ')}`);
    return found[1];
  };
  const layerOf = (name: string): string => (of(name).Layers ?? []).map(({ Ref }) => Ref.replace(/[0-9A-F]{8}$/, '')).join();
  const suffix = architecture === Architecture.ARM_64 ? 'Arm64' : '';

  beforeAll(() => {
    stack = new Stack(bench.app(), 'Shop');
    everyKind(stack, architecture);
    new Alastor(stack, 'Alastor', { layerDirectory: bench.layerDirectory, inventory: false, monitoring: false }).auditAll(
      stack,
    );
    const found = templateOf(stack).findResources('AWS::Lambda::Function');
    functions = Object.fromEntries(Object.entries(found).map(([id, { Properties }]) => [id, Properties as Properties]));
  });

  it('everything is audited, and nothing warns', () => {
    const { Value } = templateOf(stack).toJSON().Outputs.AlastorFunctions as { Value: string };
    expect([...new Set(Object.values(JSON.parse(Value) as object))]).toEqual(['audited']);
    Annotations.fromStack(stack).hasNoWarning('*', Match.stringLikeRegexp('Alastor cannot'));
  });

  it.each([...own, 'NodejsFunction'])("%s: the recorder runs on the runtime's own Node", (name) => {
    expect(layerOf(name)).toBe(`AlastorLayer${suffix}`);
    expect(of(name).Environment?.Variables).toHaveProperty('AWS_LAMBDA_EXEC_WRAPPER', '/opt/alastor/wrapper');
  });

  it.each([...others, 'PythonFunction'])('%s: the layer brings a Node', (name) => {
    expect(layerOf(name)).toBe(`AlastorLayerWithNode${suffix}`);
    expect(of(name).Environment?.Variables).toHaveProperty('AWS_LAMBDA_EXEC_WRAPPER', '/opt/alastor/wrapper');
  });

  it('DockerImageFunction: no layer, for the audit is in the image', () => {
    expect(of('DockerImageFunction')).not.toHaveProperty('Layers');
    expect(of('DockerImageFunction').Environment?.Variables).toHaveProperty('ALASTOR_BUCKET');
  });

  it('each has a policy for its own prefix, and the layers are for this processor', () => {
    const template = templateOf(stack);
    const policies = Object.keys(template.findResources('AWS::IAM::Policy')).filter((id) => id.includes('AlastorSegments'));
    expect(policies).toHaveLength(own.length + others.length + 3);
    template.allResourcesProperties('AWS::Lambda::LayerVersion', { CompatibleArchitectures: [architecture.name] });
  });

  it('is as it was', () => {
    const theirs = (id: string) => !/^(Alastor|BucketNotificationsHandler)/.test(id);
    const told = Object.fromEntries(Object.entries(functions).filter(([id]) => theirs(id)));
    const names = Object.fromEntries(Object.entries(told).map(([id, one]) => [id.replace(/[0-9A-F]{8}$/, ''), masked(one)]));
    expect(names).toMatchSnapshot();
    const [policy] = Object.entries(templateOf(stack).findResources('AWS::IAM::Policy')).filter(([id]) =>
      id.startsWith('NODEJS24XAlastorSegments'),
    );
    expect(masked(policy?.[1])).toMatchSnapshot();
  });
});
