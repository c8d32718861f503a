/**
 * Platform lines in a function's log, JSON or text.
 * Formats: docs.aws.amazon.com/lambda/latest/dg/telemetry-schema-reference.html (JSON), START, END and REPORT (text).
 */
import type { Heard, InvocationTestimony } from '../store/testimony.ts';
import { identifier, words } from './fields.ts';
import type { LogDelivery } from './log-delivery.ts';

const TEXT = /^(START|END|REPORT) RequestId: (\S{1,256})(?:\s+Version: (\S{1,64}))?/;
const DURATION = /\tDuration: ([\d.]{1,16}) ms/;
const STATUS = /\tStatus: ([a-z_]{1,32})/;

type Said = Pick<InvocationTestimony, 'requestId' | 'part' | 'version' | 'status' | 'durationMs'>;

/** Other lines are the function's own and say nothing here. */
export function readPlatformLog(fn: string, { stream, lines, unread }: LogDelivery): Heard {
  const place = { what: 'invocation', witness: 'platform-log', fn, ...(stream === undefined ? {} : { stream }) } as const;
  const testimonies = lines.flatMap(({ at, message }): InvocationTestimony[] => {
    const said = message.startsWith('{') ? readJson(message) : readText(message);
    return said === undefined ? [] : [{ ...place, at, ...said }];
  });
  return { testimonies, unread };
}

function readText(line: string): Said | undefined {
  const [, kind, id, version] = TEXT.exec(line) ?? [];
  const requestId = identifier(id);
  if (requestId === undefined) return undefined;
  if (kind === 'START') return { requestId, part: 'start', ...(version === undefined ? {} : { version }) };
  return end(requestId, Number(DURATION.exec(line)?.[1]), STATUS.exec(line)?.[1]);
}

function readJson(line: string): Said | undefined {
  let parsed: { readonly type?: unknown; readonly record?: Record<string, unknown> | null };
  try {
    parsed = JSON.parse(line) as typeof parsed;
  } catch {
    return undefined;
  }
  const { type, record } = parsed;
  const requestId = identifier(record?.requestId);
  if (requestId === undefined || !record) return undefined;
  const version = words(record.version, 64);
  if (type === 'platform.start') return { requestId, part: 'start', ...(version === undefined ? {} : { version }) };
  if (type !== 'platform.runtimeDone' && type !== 'platform.report') return undefined;
  const duration = (record.metrics as { readonly durationMs?: unknown } | null | undefined)?.durationMs;
  return end(requestId, typeof duration === 'number' ? duration : Number.NaN, words(record.status, 32));
}

function end(requestId: string, durationMs: number, status: string | undefined): Said {
  // An invocation lasts 15 minutes at most.
  const known = durationMs >= 0 && durationMs <= 900_000;
  return { requestId, part: 'end', ...(known ? { durationMs } : {}), ...(status === undefined ? {} : { status }) };
}
