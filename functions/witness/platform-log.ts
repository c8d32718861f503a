/**
 * Platform lines in a function's log, as a subscription filter of CloudWatch Logs delivers them.
 * Formats: docs.aws.amazon.com/AmazonCloudWatch/latest/logs/SubscriptionFilters.html (event),
 * docs.aws.amazon.com/lambda/latest/dg/telemetry-schema-reference.html (JSON lines), START/END/REPORT (text lines).
 */
import { gunzipSync } from 'node:zlib';
import { functionName, type Heard, type InvocationTestimony, identifier, micros, words } from './testimony.ts';

/** A delivery is at most 6 MB of base64; unpacked it may be larger, but not without bound. */
const UNPACKED_MOST = 64 * 1024 * 1024;
/** Lines of the platform are short; longer ones are the function's own. */
const LINE_MOST = 8192;

const TEXT = /^(START|END|REPORT) RequestId: (\S{1,256})(?:\s+Version: (\S{1,64}))?/;
const DURATION = /\tDuration: ([\d.]{1,16}) ms/;
const STATUS = /\tStatus: ([a-z_]{1,32})/;
const TIMED_OUT = /^\S{1,40}\s+(\S{1,256}) Task timed out after [\d.]{1,16} seconds/;

/** @throws Error when `data` is not what CloudWatch Logs delivers */
export function readPlatformLog(data: string): Heard {
  const text = gunzipSync(Buffer.from(data, 'base64'), { maxOutputLength: UNPACKED_MOST }).toString();
  const { messageType, logGroup, logStream, logEvents } = JSON.parse(text) as Record<string, unknown>;
  if (messageType === 'CONTROL_MESSAGE') return { testimonies: [], unread: 0 };
  const fn = functionName(typeof logGroup === 'string' ? logGroup.slice(logGroup.lastIndexOf('/') + 1) : undefined);
  if (fn === undefined || !Array.isArray(logEvents))
    throw new Error(`log group ${JSON.stringify(logGroup)} is not a function's`);
  const stream = words(logStream);
  const place = { what: 'invocation', witness: 'platform-log', fn, ...(stream === undefined ? {} : { stream }) } as const;
  const testimonies: InvocationTestimony[] = [];
  let unread = 0;
  for (const { timestamp, message } of logEvents as readonly Record<string, unknown>[]) {
    const at = micros(timestamp);
    if (typeof message !== 'string' || at === undefined) {
      unread++;
      continue;
    }
    if (message.length > LINE_MOST) continue;
    const said = message.startsWith('{') ? readJson(message) : readText(message);
    if (said !== undefined) testimonies.push({ ...place, at, ...said });
  }
  return { testimonies, unread };
}

type Said = Pick<InvocationTestimony, 'requestId' | 'part' | 'version' | 'status' | 'durationMs'>;

function readText(line: string): Said | undefined {
  const [, kind, id, version] = TEXT.exec(line) ?? [];
  const requestId = identifier(id ?? TIMED_OUT.exec(line)?.[1]);
  if (requestId === undefined) return undefined;
  if (kind === undefined) return { requestId, part: 'end', status: 'timeout' };
  if (kind === 'START') return { requestId, part: 'start', ...(version === undefined ? {} : { version }) };
  const durationMs = Number(DURATION.exec(line)?.[1]);
  const status = STATUS.exec(line)?.[1];
  return {
    ...{ requestId, part: 'end' },
    ...(Number.isFinite(durationMs) ? { durationMs } : {}),
    ...(status === undefined ? {} : { status }),
  };
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
  if (requestId === undefined || typeof type !== 'string' || !record) return undefined;
  const version = words(record.version, 64);
  if (type === 'platform.start') return { requestId, part: 'start', ...(version === undefined ? {} : { version }) };
  if (type !== 'platform.runtimeDone' && type !== 'platform.report') return undefined;
  const status = words(record.status, 32);
  const duration = (record.metrics as { readonly durationMs?: unknown } | null | undefined)?.durationMs;
  return {
    ...{ requestId, part: 'end' },
    ...(status === undefined ? {} : { status }),
    ...(typeof duration === 'number' && Number.isFinite(duration) ? { durationMs: duration } : {}),
  };
}
