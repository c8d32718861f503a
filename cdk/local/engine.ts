import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { type Account, createAccount } from './account.ts';
import { Endpoint } from './endpoint.ts';
import type { Environment, Worker } from './environment.ts';
import type { NotificationOptions } from './services/s3/notifications.ts';
import type { Services } from './services.ts';
import { loadStacks, type StackArtifact } from './template/assembly.ts';
import { type Deployment, deploy } from './template/deploy.ts';
import type { Created } from './template/resolver.ts';

export interface EngineOptions {
  /** Cloud assembly: the directory `cdk synth` writes (cdk.out). */
  readonly assembly: string;
  /** Stack to run, or several; may be left out when the assembly has one. */
  readonly stack?: string | readonly string[] | undefined;
  /** Port of the endpoint; 0 or nothing for one that is free. */
  readonly port?: number | undefined;
  /** Names that functions shall find under other addresses, e.g. `{ 'shop.example': '127.0.7.1' }`. */
  readonly hosts?: Readonly<Record<string, string>> | undefined;
  /** PEM certificates that functions shall trust besides the system's. */
  readonly trustedCaPem?: string | undefined;
  /** Where everything is kept. A new directory, removed at the end, when left out. */
  readonly stateDir?: string | undefined;
  /** How badly S3 notifications behave. */
  readonly notifications?: NotificationOptions | undefined;
  /** ms added to every call of a service, as a network would; a function is asked anew each time. Default 0: as on loopback. */
  readonly serviceLatencyMs?: number | (() => number) | undefined;
  /** See {@link LambdaOptions.traceable}. */
  readonly traceable?: boolean | undefined;
  /** Takes what functions print and what the engine has to say. */
  readonly log?: ((line: string) => void) | undefined;
}

/** Stacks running on this machine. */
export interface Engine {
  /** One address for all services: set it as AWS_ENDPOINT_URL. */
  readonly endpoint: string;
  readonly accountId: string;
  readonly region: string;
  /** Outputs of the stacks; addresses of APIs are local ones. */
  readonly outputs: Readonly<Record<string, string>>;
  /** What `Ref` gives for a resource: its name, for a queue its URL. Throws for unknown logical ids. */
  physicalId(logicalId: string): string;
  /** Base address of an API by the name of an output or by a logical id of the API; ends in `/`. */
  apiUrl(outputOrLogicalId: string): string;
  /**
   * Resolves when nothing is under way any more: no message in a consumed queue, no invocation, notification or stream record
   * pending. Rejects, saying what still is, when that has not changed for `timeoutMs` (default 60 000), or when it has gone on
   * changing for ten times as long: how fast things go depends on what else this machine does. Rejects at once when it is stopped.
   */
  idle(timeoutMs?: number): Promise<void>;
  /** Ends every process and closes every port. May be called again. */
  stop(): Promise<void>;
}

/** Account and region for apps that leave them open. */
const ACCOUNT_ID = '123456789012';
const REGION = 'us-east-1';

/** Two looks with this pause find nothing: then there is nothing. One look could fall between two hand-overs. */
const IDLE_POLL_MS = 20;
/** What never comes to an end, such as a function that calls itself, may go on for so many times the patience with what stands still. */
const MOST_PROGRESS = 10;

/** Creates stacks of a synthesized CDK app and runs them. Throws, with everything stopped again, when something in it cannot run. */
export async function startEngine(options: EngineOptions): Promise<Engine> {
  const { stack: wanted = [] } = options;
  const stacks = loadStacks(resolve(options.assembly), typeof wanted === 'string' ? [wanted] : wanted);
  const stateDir = options.stateDir === undefined ? mkdtempSync(join(tmpdir(), 'alastor-local-')) : resolve(options.stateDir);
  mkdirSync(stateDir, { recursive: true });
  const endpoint = new Endpoint(options.serviceLatencyMs);
  let account: Account | null = null;
  const stopAll = async () => {
    await account?.stop();
    await endpoint.close();
    if (options.stateDir === undefined) rmSync(stateDir, { recursive: true, force: true });
  };
  try {
    const env: Environment = {
      accountId: common(stacks, 'accountId') ?? ACCOUNT_ID,
      region: common(stacks, 'region') ?? REGION,
      endpoint: await endpoint.listen(options.port ?? 0),
      stateDir,
      log: options.log ?? (() => undefined),
    };
    account = createAccount(env, {
      hosts: options.hosts ?? {},
      trustedCaPem: options.trustedCaPem,
      notifications: options.notifications ?? {},
      traceable: options.traceable ?? false,
    });
    const deployment = await deployAll(stacks, account.services);
    endpoint.serve(account.services);
    account.services.sources.start();
    return engine(env, deployment, account, [...account.workers, endpoint], stopAll);
  } catch (cause) {
    await stopAll();
    throw cause;
  }
}

/** Account or region of all stacks; null where they leave it open. */
function common(stacks: readonly StackArtifact[], what: 'accountId' | 'region'): string | null {
  const [first = null, ...others] = new Set(stacks.flatMap((stack) => stack[what] ?? []));
  if (others.length === 0) return first;
  const name = what === 'region' ? 'regions' : 'accounts';
  throw new Error(`These stacks belong to different ${name} (${[first, ...others].join(', ')}), and the local engine is one.`);
}

/** One stack after the other. What has the same name in several is found as `<stack>.<name>`, but in the first that has it. */
async function deployAll(stacks: readonly StackArtifact[], services: Services): Promise<Deployment> {
  const created = new Map<string, Created>();
  const outputs: Record<string, string> = {};
  const exports = new Map<string, string>();
  for (const stack of stacks) {
    services.drafts.clear();
    const one = await deploy(stack, services, exports);
    for (const [id, resource] of one.created) created.set(created.has(id) ? `${stack.name}.${id}` : id, resource);
    for (const [name, value] of Object.entries(one.outputs)) outputs[name in outputs ? `${stack.name}.${name}` : name] = value;
  }
  return { created, outputs };
}

function engine(
  env: Environment,
  deployment: Deployment,
  account: Account,
  workers: readonly Worker[],
  stopAll: () => Promise<void>,
): Engine {
  let stopping: Promise<void> | null = null;
  const physicalId = (logicalId: string): string => {
    const found = deployment.created.get(logicalId);
    if (found === undefined)
      throw new Error(`The stack has no resource ${logicalId}; it has ${[...deployment.created.keys()].join(', ')}.`);
    return found.ref;
  };
  return {
    endpoint: env.endpoint,
    accountId: env.accountId,
    region: env.region,
    outputs: deployment.outputs,
    physicalId,
    apiUrl: (name) => apiUrl(name, deployment, account.services, physicalId),
    idle: (timeoutMs = 60_000) => idle(workers, timeoutMs, () => stopping !== null),
    stop() {
      stopping ??= stopAll();
      return stopping;
    },
  };
}

function apiUrl(name: string, deployment: Deployment, services: Services, physicalId: (logicalId: string) => string): string {
  const output = deployment.outputs[name];
  if (output !== undefined) return output.endsWith('/') ? output : `${output}/`;
  const api = services.apis.find(physicalId(name));
  if (api === null) throw new Error(`${name} is neither an output nor an API of the stack.`);
  return services.apis.url(api);
}

async function idle(workers: readonly Worker[], timeoutMs: number, stopped: () => boolean): Promise<void> {
  const began = Date.now();
  let [seen, since] = ['', began];
  for (let quiet = 0; ; ) {
    const busy = workers.map((one) => one.busy()).filter((what) => what !== null);
    quiet = busy.length === 0 ? quiet + 1 : 0;
    if (quiet === 2) return;
    const [now, what] = [Date.now(), busy.join('; ')];
    // What lies in a queue then will lie there for ever.
    if (stopped()) throw new Error('The engine was stopped.');
    if (what !== seen) [seen, since] = [what, now];
    if (now - since > timeoutMs || now - began > MOST_PROGRESS * timeoutMs) {
      const how = now - since > timeoutMs ? 'nothing has changed since then' : 'there is always more';
      throw new Error(`The engine is not idle after ${now - began} ms, and ${how}: ${what || 'it was busy a moment ago'}.`);
    }
    await sleep(IDLE_POLL_MS);
  }
}
