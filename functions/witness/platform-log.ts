/**
 * Platform lines in a function's log, JSON or text.
 * Formats: docs.aws.amazon.com/lambda/latest/dg/telemetry-schema-reference.html (JSON); START, END, REPORT, INIT_START, INIT_REPORT,
 * RESTORE_START, RESTORE_REPORT and EXTENSION (text, fields separated by tabs).
 */
import type { Heard, InstanceTestimony, InvocationTestimony } from '../store/testimony.ts';
import { identifier, words } from './fields.ts';
import type { LogDelivery } from './log-delivery.ts';

const TEXT = /^(START|END|REPORT) RequestId: (\S{1,256})(?:\s+Version: (\S{1,64}))?/;
const INSTANCE = /^(INIT|RESTORE)_(START|REPORT) |^EXTENSION\t/;
const NAME = /\tName: ([^\t]{1,128})/;
const STATE = /\tState: (\w{1,32})/;
const RUNTIME = /^\w+ Runtime Version: ([^\t\n]{1,64})/;
const ERROR = /\tError Type: ([\w.]{1,128})/;
const DURATION = /(?:\t|_REPORT (?:Init|Restore) )Duration: ([\d.]{1,16}) ms/;
const STATUS = /\tStatus: ([a-z_]{1,32})/;

type Invocation = Pick<InvocationTestimony, 'requestId' | 'part' | 'version' | 'status' | 'durationMs'>;
type Instance = Omit<InstanceTestimony, 'what' | 'witness' | 'at' | 'fn' | 'stream'>;

/** Other lines are the function's own and say nothing here. */
export function readPlatformLog(fn: string, { stream, lines, unread }: LogDelivery): Heard {
  const place = { witness: 'platform-log', fn } as const;
  const inStream = stream === undefined ? {} : { stream };
  const testimonies = lines.flatMap(({ at, message }): readonly (InvocationTestimony | InstanceTestimony)[] => {
    const line = message.startsWith('{') ? readJson(message) : { text: message };
    const said = line && ('text' in line ? readText(line.text) : invocation(line));
    if (said !== undefined) return [{ ...place, ...inStream, what: 'invocation', at, ...said }];
    const of = line && ('text' in line ? readInstanceText(line.text) : instance(line));
    return of === undefined || stream === undefined ? [] : [{ ...place, what: 'instance', stream, at, ...of }];
  });
  return { testimonies, unread };
}

function readText(line: string): Invocation | undefined {
  const [, kind, id, version] = TEXT.exec(line) ?? [];
  const requestId = identifier(id);
  if (requestId === undefined) return undefined;
  if (kind === 'START') return { requestId, part: 'start', ...(version === undefined ? {} : { version }) };
  return { requestId, part: 'end', ...outcome(Number(DURATION.exec(line)?.[1]), STATUS.exec(line)?.[1]) };
}

function readInstanceText(line: string): Instance | undefined {
  const [all, phase, step] = INSTANCE.exec(line) ?? [];
  if (all === undefined) return undefined;
  const error = known('error', ERROR.exec(line)?.[1]);
  if (phase === undefined) {
    const extension = words(NAME.exec(line)?.[1], 128);
    const state = known('state', STATE.exec(line)?.[1]);
    return extension === undefined ? undefined : { part: 'extension', extension, ...state, ...error };
  }
  if (step === 'START') return { part: begun(phase), ...known('runtime', RUNTIME.exec(line)?.[1]) };
  return { part: 'ready', ...outcome(Number(DURATION.exec(line)?.[1]), STATUS.exec(line)?.[1]), ...error };
}

interface Line {
  readonly type: string;
  readonly record: Readonly<Record<string, unknown>>;
}

function readJson(line: string): Line | undefined {
  try {
    const { type, record } = JSON.parse(line) as { readonly type?: unknown; readonly record?: unknown };
    return typeof type === 'string' && typeof record === 'object' && record !== null
      ? { type, record: record as Line['record'] }
      : undefined;
  } catch {
    return undefined;
  }
}

function invocation({ type, record }: Line): Invocation | undefined {
  const requestId = identifier(record.requestId);
  if (requestId === undefined) return undefined;
  if (type === 'platform.start') return { requestId, part: 'start', ...known('version', record.version) };
  if (type !== 'platform.runtimeDone' && type !== 'platform.report') return undefined;
  return { requestId, part: 'end', ...measured(record) };
}

function instance({ type, record }: Line): Instance | undefined {
  const [, phase, step] = /^platform\.(init|restore)(Start|RuntimeDone|Report)$/.exec(type) ?? [];
  const error = known('error', record.errorType);
  if (type === 'platform.extension') {
    const extension = words(record.name, 128);
    return extension === undefined ? undefined : { part: 'extension', extension, ...known('state', record.state), ...error };
  }
  if (phase === undefined) return undefined;
  const initType = known('initType', record.initializationType);
  // Only the report knows how long it took as a whole.
  const { durationMs: _, ...done } = measured(record);
  if (step !== 'Start') return { part: 'ready', ...(step === 'Report' ? measured(record) : done), ...initType, ...error };
  const version = known('version', record.functionVersion);
  return { part: begun(phase), ...initType, ...known('runtime', record.runtimeVersion), ...version };
}

const begun = (phase: string) => (phase.toLowerCase() === 'init' ? 'init' : 'restore');

function known<N extends string>(name: N, value: unknown): { readonly [K in N]?: string } {
  const text = words(value, 128);
  return (text === undefined ? {} : { [name]: text }) as { readonly [K in N]?: string };
}

function measured(record: Line['record']) {
  const duration = (record.metrics as { readonly durationMs?: unknown } | null | undefined)?.durationMs;
  return outcome(typeof duration === 'number' ? duration : Number.NaN, words(record.status, 32));
}

function outcome(durationMs: number, status: string | undefined): { readonly durationMs?: number; readonly status?: string } {
  // An invocation lasts 15 minutes at most, and no init longer.
  const plausible = durationMs >= 0 && durationMs <= 900_000;
  return { ...(plausible ? { durationMs } : {}), ...(status === undefined ? {} : { status }) };
}
