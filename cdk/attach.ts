import { Annotations, Stack, Token } from 'aws-cdk-lib';
import { CfnVPCEndpoint } from 'aws-cdk-lib/aws-ec2';
import { type CfnPolicy, Effect, Policy, PolicyStatement } from 'aws-cdk-lib/aws-iam';
import {
  type Architecture,
  type CfnFunction,
  type CfnLayerVersion,
  type Function as LambdaFunction,
  type LayerVersion,
  RuntimeFamily,
} from 'aws-cdk-lib/aws-lambda';
import type { IBucket } from 'aws-cdk-lib/aws-s3';
import type { Node } from 'constructs';
import { WRAPPER } from '../functions/inventory/wiring.ts';
import { forgottenPrefix, segmentPrefix } from '../functions/store/schema.ts';
import { checkSettings, settingOf } from '../layers/settings.ts';
import { AuditedDockerImageCode } from './docker-image.ts';
import { throughS3 } from './evidence-key.ts';
import type { LayerVariant } from './layer.ts';
import { limitExceeded } from './obstacle.ts';
import { layerSize, unpackedLimit, unpackedSize } from './unpacked-size.ts';

/** What attaching needs of the construct. */
export interface AuditTarget {
  readonly node: Node;
  /** Where segments go. */
  readonly bucket: Pick<IBucket, 'bucketName' | 'arnForObjects'>;
  /** Whether functions are recorded as `<account>.<region>.<name>`. */
  readonly qualified: boolean;
  /** ARN of the key that the bucket is encrypted with; undefined: S3's own. */
  readonly evidenceKeyArn: string | undefined;
  /** Hears what the platform says of audited functions. */
  readonly witness: { hear(fn: LambdaFunction): void } | undefined;
  /** The layer for a kind of runtime and a processor. @throws Error saying what to run when it has not been built */
  layer(variant: LayerVariant, architecture: Architecture): LayerVersion;
}

/** How the wrapper that was there before is handed to that of the layer (layers/image, `wrapper`). */
const wrapperVariable = 'AWS_LAMBDA_EXEC_WRAPPER';
const nextWrapperVariable = 'ALASTOR_NEXT_WRAPPER';

/** The recorder runs on the runtime's own Node where that is new enough for it. */
export function variantFor({ runtime }: LambdaFunction): LayerVariant {
  const major = runtime.family === RuntimeFamily.NODEJS ? Number(/^nodejs(\d+)\.x$/.exec(runtime.name)?.[1]) : 0;
  return major >= 22 ? 'layer' : 'layer-with-node';
}

/** Child of every audited function; its presence says that the function is audited already. */
const policyId = 'AlastorSegments';
/** By whom. */
const auditedBy = new WeakMap<LambdaFunction, AuditTarget>();

/**
 * Changes one function so that it is audited; does nothing when it is already.
 * @returns null, or why it cannot be: then nothing was changed
 * @throws Error naming the function when one of its variables says something wrong, or the layer is missing
 */
export function attach(target: AuditTarget, fn: LambdaFunction, settings: Readonly<Record<string, string>>): string | null {
  const other = auditedBy.get(fn);
  if (other === target) return null;
  if (other !== undefined) return `${other.node.path} audits it already`;
  const variables = environmentOf(fn);
  checkVariables(fn, variables);
  const added: Record<string, string> = {};
  for (const [name, value] of Object.entries(settings)) {
    // What the function says of itself is nearest to it.
    if (variables[name] === undefined) added[name] = value;
  }
  added.ALASTOR_BUCKET = target.bucket.bucketName;
  // An image has the audit in it, and its entrypoint starts it.
  const layer = AuditedDockerImageCode.isAudited(fn) ? undefined : target.layer(variantFor(fn), fn.architecture);
  if (layer !== undefined) {
    const before = variables[wrapperVariable];
    added[wrapperVariable] = WRAPPER;
    if (before !== undefined && before !== WRAPPER) added[nextWrapperVariable] = Token.asString(before);
  }
  if (target.qualified) added.ALASTOR_QUALIFIER = qualifierOf(fn);

  const reason = limitExceeded({
    layers: layersOf(fn).length + (layer === undefined ? 0 : 1),
    environment: { ...variables, ...added },
    unpacked: layer === undefined ? 0 : unpackedSize(fn) + layerSize(layer),
    unpackedLimit,
  });
  if (reason !== null) return reason;
  if (!fn.role) return 'it has no role that CDK may change, so it cannot be let write its segments';

  auditedBy.set(fn, target);
  for (const [name, value] of Object.entries(added)) fn.addEnvironment(name, value);
  if (layer !== undefined) {
    fn.addLayers(layer);
    // A new layer must publish a new version, and the reference to it has no trace of what is in it.
    fn.invalidateVersionBasedOn(contentOf(layer));
  }
  target.witness?.hear(fn);
  // A policy of its own: the function waits for its role's default policy, which therefore cannot name the function.
  const policy = new Policy(fn, policyId, { statements: shipStatements(target, fn) });
  // Not `roles`: that would change roles which were imported as not to be changed.
  fn.role.attachInlinePolicy(policy);
  warnOfRole(fn, policy, target);
  warnOfNetwork(fn);
  return null;
}

/** What functions of the account and region of this one are recorded with. */
function qualifierOf(fn: LambdaFunction): string {
  const { account, region } = Stack.of(fn);
  return `${account}.${region}.`;
}

/** What an audited function may do: put segments under its own name, and have S3 encrypt them. It can decrypt nothing. */
function shipStatements({ bucket, qualified, evidenceKeyArn }: AuditTarget, fn: LambdaFunction): PolicyStatement[] {
  const name = `${qualified ? qualifierOf(fn) : ''}${fn.functionName}`;
  const resources = [bucket.arnForObjects(`${segmentPrefix}${name}/*`)];
  const put = new PolicyStatement({ effect: Effect.ALLOW, actions: ['s3:PutObject'], resources });
  // Not by any other policy of its role either: a tombstone would make a deletion look as if it had been wanted.
  const tombs = [bucket.arnForObjects(`${forgottenPrefix}*`)];
  const never = new PolicyStatement({ effect: Effect.DENY, actions: ['s3:PutObject'], resources: tombs });
  const statements = [put, never];
  return evidenceKeyArn === undefined ? statements : [...statements, throughS3(fn, evidenceKeyArn, 'kms:GenerateDataKey')];
}

/** @throws Error for a variable that looks like a setting and is none, or has a value that the instance would not accept. */
function checkVariables(fn: LambdaFunction, variables: Readonly<Record<string, unknown>>): void {
  const known = Object.entries(variables).map(([name, value]) => [
    name,
    typeof value === 'string' && !Token.isUnresolved(value) ? value : undefined,
  ]);
  const misplaced = Object.keys(variables).filter((name) => settingOf(name)?.by === 'layer');
  const { problems: wrong } = checkSettings(Object.fromEntries(known) as Record<string, string | undefined>);
  const problems = [...wrong, ...misplaced.map((name) => `${name} is the layer's own`)];
  if (problems.length === 0) return;
  throw new Error(`Alastor cannot audit ${fn.node.path}: of its environment, ${problems.join('; ')}. See docs/capture.md.`);
}

/** The environment as it will be deployed; values may be CloudFormation expressions. */
function environmentOf(fn: LambdaFunction): Record<string, unknown> {
  const resource = fn.node.defaultChild as CfnFunction;
  const environment = Stack.of(fn).resolve(resource.environment) as { variables?: Record<string, unknown> } | undefined;
  return environment?.variables ?? {};
}

function layersOf(fn: LambdaFunction): readonly unknown[] {
  const { layers } = fn.node.defaultChild as CfnFunction;
  return (Stack.of(fn).resolve(layers) as readonly unknown[] | undefined) ?? [];
}

/** Changes when the content of the layer does: its asset is named after it. */
function contentOf(layer: LayerVersion): string {
  return JSON.stringify(Stack.of(layer).resolve((layer.node.defaultChild as CfnLayerVersion).content));
}

/** A role that was imported and may not be changed takes no policy, and CDK says nothing. */
function warnOfRole(fn: LambdaFunction, policy: Policy, { bucket, qualified, evidenceKeyArn }: AuditTarget): void {
  const { roles } = policy.node.defaultChild as CfnPolicy;
  if (((Stack.of(fn).resolve(roles) as unknown[] | undefined) ?? []).length > 0) return;
  const name = (one: string) => (Token.isUnresolved(one) ? JSON.stringify(Stack.of(fn).resolve(one)) : one);
  const objects = `${segmentPrefix}${qualified ? '<account>.<region>.' : ''}<name of the function>/*`;
  const key = evidenceKeyArn === undefined ? '' : `, and kms:GenerateDataKey on its key ${name(evidenceKeyArn)}`;
  Annotations.of(fn).addWarningV2(
    'alastor:no-permission',
    `Alastor cannot let ${fn.node.path} write its segments, because its role was imported: allow it s3:PutObject on ${objects} of the bucket ${name(bucket.bucketName)}${key}.`,
  );
}

/** From inside a network S3 is reached by an endpoint of it, or through a NAT gateway that is paid by the byte, or not at all. */
function warnOfNetwork(fn: LambdaFunction): void {
  if (!fn.isBoundToVpc) return;
  const stack = Stack.of(fn);
  const hasEndpoint = fn.node.root.node
    .findAll()
    .some((one) => one instanceof CfnVPCEndpoint && JSON.stringify(stack.resolve(one.serviceName)).includes('.s3'));
  if (hasEndpoint) return;
  Annotations.of(fn).addWarningV2(
    'alastor:no-s3-endpoint',
    `${fn.node.path} is in a VPC, and the app has no endpoint for S3, where its segments go: add one (vpc.addGatewayEndpoint('S3', { service: GatewayVpcEndpointAwsService.S3 }), free of charge), or see to it that the function reaches S3 another way. Otherwise everything it records is lost.`,
  );
}
