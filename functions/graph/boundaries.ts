import type { InstanceId } from '../../layers/record/types.ts';
import type { Operation, Sure } from './model.ts';
import type { Step } from './story.ts';

/** Where a story passes from one request, instance or function into another. */
export interface Boundary {
  readonly kind: 'request' | 'instance' | 'function';
  /** Indexes of the steps on both sides, cause first. */
  readonly from: number;
  readonly to: number;
  readonly instances: readonly [InstanceId, InstanceId];
  readonly requests: readonly [string | undefined, string | undefined];
  readonly via?: Operation;
  readonly by?: string;
  readonly sure: Sure;
}

/** Boundaries that a story's steps cross, in order of its causes; the widest that each crosses. */
export function boundaries(steps: readonly Step[]): readonly Boundary[] {
  return steps.flatMap((step, from): Boundary[] => {
    const { parent } = step;
    const next = parent === undefined ? undefined : steps[parent];
    if (parent === undefined || next?.instanceId === undefined || step.instanceId === undefined) return [];
    const kind = crossed(step, next);
    if (kind === undefined) return [];
    const sides = { instances: [step.instanceId, next.instanceId], requests: [step.requestId, next.requestId] } as const;
    const { via, by, sure } = step;
    return [
      { kind, from, to: parent, ...sides, ...(via === undefined ? {} : { via }), ...(by === undefined ? {} : { by }), sure },
    ];
  });
}

function crossed(step: Step, next: Step): Boundary['kind'] | undefined {
  if (step.instanceId !== next.instanceId) return step.function === next.function ? 'instance' : 'function';
  return step.requestId === next.requestId ? undefined : 'request';
}
