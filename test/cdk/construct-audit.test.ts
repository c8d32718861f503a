import { App, AspectPriority, Aspects, Stack } from 'aws-cdk-lib';
import { Annotations, Match } from 'aws-cdk-lib/assertions';
import {
  Code,
  DockerImageCode,
  DockerImageFunction,
  type Function as LambdaFunction,
  LayerVersion,
  Runtime,
} from 'aws-cdk-lib/aws-lambda';
import { Construct, type IConstruct } from 'constructs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Alastor } from '../../cdk/index.ts';
import { inlineFunction, propertiesOf, templateOf, type Workbench, workbench } from './construct-parts.ts';

let bench: Workbench;
beforeAll(() => {
  bench = workbench();
});
afterAll(() => bench.remove());

function setUp() {
  const app = bench.app();
  const stack = new Stack(app, 'Shop');
  const alastor = new Alastor(stack, 'Alastor', { layerDirectory: bench.layerDirectory });
  return { app, stack, alastor };
}

const isAudited = (fn: LambdaFunction) => JSON.stringify(propertiesOf(fn).Environment ?? {}).includes('/opt/alastor/wrapper');
const variablesOf = (fn: LambdaFunction) => (propertiesOf(fn).Environment as { Variables: Record<string, unknown> }).Variables;

describe('audit', () => {
  it('adds layer, wrapper and bucket, and changes neither code nor handler', () => {
    const { stack, alastor } = setUp();
    const fn = inlineFunction(stack, 'Purchase');
    alastor.audit(fn);
    expect(propertiesOf(fn)).toMatchObject({
      Code: { ZipFile: 'exports.handler = async () => "hello";' },
      Handler: 'index.handler',
      Layers: [{ Ref: expect.stringMatching(/^AlastorLayer/) }],
      Environment: {
        Variables: {
          AWS_LAMBDA_EXEC_WRAPPER: '/opt/alastor/wrapper',
          ALASTOR_BUCKET: { Ref: expect.stringMatching(/^AlastorEvidenceBucket/) },
        },
      },
    });
  });

  it("lets a function put objects under its own name's prefix, and nothing more", () => {
    const { stack, alastor } = setUp();
    const fn = inlineFunction(stack, 'Purchase');
    alastor.audit(fn);
    templateOf(stack).hasResourceProperties('AWS::IAM::Policy', {
      PolicyName: Match.stringLikeRegexp('^PurchaseAlastorSegments'),
      PolicyDocument: {
        Statement: [
          {
            Effect: 'Allow',
            Action: 's3:PutObject',
            Resource: {
              'Fn::Join': [
                '',
                [{ 'Fn::GetAtt': Match.anyValue() }, '/segments/', { Ref: Match.stringLikeRegexp('^Purchase') }, '/*'],
              ],
            },
          },
          {
            Effect: 'Deny',
            Action: 's3:PutObject',
            Resource: { 'Fn::Join': ['', [{ 'Fn::GetAtt': Match.anyValue() }, '/forgotten/*']] },
          },
          {
            Effect: 'Allow',
            Action: 'kms:GenerateDataKey',
            Resource: { 'Fn::GetAtt': [Match.stringLikeRegexp('^AlastorEvidenceKey'), 'Arn'] },
            Condition: { StringEquals: { 'kms:ViaService': Match.anyValue() } },
          },
        ],
      },
    });
  });

  it('hands a wrapper that was there before to its own, also one set after the call', () => {
    const { stack, alastor } = setUp();
    const before = inlineFunction(stack, 'Before', { environment: { AWS_LAMBDA_EXEC_WRAPPER: '/opt/otel-handler' } });
    const after = inlineFunction(stack, 'After');
    alastor.audit([before, after]);
    after.addEnvironment('AWS_LAMBDA_EXEC_WRAPPER', '/opt/later');
    expect(variablesOf(before)).toMatchObject({
      AWS_LAMBDA_EXEC_WRAPPER: '/opt/alastor/wrapper',
      ALASTOR_NEXT_WRAPPER: '/opt/otel-handler',
    });
    expect(variablesOf(after)).toMatchObject({ ALASTOR_NEXT_WRAPPER: '/opt/later' });
  });

  it('gives runtimes without Node the layer that brings one, after the layers that are there', () => {
    const { stack, alastor } = setUp();
    const layer = new LayerVersion(stack, 'Own', { code: Code.fromAsset(`${bench.layerDirectory}/layer`) });
    const code = Code.fromInline('def handler(event, context): pass');
    const fn = inlineFunction(stack, 'StoreCc', { runtime: Runtime.PYTHON_3_13, code, layers: [layer] });
    alastor.audit(fn);
    expect(propertiesOf(fn).Layers).toEqual([
      { Ref: expect.stringMatching(/^Own/) },
      { Ref: expect.stringMatching(/^AlastorLayerWithNode/) },
    ]);
  });

  it('gives Node 20, which is too old for the recorder, that layer too, and newer ones the other', () => {
    const { stack, alastor } = setUp();
    const layers = [Runtime.NODEJS_20_X, Runtime.NODEJS_22_X].map((runtime) => {
      const fn = inlineFunction(stack, runtime.name.replace('.', ''), { runtime });
      alastor.audit(fn);
      return fn;
    });
    expect(layers.map((fn) => propertiesOf(fn).Layers)).toEqual([
      [{ Ref: expect.stringMatching(/^AlastorLayerWithNode/) }],
      [{ Ref: expect.stringMatching(/^AlastorLayer(?!WithNode)/) }],
    ]);
  });

  it('audits a function once, however often it is asked to', () => {
    const { stack, alastor } = setUp();
    const fn = inlineFunction(stack, 'Purchase');
    alastor.audit(fn).audit([fn]).auditAll(stack);
    expect(propertiesOf(fn).Layers).toHaveLength(1);
    expect(variablesOf(fn)).not.toHaveProperty('ALASTOR_NEXT_WRAPPER');
  });

  it('refuses its own functions, images and custom runtimes, and says why', () => {
    const { stack, alastor } = setUp();
    const custom = inlineFunction(stack, 'Custom', {
      runtime: Runtime.PROVIDED_AL2023,
      code: Code.fromAsset(`${bench.layerDirectory}/layer`),
    });
    const image = new DockerImageFunction(stack, 'Image', {
      code: DockerImageCode.fromImageAsset(`${bench.layerDirectory}/layer`, { file: 'alastor/wrapper' }),
    });
    expect(() => alastor.audit(alastor.query)).toThrow(/Shop\/Alastor\/Query: .*never audited/);
    expect(() => alastor.audit(custom)).toThrow(/Shop\/Custom: .*provided.al2023 ignores AWS_LAMBDA_EXEC_WRAPPER/);
    expect(() => alastor.audit(image)).toThrow(/Shop\/Image: .*container image/);
  });

  it('says what to run when the layer has not been built', () => {
    const app = bench.app();
    const stack = new Stack(app, 'Shop');
    new Alastor(stack, 'Alastor', { layerDirectory: `${bench.folder}/nowhere` }).audit(inlineFunction(stack, 'Purchase'));
    expect(() => app.synth()).toThrow(/Shop\/Alastor.*no layer in .*nowhere\/layer.*npm run build/);
  });
});

describe('auditAll', () => {
  it('audits every function below a scope, also those added later, and never its own', () => {
    const { stack, alastor } = setUp();
    const early = inlineFunction(stack, 'Early');
    alastor.auditAll(stack);
    const late = inlineFunction(new Construct(stack, 'Part'), 'Late');
    expect([early, late, alastor.stitcher, alastor.query].map(isAudited)).toEqual([true, true, false, false]);
  });

  it('follows include and exclude, by function or by path', () => {
    const { stack, alastor } = setUp();
    const [a, b, c, d] = ['OrderA', 'OrderB', 'OrderC', 'Page'].map((id) => inlineFunction(stack, id)) as [
      LambdaFunction,
      LambdaFunction,
      LambdaFunction,
      LambdaFunction,
    ];
    alastor.auditAll(stack, { include: [/\/Order/g, d], exclude: [b, /C$/] });
    expect([a, b, c, d].map(isAudited)).toEqual([true, false, false, true]);
  });

  it('warns of a function that it cannot audit and goes on', () => {
    const { stack, alastor } = setUp();
    const code = Code.fromAsset(`${bench.layerDirectory}/layer`);
    inlineFunction(stack, 'Custom', { runtime: Runtime.PROVIDED_AL2023, code });
    const fn = inlineFunction(stack, 'Purchase');
    alastor.auditAll(stack);
    expect(isAudited(fn)).toBe(true);
    Annotations.fromStack(stack).hasWarning('/Shop/Custom', Match.stringLikeRegexp('cannot audit Shop/Custom: .*ignores'));
  });

  it('works across stacks of an app', () => {
    const app = bench.app();
    const audit = new Stack(app, 'Audit');
    const shop = new Stack(app, 'Shop');
    const fn = inlineFunction(shop, 'Purchase');
    new Alastor(audit, 'Alastor', { layerDirectory: bench.layerDirectory }).auditAll(app);
    expect(JSON.stringify(propertiesOf(fn))).toContain('Fn::ImportValue');
    expect(isAudited(fn)).toBe(true);
  });

  it('changes functions before aspects that only look at them', () => {
    const { app, stack, alastor } = setUp();
    const fn = inlineFunction(stack, 'Purchase');
    const seen: boolean[] = [];
    const visit = (node: IConstruct) => {
      if (node === fn) seen.push(fn.node.tryFindChild('AlastorSegments') !== undefined);
    };
    Aspects.of(stack).add({ visit }, { priority: AspectPriority.READONLY });
    alastor.auditAll(stack);
    expect(app).toBeInstanceOf(App);
    app.synth();
    expect(seen).toEqual([true]);
  });
});
