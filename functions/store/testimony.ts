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
  /** Which of it was seen; `whole` when the source says both at once. */
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

/** The platform made an instance of a function, or said what became of one. */
export interface InstanceTestimony {
  readonly what: 'instance';
  readonly witness: 'platform-log';
  readonly at: number;
  readonly fn: string;
  /** Log stream: one for each instance. */
  readonly stream: string;
  /** `init`, `restore`: it begins. `ready`: init or restore is over. `extension`: what an extension has come to. */
  readonly part: 'init' | 'restore' | 'ready' | 'extension';
  readonly version?: string;
  /** `on-demand`, `provisioned-concurrency`, `snap-start`. */
  readonly initType?: string;
  readonly runtime?: string;
  readonly status?: string;
  readonly error?: string;
  readonly durationMs?: number;
  /** Its name and state: `Ready`, `InitError`, … */
  readonly extension?: string;
  readonly state?: string;
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
  /** The API's id. */
  readonly api?: string;
  readonly extendedRequestId?: string;
  /** Of the function behind it, where the integration is one. */
  readonly requestId?: string;
  readonly sourceIp?: string;
  readonly userAgent?: string;
  readonly method?: string;
  readonly path?: string;
  readonly status?: string;
}

export type Testimony = InvocationTestimony | InstanceTestimony | ChangeTestimony | AccessTestimony;

/** What was said, and how many lines or records of the source could not be understood (others, such as the function's own prints, are none). */
export interface Heard {
  readonly testimonies: readonly Testimony[];
  readonly unread: number;
}
