import { Annotations, AspectPriority, Aspects, type IAspect } from 'aws-cdk-lib';
import { Function as LambdaFunction, Version } from 'aws-cdk-lib/aws-lambda';
import type { IConstruct } from 'constructs';
import type { AuditSettings } from '../layers/settings.ts';
import { type AuditTarget, attach } from './attach.ts';
import { isOwn, obstacle } from './obstacle.ts';
import type { AuditReport } from './report.ts';

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

export interface Attachment {
  readonly target: AuditTarget;
  readonly settings: Readonly<Record<string, string>>;
  readonly selects: (fn: LambdaFunction) => boolean;
  /** A function that cannot be audited: an error, because it was named, or a warning. */
  readonly named: boolean;
  readonly report: AuditReport;
}

/**
 * Attaches the audit to a tree of constructs when it is synthesised: then all functions exist and their environment is complete.
 * Runs with the priority of changing aspects, so that those which only check see the result.
 */
export function attachAtSynth(scope: IConstruct, { target, settings, selects, named, report }: Attachment): void {
  const aspect: IAspect = {
    visit(node) {
      if (isOwn(node)) return;
      if (node instanceof Version) warnOfFixed(node, selects);
      if (!(node instanceof LambdaFunction)) return;
      if (!selects(node)) return report.tell(node, 'excluded');
      const reason = obstacle(node) ?? attach(target, node, settings);
      report.tell(node, reason ?? 'audited');
      if (reason === null) return;
      const message = `Alastor cannot audit ${node.node.path}: ${reason}.`;
      if (named) throw new Error(message);
      Annotations.of(node).addWarningV2('alastor:not-audited', message);
    },
  };
  Aspects.of(scope).add(aspect, { priority: AspectPriority.MUTATING });
}

/** A version of one's own making is published once, and the audit comes into it only if it is published anew. */
function warnOfFixed(version: Version, selects: (fn: LambdaFunction) => boolean): void {
  const { lambda: fn } = version;
  if (!(fn instanceof LambdaFunction) || fn.node.tryFindChild('CurrentVersion') === version || !selects(fn)) return;
  Annotations.of(version).addWarningV2(
    'alastor:fixed-version',
    `${version.node.path} is published once: if it is deployed already, it stays without audit. Use \`currentVersion\` of ${fn.node.path}.`,
  );
}

export function selector({ include, exclude = [] }: AuditAllOptions): (fn: LambdaFunction) => boolean {
  const matches = (fn: LambdaFunction) => (one: FunctionSelector) =>
    // `search` ignores the state that a pattern with the flag g or y would keep from the last call.
    one instanceof RegExp ? fn.node.path.search(one) >= 0 : one === fn;
  return (fn) => (include === undefined || include.some(matches(fn))) && !exclude.some(matches(fn));
}
