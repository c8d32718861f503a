import type { Environment } from '../environment.ts';
import type { Functions } from '../functions.ts';
import type { Pattern } from '../services/events/pattern.ts';

/** What an event source mapping says, whatever its source. */
export interface MappingSettings {
  readonly functionName: string;
  readonly batchSize: number;
  /** How long to collect a batch, in ms. */
  readonly windowMs: number;
  /** The function names the records it failed on. */
  readonly partialFailures: boolean;
  /** Records that match none of these are dropped; empty: all are wanted. */
  readonly filters: readonly Pattern[];
}

export interface SourceContext {
  readonly env: Environment;
  readonly functions: Functions;
}

/** Ids of failed records in a function's answer; null when the answer is malformed, which fails the whole batch. */
export function failedItems(payload: Buffer): string[] | null {
  if (payload.length === 0) return [];
  try {
    const answer = JSON.parse(payload.toString('utf8')) as { batchItemFailures?: unknown } | null;
    const list = answer?.batchItemFailures ?? [];
    if (!Array.isArray(list)) return null;
    const ids = list.map((one: unknown) => (one as { itemIdentifier?: unknown } | null)?.itemIdentifier);
    return ids.every((id): id is string => typeof id === 'string' && id !== '') ? ids : null;
  } catch {
    return null;
  }
}

/** Outcome of handing one batch to the function. */
export type BatchOutcome = { readonly failed: readonly string[] } | 'all-failed' | 'throttled';

export async function invokeBatch(
  context: SourceContext,
  mapping: MappingSettings,
  records: readonly unknown[],
): Promise<BatchOutcome> {
  const payload = Buffer.from(JSON.stringify({ Records: records }));
  const result = await context.functions.invoke(mapping.functionName, payload, { type: 'RequestResponse' });
  if (result.statusCode === 429) return 'throttled';
  if (result.functionError !== undefined || result.statusCode >= 300) return 'all-failed';
  if (!mapping.partialFailures) return { failed: [] };
  const failed = failedItems(result.payload);
  return failed === null ? 'all-failed' : { failed };
}
