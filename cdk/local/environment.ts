/** What every part of the local engine needs to know about the account it plays. */
export interface Environment {
  readonly accountId: string;
  readonly region: string;
  /** `http://127.0.0.1:<port>`: the one address of all services. */
  readonly endpoint: string;
  /** Directory for everything the engine writes: S3 objects, unpacked assets, function logs. */
  readonly stateDir: string;
  log(line: string): void;
}

/** Part of the engine that may have work under way; `Engine.idle()` asks all of them. */
export interface Worker {
  /** What is still going on, for people; null when nothing is. */
  busy(): string | null;
}

/** Reads `arn:aws:<service>:<region>:<account>:<rest>`; null when `text` is no ARN. */
export function parseArn(text: string): { service: string; region: string; accountId: string; resource: string } | null {
  const parts = text.split(':');
  const [prefix, , service, region, accountId, ...rest] = parts;
  if (prefix !== 'arn' || service === undefined || region === undefined || accountId === undefined) return null;
  return { service, region, accountId, resource: rest.join(':') };
}

/** Function name of `arn:aws:lambda:…:function:<name>[:<qualifier>]`; a bare name is returned as it is. */
export function functionName(arnOrName: string): string {
  const arn = parseArn(arnOrName);
  const resource = arn === null ? `function:${arnOrName}` : arn.resource;
  return resource.split(':')[1] ?? arnOrName;
}
