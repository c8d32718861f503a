import { type Duration, Stack } from 'aws-cdk-lib';
import { Function as LambdaFunction, Runtime } from 'aws-cdk-lib/aws-lambda';
import type { Construct } from 'constructs';
import { environment } from '../functions/store/schema.ts';
import { serviceVariable } from '../functions/telemetry/catalogue.ts';
import { bundledCode } from './bundle.ts';
import type { EvidenceStore } from './evidence.ts';
import { layerArchitecture } from './layer.ts';

const functions = new URL('../functions/', import.meta.url).pathname;

export interface OwnFunctionProps {
  /** Folder of the function in `functions/`. */
  readonly folder: string;
  readonly store: EvidenceStore;
  readonly timeout: Duration;
  /** Besides where the evidence is, which every function is told. @default none */
  readonly variables?: Readonly<Record<string, string>>;
}

/** One of Alastor's own functions. It knows where the evidence is, and may do nothing with it until it is allowed to. */
export class OwnFunction extends LambdaFunction {
  constructor(scope: Construct, id: string, { folder, store, timeout, variables = {} }: OwnFunctionProps) {
    super(scope, id, {
      runtime: Runtime.NODEJS_24_X,
      architecture: layerArchitecture,
      code: bundledCode(`${functions}${folder}/handler.ts`),
      handler: 'index.handler',
      timeout,
      memorySize: 1024,
      environment: {
        [environment.part]: folder,
        [environment.shards]: store.shards.tableName,
        [environment.links]: store.links.tableName,
        [environment.bucket]: store.bucket.bucketName,
        [serviceVariable]: installationName(scope),
        ...variables,
      },
    });
  }
}

/** What tells the metrics and logs of this installation from those of another one in the same account and region. */
export function installationName(alastor: Construct): string {
  return `${Stack.of(alastor).stackName}-${alastor.node.id}`;
}
