import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { InvokeCommand, LambdaClient } from '@aws-sdk/client-lambda';
import { App, Stack } from 'aws-cdk-lib';
import type { Architecture } from 'aws-cdk-lib/aws-lambda';
import { CfnInclude } from 'aws-cdk-lib/cloudformation-include';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { parse } from 'yaml';
import { Alastor } from '../../cdk/index.ts';
import { layerArchitecture } from '../../cdk/layer.ts';
import { type Engine, startEngine } from '../../cdk/local/engine.ts';
import { buildLayer } from '../../layers/build.ts';
import { has, opened } from '../functions/export/python.ts';
import { blocks } from './blocks.ts';

vi.setConfig({ testTimeout: 120_000, hookTimeout: 180_000 });

/** The recipes of docs/install.md for those who do not use CDK. */
const folder = mkdtempSync(join(tmpdir(), 'alastor-recipes-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function recipe(heading: string, language: string): string {
  const found = blocks('docs/install.md', language).filter((one) => one.heading === heading);
  if (found.length !== 1) throw new Error(`docs/install.md has ${found.length} ${language} blocks below "${heading}"`);
  return found[0]?.text ?? '';
}

// Short forms of intrinsic functions, which YAML itself does not know.
const intrinsics = ['Ref', 'Sub', 'GetAtt'].map((name) => ({
  tag: `!${name}`,
  resolve: (text: string) => ({ [name === 'Ref' ? name : `Fn::${name}`]: name === 'GetAtt' ? text.split('.') : text }),
}));
const yaml = (text: string) => parse(text, { customTags: intrinsics }) as Record<string, never>;

/** Of Terraform: by type and name. */
type Blocks = Record<string, Record<string, Record<string, unknown>>>;

interface Recipe {
  readonly variables: object;
  readonly layers: readonly unknown[];
  readonly statements: readonly object[];
}

/** What a template gives its function `Checkout`. */
function readCloudFormation(): Recipe {
  const { CheckoutRole: role, Checkout: fn } = yaml(recipe('CloudFormation', 'yaml')).Resources as unknown as Record<
    string,
    {
      Properties: {
        Policies: [{ PolicyDocument: { Statement: object[] } }];
        Layers: unknown[];
        Environment: { Variables: object };
      };
    }
  >;
  return {
    variables: fn!.Properties.Environment.Variables,
    layers: fn!.Properties.Layers,
    statements: role!.Properties.Policies[0].PolicyDocument.Statement,
  };
}

describe('CloudFormation', () => {
  let engine: Engine;
  let lambda: LambdaClient;
  beforeAll(async () => {
    await buildLayer();
    const app = new App({ outdir: join(folder, 'cdk.out'), analyticsReporting: false });
    const stack = new Stack(app, 'Recipe');
    const alastor = new Alastor(stack, 'Alastor', { inventory: false, monitoring: false });
    const templateFile = join(folder, 'recipe.yaml');
    writeFileSync(templateFile, recipe('CloudFormation', 'yaml'));
    new CfnInclude(stack, 'Included', {
      templateFile,
      parameters: {
        EvidenceBucket: alastor.bucket.bucketName,
        EvidenceKey: alastor.evidenceKeyArn,
        AuditLayer: alastor.layer('layer', layerArchitecture as Architecture).layerVersionArn,
      },
    });
    app.synth();
    engine = await startEngine({ assembly: join(folder, 'cdk.out') });
    const { endpoint, region } = engine;
    lambda = new LambdaClient({ endpoint, region, credentials: { accessKeyId: 'local', secretAccessKey: 'local' } });
  });
  afterAll(async () => {
    lambda?.destroy();
    await engine?.stop();
  });

  it('runs, is audited, and may write its segments', async () => {
    const { Payload, $metadata } = await lambda.send(new InvokeCommand({ FunctionName: 'checkout' }));
    expect(Buffer.from(Payload ?? []).toString()).toBe('"checked out"');
    await engine.idle();
    const answer = await fetch(`${engine.apiUrl('AlastorQueryUrl')}v1/requests`);
    expect(await answer.json()).toMatchObject({ requests: [{ function: 'checkout', requestId: $metadata.requestId }] });
  });
});

describe('the others say the same', () => {
  it('SAM: layer, variables and policy are those of CloudFormation, and CDK can read the template', () => {
    const { variables, layers, statements } = readCloudFormation();
    const text = recipe('SAM', 'yaml');
    const { Resources, Transform } = yaml(text) as unknown as {
      Resources: Record<string, { Properties: object }>;
      Transform: string;
    };
    expect(Transform).toBe('AWS::Serverless-2016-10-31');
    expect(Resources.Checkout?.Properties).toMatchObject({
      Layers: layers,
      Environment: { Variables: variables },
      Policies: [{ Version: '2012-10-17', Statement: statements }],
    });
    const templateFile = join(folder, 'sam.yaml');
    writeFileSync(templateFile, text);
    const app = new App({ outdir: join(folder, 'sam.out'), analyticsReporting: false });
    const included = new CfnInclude(new Stack(app, 'Sam'), 'Included', { templateFile });
    expect(included.getResource('Checkout').cfnResourceType).toBe('AWS::Serverless::Function');
    app.synth();
  });

  it.skipIf(!has('hcl2'))('Terraform', () => {
    const [{ resource }] = opened('hcl', [recipe('Terraform', 'hcl')]) as [{ resource: Blocks[] }];
    const found = (type: string, name: string) => resource.find((one) => one[type] !== undefined)?.[type]?.[name];
    const fn = found('aws_lambda_function', 'checkout');
    expect(fn).toMatchObject({ layers: ['${' + 'var.audit_layer}'] });
    const { variables } = readCloudFormation();
    expect(fn?.environment).toEqual([{ variables: { ...variables, ALASTOR_BUCKET: '${' + 'var.evidence_bucket}' } }]);
    const policy = String(found('aws_iam_role_policy', 'alastor_segments')?.policy);
    for (const part of ['s3:PutObject', '/segments/checkout/*', 'kms:GenerateDataKey', 'kms:ViaService'])
      expect(policy).toContain(part);
  });

  it('Serverless Framework', () => {
    const { provider } = yaml(recipe('Serverless Framework', 'yaml')) as unknown as {
      provider: {
        environment: object;
        layers: unknown[];
        iam: { role: { statements: { Action: string; Resource: string }[] } };
      };
    };
    const { variables, statements } = readCloudFormation();
    expect(provider.environment).toEqual({ ...variables, ALASTOR_BUCKET: '${' + 'param:evidenceBucket}' });
    expect(provider.layers).toHaveLength(1);
    expect(provider.iam.role.statements.map(({ Action }) => Action)).toEqual(
      statements.map((one) => (one as { Action: string }).Action),
    );
    expect(provider.iam.role.statements[0]?.Resource).toMatch(/\/segments\/shop-/);
  });
});
