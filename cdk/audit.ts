import { Annotations, AspectPriority, Aspects, type IAspect } from 'aws-cdk-lib';
import { Function as LambdaFunction, Runtime, RuntimeFamily } from 'aws-cdk-lib/aws-lambda';
import type { IConstruct } from 'constructs';
import type { AuditSettings } from '../layers/settings.ts';
import { type AuditTarget, attach, wrapperVariable } from './attach.ts';
import { AuditedDockerImageCode } from './docker-image.ts';
import { layerArchitecture } from './layer.ts';

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
  if (fn.runtime === Runtime.FROM_IMAGE) {
    // The audit is in the image: there is nothing to attach but the environment.
    return AuditedDockerImageCode.isAudited(fn)
      ? null
      : 'it is a container image without the audit in it: build it with AuditedDockerImageCode (docs/images.md)';
  }
  if (fn.runtime.family === RuntimeFamily.OTHER) return `its runtime ${fn.runtime.name} ignores ${wrapperVariable}`;
  if (fn.architecture.name !== layerArchitecture.name) {
    return `it runs on ${fn.architecture.name}, the layer was built for ${layerArchitecture.name}`;
  }
  return null;
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
