/** The public shapes of the local Lambda service. */

/** What a container image decides of its function. */
export interface FunctionImage {
  /** Its base is one of AWS's for Lambda. */
  readonly lambda: boolean;
  /** Entrypoint and command. */
  readonly command: readonly string[];
  readonly workingDirectory: string;
  /** The function's own variables win over these. */
  readonly environment: Readonly<Record<string, string>>;
  /** bubblewrap arguments for what is neither in /var/task nor in /opt. */
  readonly mounts: readonly string[];
}

/** One function as CloudFormation describes it, with its code and layers already unpacked on disk. */
export interface FunctionSpec {
  readonly name: string;
  readonly arn: string;
  /** E.g. `nodejs24.x`, `python3.13`, `provided.al2023`. Others are refused by `add`. */
  readonly runtime: string;
  /** `path/file.export`; for `provided.*` whatever the bootstrap makes of it. */
  readonly handler: string;
  /** Directory that becomes /var/task. */
  readonly codeDir: string;
  /** Directories merged into /opt in this order: a later one wins. */
  readonly layerDirs: readonly string[];
  readonly environment: Readonly<Record<string, string>>;
  /** The package is a container image; then `runtime` says what its base has. */
  readonly image?: FunctionImage;
  /** Told to the function, not enforced: the local engine has no memory limit. */
  readonly memoryMb: number;
  readonly timeoutMs: number;
  readonly region: string;
  readonly accountId: string;
  /** Most instances of this function at a time. 0 throttles every invocation, as on AWS. */
  readonly reservedConcurrency?: number;
  /** Size of /tmp, default 512 MB. */
  readonly ephemeralMb?: number;
  /** One `<log stream id>.log` per instance is written here. */
  readonly logDir?: string;
}

export interface LambdaOptions {
  /** Directory for files shared by the sandboxes. What is made in it is removed by `stop`. */
  readonly stateDir: string;
  /** Becomes AWS_ENDPOINT_URL of every function that does not set it itself. */
  readonly endpoint: string;
  /** Extra lines of the instances' /etc/hosts: name to address. */
  readonly hosts: Readonly<Record<string, string>>;
  /** PEM certificates that clients inside the instances trust besides the system's roots. */
  readonly trustedCaPem?: string;
  /**
   * Lets processes of an instance trace each other and add seccomp filters, as strace needs, and as Lambda does not. Only for
   * measuring what tracing would cost. Default false.
   */
  readonly traceable?: boolean;
  /** An idle instance is shut down after this long. Default 5 minutes. */
  readonly maxIdleMs?: number;
  /** Most instances of all functions together. Default 40. */
  readonly maxInstances?: number;
  /** How long an invocation may wait for an instance before it is throttled. Default 10 s. */
  readonly queueTimeoutMs?: number;
  /**
   * How long a request waits for an instance that has answered and is about to be free, before a new one is made. A caller on
   * this machine is back faster than one across a network: without this, a sequence of requests would be spread over several
   * instances. Default 100 ms.
   */
  readonly reuseWaitMs?: number;
  /** Pauses before the retries of an asynchronous invocation. AWS: 1 and 2 minutes. Default 1 s and 2 s. */
  readonly asyncRetryDelaysMs?: readonly number[];
  readonly log: (line: string) => void;
  readonly onLog?: (fn: string, instance: string, line: string) => void;
  /** Called once per asynchronous invocation, with its last outcome. This is where destinations hang. */
  readonly onAsyncResult?: (outcome: AsyncOutcome) => void;
}

export interface InvokeOptions {
  readonly type: 'RequestResponse' | 'Event' | 'DryRun';
  /** Default: a new random UUID. */
  readonly requestId?: string;
  /** `X-Amzn-Trace-Id`; made up when absent. */
  readonly traceHeader?: string;
  /** JSON text (already decoded from base64). */
  readonly clientContext?: string;
  readonly logType?: 'None' | 'Tail';
  /** Called with each piece of the response as the function produces it, besides the full payload in the result. */
  readonly onChunk?: (chunk: Buffer) => void;
}

export interface InvokeResult {
  readonly requestId: string;
  /** 200, 202 (Event) or 204 (DryRun). */
  readonly statusCode: number;
  readonly functionError?: 'Handled' | 'Unhandled';
  readonly payload: Buffer;
  /** Content type the function gave to its streamed response. */
  readonly contentType?: string;
  /** Last 4 KB of the log of this invocation, when `logType` is `Tail`. */
  readonly logTail?: string;
}

export interface AsyncOutcome {
  readonly functionName: string;
  readonly functionArn: string;
  readonly payload: Buffer;
  readonly result: InvokeResult;
  readonly attempts: number;
  readonly condition: 'Success' | 'RetriesExhausted' | 'EventAgeExceeded';
}

export type InstanceState = 'starting' | 'busy' | 'idle' | 'stopping' | 'dead';

export interface InstanceInfo {
  readonly fn: string;
  /** The 32 hex digits that end the log stream's name. */
  readonly id: string;
  readonly state: InstanceState;
  /** Host pid of the sandbox's pid 1, 0 before there is one. */
  readonly pid: number;
}
