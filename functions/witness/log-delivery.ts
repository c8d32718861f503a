/** What a subscription filter of CloudWatch Logs delivers: docs.aws.amazon.com/AmazonCloudWatch/latest/logs/SubscriptionFilters.html */
import { gunzipSync } from 'node:zlib';
import { functionName, micros, words } from './fields.ts';

/** A delivery is at most 6 MB of base64; unpacked it may be larger, but not without bound. */
const UNPACKED_MOST = 64 * 1024 * 1024;
/** Lines of the platform and of access logs are short; longer ones are the function's own. */
const LINE_MOST = 16 * 1024;
/** Filters that the construct makes are named after the function, because a log group may have any name. */
export const filterPrefix = 'alastor-';

export interface LogDelivery {
  /** Whose log it is; undefined when it is no function's. */
  readonly fn?: string;
  readonly stream?: string;
  readonly lines: readonly { readonly at: number; readonly message: string }[];
  /** Entries that are none. */
  readonly unread: number;
}

/**
 * @param data `awslogs.data` of the event: base64 of gzip
 * @throws Error when it is not what CloudWatch Logs delivers
 */
export function unpackLogs(data: string): LogDelivery {
  const text = gunzipSync(Buffer.from(data, 'base64'), { maxOutputLength: UNPACKED_MOST }).toString();
  const said = JSON.parse(text) as Record<string, unknown> | null;
  // Sent to try out whether anybody is there.
  if (said?.messageType === 'CONTROL_MESSAGE') return { lines: [], unread: 0 };
  if (!Array.isArray(said?.logEvents)) throw new Error('no logEvents: not a delivery of CloudWatch Logs');
  const stream = words(said.logStream);
  const fn = functionOf(words(said.logGroup) ?? '', stream ?? '', said.subscriptionFilters);
  const lines: { at: number; message: string }[] = [];
  let unread = 0;
  for (const entry of said.logEvents as readonly ({ timestamp?: unknown; message?: unknown } | null)[]) {
    const at = micros(entry?.timestamp);
    const message = entry?.message;
    if (typeof message !== 'string' || at === undefined) unread++;
    else if (message.length <= LINE_MOST) lines.push({ at, message });
    // Only a function prints lines of its own.
    else if (fn === undefined) unread++;
  }
  return { ...(fn === undefined ? {} : { fn }), ...(stream === undefined ? {} : { stream }), lines, unread };
}

/**
 * Streams of a log group that several functions may share name the function: `2026/03/01/<function>[<version>]<instance>`;
 * those of a function's own group are `2026/03/01/[<version>]<instance>`, and the group is `/aws/lambda/<function>` by default.
 */
function functionOf(group: string, stream: string, filters: unknown): string | undefined {
  const named = /^\d{4}\/\d\d\/\d\d\/([A-Za-z0-9_-]{1,140})\[/.exec(stream)?.[1];
  if (named !== undefined) return named;
  const filter = (Array.isArray(filters) ? filters : []).find((one) => typeof one === 'string' && one.startsWith(filterPrefix));
  if (filter !== undefined) return functionName(String(filter).slice(filterPrefix.length));
  return group.startsWith('/aws/lambda/') ? functionName(group.slice('/aws/lambda/'.length)) : undefined;
}
