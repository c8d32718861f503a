import { join } from 'node:path';

const ROOT = join(import.meta.dirname, '../..');

/** One way to run the same functions. */
export interface Variant {
  /** Also the id of its stack. */
  readonly name: string;
  readonly title: string;
  /** Layer directory; none: nothing is attached. */
  readonly layer?: string;
  readonly environment: Readonly<Record<string, string>>;
  /** Needs ptrace, which Lambda denies. */
  readonly traceable: boolean;
  /** Ships evidence to a bucket. */
  readonly ships: boolean;
  /** Files in an instance that are its evidence, where it ships none. */
  readonly logs: readonly string[];
}

const alastor = { layer: join(ROOT, 'build/layer'), traceable: false, ships: true, logs: [] };
const wrapper = (path: string) => ({ AWS_LAMBDA_EXEC_WRAPPER: path });

/** Folder that `prepareTracers` fills. */
export const TRACERS = join(ROOT, '.alastor/bench');

export const UNTRACED: Variant = {
  name: 'untraced',
  title: 'untraced',
  environment: {},
  traceable: false,
  ships: false,
  logs: [],
};

export const VARIANTS: readonly Variant[] = [
  UNTRACED,
  {
    ...alastor,
    name: 'shim',
    title: 'shim + Runtime API proxy',
    environment: { ...wrapper('/opt/alastor/wrapper'), ALASTOR_NETWORK: 'sockets', ALASTOR_REQUESTS: 'proxy' },
  },
  {
    ...alastor,
    name: 'shim-tap',
    title: 'shim + Runtime API tap',
    environment: { ...wrapper('/opt/alastor/wrapper'), ALASTOR_NETWORK: 'sockets', ALASTOR_REQUESTS: 'tap' },
  },
  { ...alastor, name: 'full', title: 'full default', environment: wrapper('/opt/alastor/wrapper') },
  {
    name: 'strace',
    title: 'strace --seccomp-bpf',
    layer: join(TRACERS, 'strace'),
    environment: wrapper('/opt/strace/wrapper'),
    traceable: true,
    ships: false,
    logs: ['/tmp/strace.log'],
  },
  {
    name: 'paper',
    title: "the paper's design",
    layer: join(TRACERS, 'paper'),
    environment: wrapper('/opt/paper/wrapper'),
    traceable: true,
    ships: false,
    logs: ['/tmp/paper/strace.log', '/tmp/paper/flows', '/tmp/paper/ss.log'],
  },
];
