/** Name of the event by which `alastor restitch` asks for a segment again; a kind of `ObjectCreated`. */
export const restitchEvent = 'ObjectCreated:Restitch';

/** Keys named by an S3 event notification, by itself or wrapped by SNS or EventBridge. */
export function keysOf(body: unknown): readonly string[] {
  if (typeof body !== 'object' || body === null) return [];
  if ('Event' in body && body.Event === 's3:TestEvent') return [];
  if ('Message' in body && typeof body.Message === 'string') return keysOf(JSON.parse(body.Message));
  if ('detail' in body) {
    const key = (body as { detail?: { object?: { key?: unknown } } }).detail?.object?.key;
    // EventBridge gives keys as they are.
    return typeof key === 'string' ? [key] : [];
  }
  if (!('Records' in body) || !Array.isArray(body.Records)) return [];
  return body.Records.flatMap((record: { eventName?: unknown; s3?: { object?: { key?: unknown } } }) => {
    const key = record.s3?.object?.key;
    const created = typeof record.eventName !== 'string' || /^(?:s3:)?ObjectCreated:/.test(record.eventName);
    return created && typeof key === 'string' ? [decodeKey(key)] : [];
  });
}

/** Keys in notifications are URL-encoded as in a form: a space is `+`. */
export function decodeKey(key: string): string {
  try {
    return decodeURIComponent(key.replaceAll('+', ' '));
  } catch {
    return key;
  }
}
