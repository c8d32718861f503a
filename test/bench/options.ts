import { parseArgs } from 'node:util';
import { WORKS } from './works.ts';

export const HELP = `bench: what the audit costs, beside no audit and beside the design of the paper ALASTOR (2022)

Usage: npm run bench -- [options]        (npm run -s bench -- --json for JSON alone)

  --rounds <n>        rounds; in each, every variant does all the work (default 5)
  --only <work>       only this work; may be repeated. ${WORKS.map(({ name }) => name).join(', ')}, cold
  --services-ms <n>   added to each call of a service, besides a run as on loopback (default 5)
  --requests <n>      requests per batch (default: each work's own)
  --json              print one JSON object instead of the report
  --help              print this

Variants: untraced; shim + Runtime API proxy; shim + Runtime API tap; full (the default); strace --seccomp-bpf; the paper's design
(strace -f, mitmproxy, ss). Ctrl-C ends it early: the complete rounds are reported. mitmproxy is brought from PyPI into .alastor/; without it the last one is left out.
`;

export interface BenchOptions {
  readonly rounds: number;
  readonly only: ReadonlySet<string>;
  readonly servicesMs: number;
  readonly requests: number | undefined;
  readonly json: boolean;
}

/** @throws Error naming the wrong option. `undefined`: help was asked for. */
export function readOptions(argv: string[]): BenchOptions | undefined {
  const { values } = parseArgs({
    args: argv,
    options: {
      rounds: { type: 'string', default: '5' },
      only: { type: 'string', multiple: true, default: [] },
      'services-ms': { type: 'string', default: '5' },
      requests: { type: 'string' },
      json: { type: 'boolean', default: false },
      help: { type: 'boolean', short: 'h', default: false },
    },
  });
  if (values.help) return undefined;
  const known = new Set([...WORKS.map(({ name }) => name), 'cold']);
  for (const name of values.only) {
    if (!known.has(name)) throw new Error(`--only must be one of ${[...known].join(', ')}, not "${name}"`);
  }
  return {
    rounds: whole('--rounds', values.rounds, 1, 100),
    only: values.only.length === 0 ? known : new Set(values.only),
    servicesMs: whole('--services-ms', values['services-ms'], 0, 1000),
    requests: values.requests === undefined ? undefined : whole('--requests', values.requests, 1, 1000),
    json: values.json,
  };
}

function whole(name: string, text: string, least: number, most: number): number {
  const value = Number(text);
  if (!/^\d+$/.test(text) || value < least || value > most) {
    throw new Error(`${name} must be a whole number from ${least} to ${most}, not "${text}"`);
  }
  return value;
}
