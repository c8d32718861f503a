/**
 * Every metric that Alastor's own functions publish. The functions, the alarms and dashboard (cdk/monitoring.ts) and the tests that
 * hold them together all read this list, so that an alarm cannot wait for a metric that nobody sends.
 */

export const NAMESPACE = 'Alastor';
/** Which installation: `<stack>-<id of the construct>`. On every metric. */
export const SERVICE = 'service';
/** Which audited function; only on what {@link PER_FUNCTION} names, and only while it is not zero. */
export const FUNCTION = 'function';
/** Environment variable with the installation's name, as Powertools for AWS Lambda reads it. */
export const serviceVariable = 'POWERTOOLS_SERVICE_NAME';

interface Metric {
  readonly unit: 'Count' | 'Milliseconds' | 'Bytes';
  /** Who publishes it: folder in `functions/`. */
  readonly by: 'stitcher' | 'query' | 'inventory' | 'witness' | 'verify';
  readonly says: string;
}

export const METRICS = {
  Segments: { unit: 'Count', by: 'stitcher', says: 'segments put into the graph' },
  SegmentBytes: { unit: 'Bytes', by: 'stitcher', says: 'their bytes as stored' },
  Records: { unit: 'Count', by: 'stitcher', says: 'their records' },
  Requests: { unit: 'Count', by: 'stitcher', says: 'requests that began in them' },
  IngestLag: {
    unit: 'Milliseconds',
    by: 'stitcher',
    says: 'from a segment stored by S3 to its place in the graph; not of restitched ones',
  },
  Duplicates: { unit: 'Count', by: 'stitcher', says: 'segments that were there already: told of twice, or restitched' },
  Redelivered: { unit: 'Count', by: 'stitcher', says: 'messages that had been handed out before' },
  FailedMessages: { unit: 'Count', by: 'stitcher', says: 'messages given back to the queue' },
  SetAside: { unit: 'Count', by: 'stitcher', says: 'segments that cannot be read' },
  Spills: { unit: 'Count', by: 'stitcher', says: 'parts of the graph too large for a table item, written to S3' },
  LinksCut: { unit: 'Count', by: 'stitcher', says: 'index entries left out of segments with too many' },
  Gaps: { unit: 'Count', by: 'stitcher', says: 'places where an instance says that something is missing' },
  LostEvents: { unit: 'Count', by: 'stitcher', says: 'events and records that instances counted as lost' },
  CaptureFailures: { unit: 'Count', by: 'stitcher', says: 'parts of the capture that failed: recorder, proxy, ring, shipping' },
  DegradedInstances: {
    unit: 'Count',
    by: 'stitcher',
    says: 'new instances without shim, or whose requests nothing tells apart',
  },
  Unobserved: {
    unit: 'Count',
    by: 'stitcher',
    says: 'things known to have happened unseen: a static program, TLS that stayed closed',
  },
  QueryLatency: { unit: 'Milliseconds', by: 'query', says: 'time to answer a question; their number is its sample count' },
  QueryErrors: { unit: 'Count', by: 'query', says: 'questions that failed by no fault of who asked (status 5xx)' },
  CutAnswers: { unit: 'Count', by: 'query', says: 'answers that say that they leave something out' },
  FunctionsAudited: { unit: 'Count', by: 'inventory', says: 'functions of the region that are audited' },
  FunctionsNotAudited: { unit: 'Count', by: 'inventory', says: 'functions that are not' },
  FunctionsDrifted: { unit: 'Count', by: 'inventory', says: 'of these, such as were audited within the last week' },
  FunctionsNew: { unit: 'Count', by: 'inventory', says: 'of these, such as appeared within the last day' },
  MissingSegments: {
    unit: 'Count',
    by: 'inventory',
    says: 'holes and breaks in the chains of segments of the last three hours',
  },
  SilencedInvocations: {
    unit: 'Count',
    by: 'inventory',
    says: 'invocations of the last three hours that only another witness saw',
  },
  TestimoniesUnread: { unit: 'Count', by: 'witness', says: 'lines of logs that could not be read' },
  VerifiedSegments: { unit: 'Count', by: 'verify', says: 'segments whose chain was verified' },
  UnverifiedInstances: {
    unit: 'Count',
    by: 'verify',
    says: 'instances of the last day that were not verified: no time, or not possible',
  },
  VerificationFailures: { unit: 'Count', by: 'verify', says: 'segments deleted, swapped, altered, forged or cut off' },
} as const satisfies Readonly<Record<string, Metric>>;

export type MetricName = keyof typeof METRICS;

/** Also told per audited function. */
export const PER_FUNCTION = ['Gaps', 'LostEvents', 'CaptureFailures', 'DegradedInstances', 'Unobserved', 'SetAside'] as const;
