import { Stack, Token } from 'aws-cdk-lib';
import { Effect, Policy, PolicyStatement } from 'aws-cdk-lib/aws-iam';
import { type CfnFunction, type Function as LambdaFunction, type LayerVersion, RuntimeFamily } from 'aws-cdk-lib/aws-lambda';
import type { IBucket } from 'aws-cdk-lib/aws-s3';
import { segmentPrefix } from '../functions/store/schema.ts';
import { checkSettings } from '../layers/settings.ts';
import { AuditedDockerImageCode } from './docker-image.ts';
import type { LayerVariant } from './layer.ts';

/** What attaching needs of the construct. */
export interface AuditTarget {
  /** Where segments go. */
  readonly bucket: Pick<IBucket, 'bucketName' | 'arnForObjects'>;
  /** Hears what the platform says of audited functions. */
  readonly witness: { hear(fn: LambdaFunction): void } | undefined;
  layer(variant: LayerVariant): LayerVersion;
}

/** The wrapper of the layer, and how the one that was there before is handed to it (layers/image, `wrapper`). */
const wrapper = '/opt/alastor/wrapper';
export const wrapperVariable = 'AWS_LAMBDA_EXEC_WRAPPER';
const nextWrapperVariable = 'ALASTOR_NEXT_WRAPPER';

/** The recorder runs on the runtime's own Node where that is new enough for it. */
export function variantFor({ runtime }: LambdaFunction): LayerVariant {
  const major = runtime.family === RuntimeFamily.NODEJS ? Number(/^nodejs(\d+)\.x$/.exec(runtime.name)?.[1]) : 0;
  return major >= 22 ? 'layer' : 'layer-with-node';
}

/** Child of every audited function; its presence says that the function is audited already. */
const policyId = 'AlastorSegments';

/** Changes one function so that it is audited; does nothing when it is already. @throws Error naming the function */
export function attach(target: AuditTarget, fn: LambdaFunction, settings: Readonly<Record<string, string>>): void {
  if (fn.node.tryFindChild(policyId)) return;
  const variables = environmentOf(fn);
  checkVariables(fn, variables);
  for (const [name, value] of Object.entries(settings)) {
    // What the function says of itself is nearest to it.
    if (variables[name] === undefined) fn.addEnvironment(name, value);
  }
  fn.addEnvironment('ALASTOR_BUCKET', target.bucket.bucketName);
  if (!AuditedDockerImageCode.isAudited(fn)) attachLayer(target, fn, variables[wrapperVariable]);

  if (!fn.role) throw new Error(`Alastor cannot let ${fn.node.path} write its segments: it has no role that CDK may change.`);
  target.witness?.hear(fn);
  // A policy of its own: the function waits for its role's default policy, which therefore cannot name the function.
  new Policy(fn, policyId, { roles: [fn.role], statements: shipStatements(target, fn) });
}

/** @param before the function's own wrapper */
function attachLayer(target: AuditTarget, fn: LambdaFunction, before: unknown): void {
  fn.addEnvironment(wrapperVariable, wrapper);
  if (before !== undefined && before !== wrapper) fn.addEnvironment(nextWrapperVariable, String(before));
  fn.addLayers(target.layer(variantFor(fn)));
}

/** What an audited function may do: put segments under its own name. */
function shipStatements({ bucket }: AuditTarget, fn: LambdaFunction): PolicyStatement[] {
  const resources = [bucket.arnForObjects(`${segmentPrefix}${fn.functionName}/*`)];
  return [new PolicyStatement({ effect: Effect.ALLOW, actions: ['s3:PutObject'], resources })];
}

/** @throws Error for a variable that looks like a setting and is none, or has a value that the instance would not accept. */
function checkVariables(fn: LambdaFunction, variables: Readonly<Record<string, unknown>>): void {
  const known = Object.entries(variables).map(([name, value]) => [
    name,
    typeof value === 'string' && !Token.isUnresolved(value) ? value : undefined,
  ]);
  const { problems } = checkSettings(Object.fromEntries(known) as Record<string, string | undefined>);
  if (problems.length === 0) return;
  throw new Error(`Alastor cannot audit ${fn.node.path}: of its environment, ${problems.join('; ')}. See docs/capture.md.`);
}

/** The environment as it will be deployed; values may be CloudFormation expressions. */
function environmentOf(fn: LambdaFunction): Record<string, unknown> {
  const resource = fn.node.defaultChild as CfnFunction;
  const environment = Stack.of(fn).resolve(resource.environment) as { variables?: Record<string, unknown> } | undefined;
  return environment?.variables ?? {};
}
