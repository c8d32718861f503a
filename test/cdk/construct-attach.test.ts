import { mkdirSync, mkdtempSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { NestedStack, Stack } from 'aws-cdk-lib';
import { Annotations, Match } from 'aws-cdk-lib/assertions';
import { Distribution, experimental } from 'aws-cdk-lib/aws-cloudfront';
import { HttpOrigin } from 'aws-cdk-lib/aws-cloudfront-origins';
import { GatewayVpcEndpointAwsService, type IVpc, Vpc } from 'aws-cdk-lib/aws-ec2';
import { Role } from 'aws-cdk-lib/aws-iam';
import {
  Alias,
  Architecture,
  Code,
  type IVersion,
  Function as LambdaFunction,
  LayerVersion,
  Runtime,
  SnapStartConf,
  Version,
} from 'aws-cdk-lib/aws-lambda';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Alastor } from '../../cdk/index.ts';
import { layerArchitecture } from '../../cdk/layer.ts';
import { inlineFunction, propertiesOf, templateOf, type Workbench, workbench } from './construct-parts.ts';

let bench: Workbench;
beforeAll(() => {
  bench = workbench();
});
afterAll(() => bench.remove());

function setUp(layerDirectory = bench.layerDirectory) {
  const app = bench.app();
  const stack = new Stack(app, 'Shop', { env: { account: '123456789012', region: 'eu-west-1' } });
  const alastor = new Alastor(stack, 'Alastor', { layerDirectory });
  return { app, stack, alastor };
}

const variablesOf = (fn: LambdaFunction) => (propertiesOf(fn).Environment as { Variables: Record<string, unknown> }).Variables;
/** A directory with one file of so many bytes, none of which is written. */
function sparse(bytes: number, name = 'data.bin'): string {
  const directory = mkdtempSync(join(bench.folder, 'code-'));
  writeFileSync(join(directory, 'index.js'), 'exports.handler = async () => 1;');
  writeFileSync(join(directory, name), '');
  truncateSync(join(directory, name), bytes);
  return directory;
}

describe('versions and aliases', () => {
  /** Logical id of the version that CDK publishes of the function. */
  function versionId(layerDirectory: string | null, settings = {}): string {
    const app = bench.app();
    const stack = new Stack(app, 'Shop');
    const fn = inlineFunction(stack, 'Purchase');
    const alias = fn.addAlias('live');
    if (layerDirectory !== null) new Alastor(stack, 'Alastor', { layerDirectory, settings }).audit(alias);
    const [id] = Object.keys(templateOf(stack).findResources('AWS::Lambda::Version'));
    return id!;
  }

  it('publish a new version when the audit comes, when its settings change, and when its layer does', () => {
    const changed = mkdtempSync(join(bench.folder, 'changed-'));
    mkdirSync(join(changed, 'layer'));
    writeFileSync(join(changed, 'layer', 'other'), 'other');
    const ids = [versionId(null), versionId(bench.layerDirectory), versionId(bench.layerDirectory, { ship: 'interval:5000' })];
    expect(new Set([...ids, versionId(changed)]).size).toBe(4);
    expect(versionId(bench.layerDirectory)).toBe(ids[1]);
  });

  it('stand for their function', () => {
    const { stack, alastor } = setUp();
    const fn = inlineFunction(stack, 'Purchase');
    alastor.audit([fn.currentVersion, new Alias(stack, 'Live', { aliasName: 'live', version: fn.currentVersion as IVersion })]);
    expect(variablesOf(fn)).toHaveProperty('ALASTOR_BUCKET');
    expect(propertiesOf(fn).Layers).toHaveLength(1);
  });

  it('are refused, naming the function, where they stay as they were published', () => {
    const { stack, alastor } = setUp();
    const lambda = inlineFunction(stack, 'Purchase');
    // CDK's own types do not fit each other under exactOptionalPropertyTypes.
    const version = new Version(stack, 'One', { lambda }) as Version & IVersion;
    const refusal = /cannot audit Shop\/(One|Live): .*published once.*`currentVersion` of Shop\/Purchase/;
    expect(() => alastor.audit(version)).toThrow(refusal);
    expect(() => alastor.audit(new Alias(stack, 'Live', { aliasName: 'live', version }))).toThrow(refusal);
    alastor.auditAll(stack);
    Annotations.fromStack(stack).hasWarning('/Shop/One', Match.stringLikeRegexp('stays without audit'));
  });

  it('keep SnapStart', () => {
    const { stack, alastor } = setUp();
    const fn = inlineFunction(stack, 'Python', {
      ...{ runtime: Runtime.PYTHON_3_13, snapStart: SnapStartConf.ON_PUBLISHED_VERSIONS },
      code: Code.fromInline('def handler(event, context): pass'),
    });
    fn.addAlias('live');
    alastor.audit(fn);
    expect(propertiesOf(fn)).toMatchObject({ SnapStart: { ApplyOn: 'PublishedVersions' }, Layers: [{}] });
  });
});

describe('what is not a function of this app', () => {
  it('is refused: imported functions, by ARN or by name, and what is none', () => {
    const { stack, alastor } = setUp();
    const arn = 'arn:aws:lambda:eu-west-1:123456789012:function:other';
    const owner = /cannot audit Shop\/(Arn|Name): it is not a function of this app.*alastor instrument/;
    expect(() => alastor.audit(LambdaFunction.fromFunctionArn(stack, 'Arn', arn))).toThrow(owner);
    expect(() => alastor.audit(LambdaFunction.fromFunctionName(stack, 'Name', 'other'))).toThrow(owner);
    expect(() => alastor.audit('checkout' as never)).toThrow(/cannot audit checkout/);
  });
});

describe('functions at the edge', () => {
  it('are left alone, however they came there', () => {
    const { stack, alastor } = setUp();
    const code = Code.fromInline('exports.handler = async () => 1;');
    const edge = new experimental.EdgeFunction(stack, 'Edge', { runtime: Runtime.NODEJS_24_X, handler: 'index.handler', code });
    const viewer = inlineFunction(stack, 'Viewer', { architecture: Architecture.X86_64 });
    new Distribution(stack, 'Web', {
      defaultBehavior: {
        origin: new HttpOrigin('shop.example'),
        edgeLambdas: [{ functionVersion: viewer.currentVersion as IVersion, eventType: 'viewer-request' as never }],
      },
    });
    alastor.auditAll(stack.node.root);
    expect(propertiesOf(viewer)).not.toHaveProperty('Environment');
    expect(propertiesOf(viewer)).not.toHaveProperty('Layers');
    Annotations.fromStack(stack).hasWarning('/Shop/Viewer', Match.stringLikeRegexp('runs at the edge'));
    expect(edge.node.path).toBe('Shop/Edge');
    expect(() => alastor.audit(viewer)).toThrow(/Shop\/Viewer: it runs at the edge/);
  });
});

describe('both architectures', () => {
  const other = layerArchitecture.name === 'x86_64' ? Architecture.ARM_64 : Architecture.X86_64;
  const suffix = other.name === 'arm64' ? 'arm64' : 'x64';

  it('have a layer each', () => {
    const both = mkdtempSync(join(bench.folder, 'both-'));
    for (const name of ['layer', `layer-${suffix}`]) {
      mkdirSync(join(both, name));
      writeFileSync(join(both, name, 'content'), name);
    }
    const { stack, alastor } = setUp(both);
    const [own, foreign] = [inlineFunction(stack, 'Own'), inlineFunction(stack, 'Other', { architecture: other })] as const;
    alastor.auditAll(stack);
    const layerOf = (fn: LambdaFunction) => (propertiesOf(fn).Layers as { Ref: string }[])[0]!.Ref;
    const layers = templateOf(stack).findResources('AWS::Lambda::LayerVersion');
    expect(layers[layerOf(own)]!.Properties.CompatibleArchitectures).toEqual([layerArchitecture.name]);
    expect(layers[layerOf(foreign)]!.Properties.CompatibleArchitectures).toEqual([other.name]);
  });

  it('say how to build the one that is missing', () => {
    const { app, stack, alastor } = setUp();
    inlineFunction(stack, 'Other', { architecture: other });
    alastor.auditAll(stack);
    expect(() => app.synth()).toThrow(new RegExp(`no layer in .*layer-${suffix}.*build.ts --arch ${suffix}`));
  });
});

describe("Lambda's limits", () => {
  it('five layers: refused when named, else told in a warning and left as they were', () => {
    const layers = (stack: Stack) =>
      [1, 2, 3, 4, 5].map((n) =>
        LayerVersion.fromLayerVersionArn(stack, `L${n}`, `arn:aws:lambda:eu-west-1:123456789012:layer:l:${n}`),
      );
    const named = setUp();
    named.alastor.audit(inlineFunction(named.stack, 'Full', { layers: layers(named.stack) }));
    expect(() => named.app.synth()).toThrow(/Shop\/Full: it has 5 layers, and Lambda takes 5/);
    const all = setUp();
    const fn = inlineFunction(all.stack, 'Full', { layers: layers(all.stack) });
    all.alastor.auditAll(all.stack);
    expect(propertiesOf(fn)).not.toHaveProperty('Environment');
    Annotations.fromStack(all.stack).hasWarning('/Shop/Full', Match.stringLikeRegexp('Lambda takes 5'));
  });

  it('250 MB unpacked: code, other layers and the audit layer together', () => {
    const { app, stack, alastor } = setUp();
    const layer = new LayerVersion(stack, 'Libraries', { code: Code.fromAsset(sparse(160 * 1048576)) });
    const code = Code.fromAsset(sparse(95 * 1048576));
    alastor.audit(inlineFunction(stack, 'Large', { code, layers: [layer] }));
    expect(() => app.synth()).toThrow(/Shop\/Large: .* unpack to 256 MB, and Lambda takes 250 MB/);
    const fits = setUp();
    fits.alastor.audit(inlineFunction(fits.stack, 'Fits', { code: Code.fromAsset(sparse(240 * 1048576)) }));
    fits.app.synth();
  });

  it('4 KB of variables', () => {
    const { app, stack, alastor } = setUp();
    alastor.audit(inlineFunction(stack, 'Chatty', { environment: { TEXT: 'x'.repeat(4050) } }));
    expect(() => app.synth()).toThrow(/Shop\/Chatty: with the audit its variables are 41\d\d bytes, and Lambda takes 4096/);
  });
});

describe('variables of the function', () => {
  it('may be settings, and win; what belongs to the layer is refused', () => {
    const { stack, alastor } = setUp();
    const fn = inlineFunction(stack, 'Mine', {
      environment: { ALASTOR_SHIP: 'size:65536', NODE_OPTIONS: '--enable-source-maps' },
    });
    alastor.audit(fn, { settings: { ship: 'interval:5000' } });
    expect(variablesOf(fn)).toMatchObject({ ALASTOR_SHIP: 'size:65536', NODE_OPTIONS: '--enable-source-maps' });
    const bad = setUp();
    bad.alastor.audit(inlineFunction(bad.stack, 'Bad', { environment: { ALASTOR_RING: '/tmp/x' } }));
    expect(() => bad.app.synth()).toThrow(/Shop\/Bad: .*ALASTOR_RING is the layer's own/);
  });

  it('may be expressions, a wrapper that is one included', () => {
    const { stack, alastor } = setUp();
    const wrapper = { AWS_LAMBDA_EXEC_WRAPPER: `/opt/${stack.stackName}${stack.stackId}` };
    const fn = inlineFunction(stack, 'Mine', { environment: wrapper });
    alastor.audit(fn);
    expect(variablesOf(fn).ALASTOR_NEXT_WRAPPER).toEqual({ 'Fn::Join': ['', ['/opt/Shop', { Ref: 'AWS::StackId' }]] });
  });
});

describe('surroundings', () => {
  it('a VPC without an endpoint for S3 is warned of, one with it is not', () => {
    const { stack, alastor } = setUp();
    const vpc = new Vpc(stack, 'Net', { natGateways: 0, maxAzs: 1 }) as IVpc;
    inlineFunction(stack, 'Inside', { vpc, vpcSubnets: { subnetType: 'Isolated' as never } });
    alastor.auditAll(stack);
    Annotations.fromStack(stack).hasWarning('/Shop/Inside', Match.stringLikeRegexp('no endpoint for S3'));

    const good = setUp();
    const net = new Vpc(good.stack, 'Net', { natGateways: 0, maxAzs: 1 }) as Vpc & IVpc;
    net.addGatewayEndpoint('S3', { service: GatewayVpcEndpointAwsService.S3 });
    inlineFunction(good.stack, 'Inside', { vpc: net, vpcSubnets: { subnetType: 'Isolated' as never } });
    good.alastor.auditAll(good.stack);
    Annotations.fromStack(good.stack).hasNoWarning('/Shop/Inside', Match.stringLikeRegexp('endpoint'));
  });

  it('a role that may not be changed is warned of, with what it needs', () => {
    const { stack, alastor } = setUp();
    const role = Role.fromRoleArn(stack, 'Theirs', 'arn:aws:iam::123456789012:role/theirs', { mutable: false });
    inlineFunction(stack, 'Given', { role });
    alastor.auditAll(stack);
    Annotations.fromStack(stack).hasWarning('/Shop/Given', Match.stringLikeRegexp('s3:PutObject on segments/'));
  });

  it('two constructs do not audit the same function', () => {
    const { app, stack, alastor } = setUp();
    const fn = inlineFunction(stack, 'Purchase');
    alastor.audit(fn);
    new Alastor(stack, 'Second', { layerDirectory: bench.layerDirectory }).audit(fn);
    expect(() => app.synth()).toThrow(/cannot audit Shop\/Purchase: Shop\/Alastor audits it already/);
  });
});

describe('what became of each function', () => {
  it('is an output of its stack', () => {
    const { stack, alastor } = setUp();
    inlineFunction(stack, 'Purchase');
    inlineFunction(stack, 'Internal');
    const code = Code.fromAsset(`${bench.layerDirectory}/layer`);
    inlineFunction(stack, 'Custom', { runtime: Runtime.PROVIDED_AL2023, code });
    alastor.auditAll(stack, { exclude: [/Internal/] });
    const { Value } = templateOf(stack).toJSON().Outputs.AlastorFunctions as { Value: string };
    expect(JSON.parse(Value)).toEqual({
      Purchase: 'audited',
      Internal: 'excluded',
      Custom: 'its runtime provided.al2023 ignores AWS_LAMBDA_EXEC_WRAPPER',
    });
  });

  it('is told by the stack around, of functions in nested stacks', () => {
    const { stack, alastor } = setUp();
    const fn = inlineFunction(new NestedStack(stack, 'Part'), 'Purchase');
    alastor.auditAll(stack);
    const { Value } = templateOf(stack).toJSON().Outputs.AlastorFunctions as { Value: string };
    expect(JSON.parse(Value)).toEqual({ 'Part/Purchase': 'audited' });
    expect(propertiesOf(fn).Layers).toEqual([{ Ref: expect.stringMatching(/AlastorLayer/) }]);
  });

  it('has room for two constructs of one id in different stacks', () => {
    const { app, stack, alastor } = setUp();
    inlineFunction(stack, 'Purchase');
    alastor.auditAll(stack);
    const other = new Stack(app, 'Other', { env: { account: '123456789012', region: 'eu-west-1' } });
    new Alastor(other, 'Alastor', { layerDirectory: bench.layerDirectory }).auditAll(stack);
    const outputs = templateOf(stack).toJSON().Outputs as Record<string, { Value: string }>;
    const told = Object.entries(outputs).filter(([name]) => name.startsWith('AlastorFunctions'));
    expect(told.map(([, { Value }]) => JSON.parse(Value) as object)).toEqual([
      { Purchase: 'audited' },
      { Purchase: 'Shop/Alastor audits it already' },
    ]);
  });

  it('goes into further outputs when there are many, in every stack that has functions', () => {
    const { app, stack, alastor } = setUp();
    const other = new Stack(app, 'Other', { env: { account: '123456789012', region: 'eu-west-1' } });
    for (let n = 0; n < 60; n++) inlineFunction(stack, `Fn${n}`);
    inlineFunction(other, 'Alone');
    alastor.auditAll(app);
    const functionsIn = (one: Stack) =>
      Object.entries(templateOf(one).toJSON().Outputs as Record<string, { Value: string }>)
        .filter(([name]) => name.startsWith('AlastorFunctions'))
        .map(([name, { Value }]) => [name, Object.keys(JSON.parse(Value) as object).length]);
    expect(functionsIn(stack)).toEqual([
      ['AlastorFunctions', 25],
      ['AlastorFunctions2', 25],
      ['AlastorFunctions3', 10],
    ]);
    expect(functionsIn(other)).toEqual([['AlastorFunctions', 1]]);
  });
});
