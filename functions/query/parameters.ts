import { z } from 'zod';
import type { NodeId } from '../graph/ids.ts';
import type { NodeKind } from '../graph/model.ts';
import { Problem } from './problem.ts';

/** µs since 1970, or an ISO 8601 time. */
export const time = z
  .string()
  .max(40)
  .transform((value, context) => {
    const micros = /^\d{1,16}$/.test(value) ? Number(value) : Date.parse(value) * 1000;
    if (Number.isSafeInteger(micros) && micros >= 0) return micros;
    context.addIssue({ code: 'custom', message: 'must be µs since 1970 or an ISO 8601 time' });
    return z.NEVER;
  });

/** Kinds of nodes, as ids begin with them. */
export const KINDS = [
  'function',
  'instance',
  'request',
  'process',
  'file',
  'image-tree',
  'endpoint',
  'exchange',
  'resource',
  'client',
  'gap',
] as const satisfies readonly NodeKind[];

/** Kinds that graphs show beside those: made for the answer, with nothing behind them to walk to. */
export const SHOWN_KINDS = [...KINDS, 'baseline', 'agent', 'trigger'] as const satisfies readonly NodeKind[];

/** An opaque id as other answers give it. */
export const node = z
  .string()
  .max(2000)
  .regex(new RegExp(`^(?:${KINDS.join('|')}):.`, 'u'), 'must be a node id as search and graphs give it')
  .transform((value) => value as NodeId);

export const limit = (usual: number, most: number) => z.coerce.number().int().min(1).max(most).default(usual);

/** @throws Problem 400 naming the first parameter that is wrong, missing or unknown */
export function read<T extends z.ZodObject>(shape: T, query: URLSearchParams): z.output<T> {
  for (const name of query.keys()) {
    if (name in shape.shape) continue;
    const known = Object.keys(shape.shape).join(', ') || 'none';
    throw new Problem(400, 'Unknown parameter', `${name} is not a parameter here; known: ${known}`, name);
  }
  const result = shape.safeParse(Object.fromEntries(query));
  if (result.success) return result.data;
  const [issue] = result.error.issues;
  const parameter = String(issue?.path[0] ?? '');
  throw new Problem(400, 'Invalid parameter', `${parameter}: ${issue?.message ?? 'invalid'}`, parameter);
}
