/**
 * All commands, in the order of the help: one entry here, and a file that exports `command({…})` (command.ts) as its default. Load
 * what is heavy inside `run`: help and completion read every command.
 */
import type { Command, Named } from './command.ts';

interface Entry {
  /** One line, without a full stop. */
  readonly summary: string;
  load(): Promise<{ readonly default: Command }>;
}

export const commands: Readonly<Record<string, Entry>> = {
  requests: { summary: 'list requests: when, of which function, how they ended', load: () => import('./requests.ts') },
  instances: { summary: 'list instances, with the requests that each served', load: () => import('./instances.ts') },
  functions: { summary: 'list functions, and whether they are audited', load: () => import('./functions.ts') },
  search: { summary: 'find what you hold: an address, a host, a path, a program, an id', load: () => import('./search.ts') },
  story: { summary: 'what happened: how an attack came to a node, step by step', load: () => import('./story.ts') },
  deviation: {
    summary: 'does a request deviate from what its function normally does, and in what',
    load: () => import('./deviation.ts'),
  },
  reuse: {
    summary: 'was a container reused for it: what earlier requests left and later ones used',
    load: () => import('./reuse.ts'),
  },
  graph: { summary: 'what happened in a request, an instance or a whole workflow', load: () => import('./graph.ts') },
  trace: {
    summary: 'everything upstream or downstream of a node, ways between two, what two have in common',
    load: () => import('./trace.ts'),
  },
  evidence: {
    summary: 'a record as it was written, and whether it still is as it was stitched',
    load: () => import('./evidence.ts'),
  },
  gaps: { summary: 'what is missing from the record, and who is not audited', load: () => import('./gaps.ts') },
  verify: {
    summary: 'find segments that were deleted, swapped, altered, forged or cut off',
    load: () => import('./verify.ts'),
  },
  export: {
    summary: 'write a graph or a story as DOT, GraphML, PROV, OCSF, STIX, OTLP or HTML',
    load: () => import('./export.ts'),
  },
  restitch: {
    summary: 'have stored segments stitched again, for instance after an upgrade',
    load: () => import('./restitch.ts'),
  },
  doctor: {
    summary: 'look whether all of a deployment is well, and say how to mend what is not',
    load: () => import('./doctor.ts'),
  },
  forget: {
    summary: 'delete the record of a request, an instance or a function, and say that it was deleted',
    load: () => import('./forget.ts'),
  },
  redrive: { summary: 'give the stitcher another try at what it gave up on', load: () => import('./redrive.ts') },
  instrument: { summary: 'audit functions that are deployed already, without CDK', load: () => import('./instrument.ts') },
  uninstrument: { summary: 'take back what `alastor instrument` did', load: () => import('./uninstrument.ts') },
  status: { summary: 'tell which deployed functions are audited', load: () => import('./status.ts') },
  local: {
    summary: 'run a CDK app on this machine: Lambda, S3, SQS, DynamoDB, EventBridge, API Gateway',
    load: () => import('./local.ts'),
  },
  demo: {
    summary: 'audit, attack and explain the sample application Hello, Retail!',
    load: () => import('./demo/command.ts'),
  },
  completion: { summary: 'print a completion script for bash, zsh or fish', load: () => import('./completion.ts') },
};

/** The command of that name, if there is one. */
export async function find(name: string): Promise<Named | undefined> {
  const entry = Object.hasOwn(commands, name) ? commands[name] : undefined;
  return entry && { name, summary: entry.summary, command: (await entry.load()).default };
}
