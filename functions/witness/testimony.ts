/** What somebody other than the audited instance says happened: the platform, CloudTrail, an API's access log. */

/** Who says it. A platform log line can be imitated by the function that prints into the same log; the others cannot. */
export type Witness = 'platform-log' | 'cloudtrail' | 'access-log';

/** A function was invoked. All times are µs since 1970. */
export interface InvocationTestimony {
  readonly what: 'invocation';
  readonly witness: Witness;
  readonly at: number;
  readonly fn: string;
  /** The invocation's own id, `Lambda-Runtime-Aws-Request-Id` inside. */
  readonly requestId: string;
  /** `start`, `end`: that much of it was seen; `whole` when the source says both at once. */
  readonly part: 'start' | 'end' | 'whole';
  readonly version?: string;
  readonly status?: string;
  /** Log stream: one for each instance. */
  readonly stream?: string;
  readonly durationMs?: number;
  /** Who called, as CloudTrail knows it: an ARN, or a service such as `sqs.amazonaws.com`. */
  readonly caller?: string;
  readonly sourceIp?: string;
  readonly userAgent?: string;
}

/** Somebody changed something about a function: its code, configuration, policy, event sources. */
export interface ChangeTestimony {
  readonly what: 'change';
  readonly witness: 'cloudtrail';
  readonly at: number;
  readonly id: string;
  /** E.g. `UpdateFunctionCode`. */
  readonly action: string;
  readonly fn?: string;
  readonly by: string;
  readonly sourceIp?: string;
  readonly userAgent?: string;
  /** Why it failed, if it did: attempts count. */
  readonly error?: string;
}

/** A request reached an API. */
export interface AccessTestimony {
  readonly what: 'access';
  readonly witness: 'access-log';
  readonly at: number;
  /** `$context.requestId`, in the event's requestContext. */
  readonly apiRequestId: string;
  readonly extendedRequestId?: string;
  /** Of the function behind it, where the integration is one. */
  readonly requestId?: string;
  readonly sourceIp?: string;
  readonly userAgent?: string;
  readonly method?: string;
  readonly path?: string;
  readonly status?: string;
}

export type Testimony = InvocationTestimony | ChangeTestimony | AccessTestimony;

/** What was said, and how many lines or records of the source could not be understood (others, such as the function's own prints, are none). */
export interface Heard {
  readonly testimonies: readonly Testimony[];
  readonly unread: number;
}

/** Ids and names longer than this are no ids (UUIDs, ARNs, API ids are shorter). */
const ID_MOST = 256;
const TEXT_MOST = 512;

/** Text from a log, bounded; undefined when it is none. */
export function words(value: unknown, most: number = TEXT_MOST): string | undefined {
  return typeof value === 'string' && value !== '' && value !== '-' ? value.slice(0, most) : undefined;
}

/** An id from a log: printable, without spaces, whole or not at all. */
export function identifier(value: unknown): string | undefined {
  return typeof value === 'string' && value.length <= ID_MOST && /^[\x21-\x7e]+$/.test(value) && value !== '-'
    ? value
    : undefined;
}

/** ISO 8601, or ms since 1970, as µs; undefined when it is no time between 2014 (the first Lambda) and 2100. */
export function micros(value: unknown): number | undefined {
  const ms =
    typeof value === 'number'
      ? value
      : typeof value === 'string'
        ? /^\d{1,15}$/.test(value)
          ? Number(value)
          : Date.parse(value)
        : Number.NaN;
  return ms > 1_388_534_400_000 && ms < 4_102_444_800_000 ? Math.trunc(ms * 1000) : undefined;
}

/** Name of a function from its name or ARN (qualified or not). */
export function functionName(value: unknown): string | undefined {
  const text = identifier(value);
  const name = text?.startsWith('arn:') ? text.split(':')[6] : text?.split(':')[0];
  return name !== undefined && /^[A-Za-z0-9_-]{1,140}$/.test(name) ? name : undefined;
}
