import { Annotations, AspectPriority, Aspects, type IAspect, Stack, Token } from 'aws-cdk-lib';
import { Effect, Policy, PolicyStatement } from 'aws-cdk-lib/aws-iam';
import {
  type CfnFunction,
  Function as LambdaFunction,
  type LayerVersion,
  Runtime,
  RuntimeFamily,
} from 'aws-cdk-lib/aws-lambda';
import type { Bucket } from 'aws-cdk-lib/aws-s3';
import type { IConstruct } from 'constructs';
import { segmentPrefix } from '../functions/store/schema.ts';
import { type AuditSettings, checkSettings } from '../layers/settings.ts';
import { type LayerVariant, layerArchitecture } from './layer.ts';

/** A function itself, or a pattern for the path of its construct (`Shop/Purchase`). */
export type FunctionSelector = LambdaFunction | RegExp;

export interface AuditOptions {
  /** How these functions are audited, where it differs from the construct's `settings`. @default none */
  readonly settings?: AuditSettings;
}

export interface AuditAllOptions extends AuditOptions {
  /** Only these. @default all */
  readonly include?: readonly FunctionSelector[];
  /** Not these; wins over `include`. @default none */
  readonly exclude?: readonly FunctionSelector[];
}

/** What attaching needs of the construct. */
export interface AuditTarget {
  readonly bucket: Bucket;
  /** Hears what the platform says of audited functions. */
  readonly witness: { hear(fn: LambdaFunction): void } | undefined;
  layer(variant: LayerVariant): LayerVersion;
}

/** The wrapper of the layer, and how the one that was there before is handed to it (layers/image, `wrapper`). */
const wrapper = '/opt/alastor/wrapper';
const wrapperVariable = 'AWS_LAMBDA_EXEC_WRAPPER';
const nextWrapperVariable = 'ALASTOR_NEXT_WRAPPER';

const ownMark = Symbol.for('alastor.own');

/** Marks a construct below which nothing is ever audited: Alastor's functions would audit themselves for ever. */
export function markOwn(construct: IConstruct): void {
  Object.defineProperty(construct, ownMark, { value: true });
}

function isOwn(node: IConstruct): boolean {
  return node.node.scopes.some((scope) => ownMark in scope);
}

/** Why a function cannot be audited, null if it can. */
export function obstacle(fn: LambdaFunction): string | null {
  if (isOwn(fn)) return "it is one of Alastor's own functions, which are never audited";
  if (fn.runtime === Runtime.FROM_IMAGE) return `it is a container image, which ignores ${wrapperVariable}`;
  if (fn.runtime.family === RuntimeFamily.OTHER) return `its runtime ${fn.runtime.name} ignores ${wrapperVariable}`;
  if (fn.architecture.name !== layerArchitecture.name) {
    return `it runs on ${fn.architecture.name}, the layer was built for ${layerArchitecture.name}`;
  }
  return null;
}

/** The recorder runs on the runtime's own Node where that is new enough for it. */
export function variantFor({ runtime }: LambdaFunction): LayerVariant {
  const major = runtime.family === RuntimeFamily.NODEJS ? Number(/^nodejs(\d+)\.x$/.exec(runtime.name)?.[1]) : 0;
  return major >= 22 ? 'layer' : 'layer-with-node';
}

/**
 * Attaches the audit to a tree of constructs when it is synthesised: then all functions exist and their environment is complete.
 * Runs with the priority of changing aspects, so that those which only check see the result.
 */
export function attachAtSynth(
  target: AuditTarget,
  scope: IConstruct,
  settings: Readonly<Record<string, string>>,
  selects: (fn: LambdaFunction) => boolean,
): void {
  const aspect: IAspect = {
    visit(node) {
      if (!(node instanceof LambdaFunction) || isOwn(node) || !selects(node)) return;
      const reason = obstacle(node);
      if (reason === null) attach(target, node, settings);
      else Annotations.of(node).addWarningV2('alastor:not-audited', `Alastor does not audit ${node.node.path}: ${reason}.`);
    },
  };
  Aspects.of(scope).add(aspect, { priority: AspectPriority.MUTATING });
}

export function selector({ include, exclude = [] }: AuditAllOptions): (fn: LambdaFunction) => boolean {
  const matches = (fn: LambdaFunction) => (one: FunctionSelector) =>
    // `search` ignores the state that a pattern with the flag g or y would keep from the last call.
    one instanceof RegExp ? fn.node.path.search(one) >= 0 : one === fn;
  return (fn) => (include === undefined || include.some(matches(fn))) && !exclude.some(matches(fn));
}

/** Child of every audited function; its presence says that the function is audited already. */
const policyId = 'AlastorSegments';

function attach(target: AuditTarget, fn: LambdaFunction, settings: Readonly<Record<string, string>>): void {
  if (fn.node.tryFindChild(policyId)) return;
  const variables = environmentOf(fn);
  checkVariables(fn, variables);
  for (const [name, value] of Object.entries(settings)) {
    // What the function says of itself is nearest to it.
    if (variables[name] === undefined) fn.addEnvironment(name, value);
  }
  const before = variables[wrapperVariable];
  fn.addEnvironment(wrapperVariable, wrapper);
  if (before !== undefined && before !== wrapper) fn.addEnvironment(nextWrapperVariable, String(before));
  fn.addEnvironment('ALASTOR_BUCKET', target.bucket.bucketName);
  fn.addLayers(target.layer(variantFor(fn)));

  if (!fn.role) throw new Error(`Alastor cannot let ${fn.node.path} write its segments: it has no role that CDK may change.`);
  target.witness?.hear(fn);
  // A policy of its own: the function waits for its role's default policy, which therefore cannot name the function.
  new Policy(fn, policyId, {
    roles: [fn.role],
    statements: [
      new PolicyStatement({
        effect: Effect.ALLOW,
        actions: ['s3:PutObject'],
        resources: [target.bucket.arnForObjects(`${segmentPrefix}${fn.functionName}/*`)],
      }),
    ],
  });
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
