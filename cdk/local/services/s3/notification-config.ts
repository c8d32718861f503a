/** Where notifications of a bucket go. */
export interface NotificationTarget {
  readonly id: string;
  /** ARN of a function, queue or topic. */
  readonly arn: string;
  /** E.g. `s3:ObjectCreated:*`. */
  readonly events: readonly string[];
  readonly prefix: string;
  readonly suffix: string;
}

export interface NotificationConfig {
  readonly targets: readonly NotificationTarget[];
  readonly eventBridge: boolean;
}

/** `s3:ObjectCreated:*` covers `ObjectCreated:Put`; names in events have no `s3:`. */
export function covers(pattern: string, eventName: string): boolean {
  const bare = pattern.replace(/^s3:/, '');
  return bare.endsWith('*') ? eventName.startsWith(bare.slice(0, -1)) : bare === eventName;
}

/** Targets that want to hear of `eventName` for `key`. Filters are compared with the key as it is, not URL-encoded. */
export function interested(config: NotificationConfig, eventName: string, key: string): NotificationTarget[] {
  return config.targets.filter(
    (target) =>
      target.events.some((pattern) => covers(pattern, eventName)) &&
      key.startsWith(target.prefix) &&
      key.endsWith(target.suffix),
  );
}
