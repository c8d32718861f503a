import { Stack } from 'aws-cdk-lib';
import { Template } from 'aws-cdk-lib/assertions';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Alastor } from '../../cdk/index.ts';
import { HelloRetail } from '../../examples/hello-retail/stack.ts';
import { type Workbench, workbench } from '../cdk/construct-parts.ts';

type Resources = Record<string, { Type: string; Properties: Record<string, unknown> }>;

let bench: Workbench;
let alone: Resources;
let audited: Resources;
beforeAll(() => {
  bench = workbench();
  alone = Template.fromStack(new HelloRetail(bench.app({ bundle: true }), 'HelloRetail')).toJSON().Resources;
  const shop = new HelloRetail(bench.app({ bundle: true }), 'HelloRetail');
  new Alastor(shop, 'Alastor', { layerDirectory: bench.layerDirectory }).auditAll(shop);
  audited = Template.fromStack(Stack.of(shop)).toJSON().Resources;
}, 120_000);
afterAll(() => bench.remove());

const functionsIn = (resources: Resources) =>
  Object.entries(resources).filter(([, { Type, Properties }]) => Type === 'AWS::Lambda::Function' && Properties.FunctionName);

describe('the sample with and without Alastor', () => {
  it('has nine functions, one of them Python', () => {
    expect(functionsIn(alone)).toHaveLength(9);
    expect(functionsIn(alone).filter(([, { Properties }]) => String(Properties.Runtime).startsWith('python'))).toHaveLength(1);
  });

  it('keeps every resource of its own; functions differ in layer and environment only', () => {
    for (const [id, resource] of Object.entries(alone)) {
      const { Layers, Environment, ...rest } = audited[id]!.Properties ?? {};
      const { Environment: before, ...restBefore } = resource.Properties ?? {};
      if (Layers === undefined) {
        expect({ id, ...audited[id] }).toEqual({ id, ...resource });
        continue;
      }
      expect(rest).toEqual(restBefore);
      expect(Environment).toMatchObject((before ?? {}) as object);
    }
  });

  it('audits all of its functions', () => {
    const audits = functionsIn(audited).map(([, { Properties }]) => JSON.stringify(Properties));
    for (const properties of audits) expect(properties).toContain('"AWS_LAMBDA_EXEC_WRAPPER":"/opt/alastor/wrapper"');
  });
});
