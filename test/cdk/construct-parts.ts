import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { App, Stack } from 'aws-cdk-lib';
import { Template } from 'aws-cdk-lib/assertions';
import { Code, type FunctionProps, Function as LambdaFunction, Runtime } from 'aws-cdk-lib/aws-lambda';
import type { Construct } from 'constructs';
import { vi } from 'vitest';
import { layerArchitecture } from '../../cdk/layer.ts';

// Loading the CDK takes many seconds on a busy machine; nothing here is about time.
vi.setConfig({ testTimeout: 120_000, hookTimeout: 120_000 });

/** A temporary directory with what a synth needs, and where it puts its assembly. */
export interface Workbench {
  readonly folder: string;
  /** As `npm run build` would leave it, with next to nothing inside. */
  readonly layerDirectory: string;
  /** An app whose functions are bundled only if asked for: a template is the same but for the assets' hashes. */
  app(options?: { readonly bundle: boolean }): App;
  remove(): void;
}

export function workbench(): Workbench {
  const folder = mkdtempSync(join(tmpdir(), 'alastor-construct-'));
  const layerDirectory = join(folder, 'build');
  for (const variant of ['layer', 'layer-with-node']) {
    mkdirSync(join(layerDirectory, variant, 'alastor'), { recursive: true });
    writeFileSync(join(layerDirectory, variant, 'alastor', 'wrapper'), `#!/bin/sh\n# ${variant}\nexec "$@"\n`, { mode: 0o755 });
  }
  let synths = 0;
  return {
    folder,
    layerDirectory,
    app: ({ bundle } = { bundle: false }) =>
      new App({
        outdir: join(folder, `cdk.out.${synths++}`),
        analyticsReporting: false,
        ...(!bundle && { context: { 'aws:cdk:bundling-stacks': [] } }),
      }),
    remove: () => rmSync(folder, { recursive: true, force: true }),
  };
}

/** A small function of somebody's app. */
export function inlineFunction(scope: Construct, id: string, props: Partial<FunctionProps> = {}): LambdaFunction {
  return new LambdaFunction(scope, id, {
    runtime: Runtime.NODEJS_24_X,
    architecture: layerArchitecture,
    handler: 'index.handler',
    code: Code.fromInline('exports.handler = async () => "hello";'),
    ...props,
  });
}

export function templateOf(stack: Stack): Template {
  return Template.fromStack(stack);
}

/** Properties of the function with this construct, as deployed. */
export function propertiesOf(fn: LambdaFunction): Record<string, unknown> {
  const stack = Stack.of(fn);
  const logicalId = stack.getLogicalId(fn.node.defaultChild as Parameters<Stack['getLogicalId']>[0]);
  const resources = templateOf(stack).toJSON().Resources as Record<string, { Properties: Record<string, unknown> }>;
  return resources[logicalId]!.Properties;
}
