/** What an extension may ask of the Telemetry API, with the documented defaults and bounds. */
export type TelemetryCategory = 'platform' | 'function' | 'extension';

export interface Subscription {
  readonly types: ReadonlySet<TelemetryCategory>;
  readonly protocol: 'HTTP' | 'TCP';
  readonly port: number;
  readonly path: string;
  readonly maxItems: number;
  readonly maxBytes: number;
  readonly timeoutMs: number;
}

const CATEGORIES: readonly string[] = ['platform', 'function', 'extension'];
const isCategory = (value: unknown): value is TelemetryCategory => typeof value === 'string' && CATEGORIES.includes(value);

/** The subscription, or a sentence about what is wrong with it. */
export function parseSubscription(body: Buffer): Subscription | string {
  let value: unknown;
  try {
    value = JSON.parse(body.toString());
  } catch {
    return 'the body is not JSON';
  }
  const request = fields(value);
  const buffering = fields(request.buffering);
  const types = request.types;
  if (!Array.isArray(types) || types.length === 0 || !types.every(isCategory)) {
    return 'types must be a list of platform, function and extension';
  }
  const target = parseDestination(fields(request.destination));
  if (typeof target === 'string') return target;
  return {
    types: new Set(types),
    ...target,
    maxItems: bounded(buffering.maxItems, 10_000, 1000, 10_000),
    maxBytes: bounded(buffering.maxBytes, 262_144, 262_144, 1_048_576),
    timeoutMs: bounded(buffering.timeoutMs, 1000, 25, 30_000),
  };
}

function parseDestination(destination: Record<string, unknown>): Pick<Subscription, 'protocol' | 'port' | 'path'> | string {
  const { protocol, port, URI } = destination;
  if (protocol === 'TCP') {
    return typeof port === 'number' && port > 0 && port < 65_536
      ? { protocol, port, path: '' }
      : 'destination.port must be a port number';
  }
  if (protocol !== 'HTTP') return 'destination.protocol must be HTTP or TCP';
  if (typeof URI !== 'string' || !URL.canParse(URI)) return 'destination.URI must be a URL';
  const url = new URL(URI);
  // The host can only be the instance itself: sandbox.localdomain on Lambda, this machine's loopback here.
  return { protocol, port: Number(url.port || '80'), path: `${url.pathname}${url.search}` };
}

/** Lambda refuses values out of bounds; here they are moved to the bound, since nothing depends on it. */
function bounded(value: unknown, preset: number, min: number, max: number): number {
  return typeof value === 'number' && Number.isFinite(value) ? Math.min(max, Math.max(min, value)) : preset;
}

function fields(value: unknown): Record<string, unknown> {
  return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {};
}
