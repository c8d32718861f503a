import { patternProblem } from './pattern.ts';
import { FUNCTION_NAME } from './record/key.ts';

/**
 * Every `ALASTOR_*` variable: what it means, what it may be and what holds without it. The instance reads its settings through
 * this table, the construct writes and checks them with it, and the table in docs/capture.md is made of it. Imports nothing
 * that Node or AWS would have to load: it is part of a cold start.
 */
export interface Setting {
  /** Who sets it: the user (through the construct's `settings` or the function's environment), the construct, or the layer itself. */
  readonly by: 'user' | 'construct' | 'layer';
  /** The text that means the same as not setting it; '' when that cannot be said in a text. */
  readonly fallback: string;
  /** What it may be, for people. */
  readonly values: string;
  readonly meaning: string;
  /** What is wrong with a text, or undefined. */
  readonly problem: (text: string) => string | undefined;
}

/** When records leave the instance. */
export type Ship =
  | { readonly when: 'end' }
  | { readonly when: 'interval'; readonly ms: number }
  | { readonly when: 'size'; readonly bytes: number };

export type Bodies = 'none' | 'digest' | 'redacted';
export type NetworkSource = 'auto' | 'proxy' | 'tap' | 'sockets';
export type RequestSource = 'auto' | 'tap' | 'proxy';

/** Bounds of `ALASTOR_SHIP`: how many milliseconds or bytes of records may wait in memory, which is all that a kill can take. */
const SHIP_BOUNDS = { ms: [100, 900_000], bytes: [1024, 4 * 1024 * 1024] } as const;
/** Bounds of `ALASTOR_REDACT`. */
const REDACT_BOUNDS = { patterns: 16, length: 256 } as const;

const anything = (): undefined => undefined;
const oneOf =
  (...allowed: readonly string[]) =>
  (text: string): string | undefined =>
    allowed.includes(text) ? undefined : `must be one of ${allowed.join(', ')}`;
const like =
  (pattern: RegExp, what: string) =>
  (text: string): string | undefined =>
    pattern.test(text) ? undefined : `must be ${what}`;

const absolute = like(/^\/[^\0\n]{0,255}$/, 'an absolute path of at most 256 characters');
const port = (text: string): string | undefined =>
  /^\d{1,5}$/.test(text) && Number(text) < 65_536 ? undefined : 'must be a port (0 to 65535)';

export const SETTINGS = {
  ALASTOR_BUCKET: {
    by: 'construct',
    fallback: '',
    values: 'name of a bucket; where plain HTTP is served also `file:///directory`',
    meaning: 'Where segments are stored. Without it nothing can be: what is recorded is counted as lost.',
    problem: like(/^[a-z0-9][a-z0-9.-]{1,62}$/, 'the name of an S3 bucket'),
  },
  ALASTOR_QUALIFIER: {
    by: 'construct',
    fallback: '',
    values: '`<account>.<region>.`',
    meaning:
      "Stands before the function's name in the evidence, where functions of several accounts or regions share a bucket.",
    problem: like(/^\d{12}\.[a-z0-9-]{1,32}\.$/, '<account>.<region>. with a dot at the end'),
  },
  ALASTOR_SHIP: {
    by: 'user',
    fallback: 'end',
    values: '`end`, `interval:<ms>` (100 to 900000), `size:<bytes>` (1024 to 4194304)',
    meaning: 'When records leave the instance; see "Shipping strategies".',
    problem: (text) => (shipOf(text) === undefined ? shipRule : undefined),
  },
  ALASTOR_BODIES: {
    by: 'user',
    fallback: 'digest',
    values: '`none`, `digest`, `redacted`',
    meaning:
      'What is recorded of events, answers and HTTP bodies: their size; also their SHA-256; also the redacted beginning of those that are text (at most 2048 characters).',
    problem: oneOf('none', 'digest', 'redacted'),
  },
  ALASTOR_REDACT: {
    by: 'user',
    fallback: '',
    values: 'regular expressions, one per line; at most 16 of 256 characters',
    meaning:
      'What is removed besides the secrets that are always removed. JavaScript syntax, case counts. Expressions that could take long are refused: bound their repetitions (`\\w{1,64}`).',
    problem: (text) => {
      const lines = patternLines(text);
      if (lines.length > REDACT_BOUNDS.patterns)
        return `has ${lines.length} expressions; ${REDACT_BOUNDS.patterns} are allowed`;
      for (const line of lines) {
        const problem = patternProblem(line, REDACT_BOUNDS.length);
        if (problem !== undefined) return `has an expression, /${line.slice(0, 80)}/, that ${problem}`;
      }
      return undefined;
    },
  },
  ALASTOR_NETWORK: {
    by: 'user',
    fallback: 'auto',
    values: '`auto`, `proxy`, `tap`, `sockets`',
    meaning:
      'What sees HTTP exchanges: a tap in the process where there is one and the network proxy elsewhere; the proxy for all of them; taps alone; nothing but the sockets.',
    problem: oneOf('auto', 'proxy', 'tap', 'sockets'),
  },
  ALASTOR_REQUESTS: {
    by: 'user',
    fallback: 'auto',
    values: '`auto`, `tap`, `proxy`',
    meaning:
      "What sees where a request begins and ends: the shim, on the runtime's connection to the Runtime API, with a proxy standing by for runtimes that the shim cannot see (`tap`); that proxy for all (`proxy`). `auto` is `tap`, but `proxy` with `ALASTOR_NETWORK=proxy`.",
    problem: oneOf('auto', 'tap', 'proxy'),
  },
  ALASTOR_STEER: {
    by: 'user',
    fallback: '',
    values: '`addr:port,…`; `addr:port/http` where plain HTTP is spoken',
    meaning: 'Local addresses whose traffic is looked at as if they were remote. `AWS_ENDPOINT_URL*` are so anyway.',
    problem: like(
      /^(?:[0-9a-fA-F.:[\]]+:\d{1,5}(?:\/http)?)(?:,[0-9a-fA-F.:[\]]+:\d{1,5}(?:\/http)?)*$/,
      'a list of addr:port or addr:port/http, separated by commas',
    ),
  },
  ALASTOR_UPSTREAM_RUNTIME_API: {
    by: 'user',
    fallback: '',
    values: '`host:port`',
    meaning:
      'The Runtime API as another extension proxies it; default is the real one. Set it when that extension is to stand between Alastor and the platform.',
    problem: like(/^[\w.-]{1,253}:\d{1,5}$/, 'host:port'),
  },
  ALASTOR_DIR: {
    by: 'user',
    fallback: '/tmp/.alastor',
    values: 'absolute path',
    meaning: 'Directory that recorder, wrapper and shim share (9 MiB).',
    problem: absolute,
  },
  ALASTOR_NEXT_WRAPPER: {
    by: 'construct',
    fallback: '',
    values: 'absolute path',
    meaning: 'The `AWS_LAMBDA_EXEC_WRAPPER` that the function had before; it starts the runtime.',
    problem: absolute,
  },
  ALASTOR_BACKEND: {
    by: 'user',
    fallback: 'auto',
    values: '`auto`, `shim`, `strace`',
    meaning:
      'Containers that serve plain HTTP: what records processes, files and sockets. `auto` takes the shim, or strace for a static program where it is allowed.',
    problem: oneOf('auto', 'shim', 'strace'),
  },
  ALASTOR_INNER_PORT: {
    by: 'user',
    fallback: '0',
    values: 'port; 0: one that is free',
    meaning: 'Containers that serve plain HTTP: where the program listens behind the front door.',
    problem: port,
  },
  ALASTOR_FUNCTION: {
    by: 'user',
    fallback: '',
    values: 'name',
    meaning:
      'Containers that serve plain HTTP: what the function is called. Default: `OPENFAAS_NAME`, `K_SERVICE` or the host name.',
    problem: (text) => (FUNCTION_NAME.test(text) ? undefined : 'must be letters, digits, - and _, at most 64'),
  },
  ALASTOR_BOOTSTRAP: {
    by: 'user',
    fallback: '',
    values: 'absolute path',
    meaning: "Custom runtimes: the function's own bootstrap, when it is not `bootstrap.app`.",
    problem: absolute,
  },
  ALASTOR_NODE_OPTIONS: {
    by: 'layer',
    fallback: '',
    values: 'text',
    meaning: "NODE_OPTIONS as the function has it, kept from the recorder's own Node.",
    problem: anything,
  },
  ALASTOR_LD_PRELOAD: {
    by: 'layer',
    fallback: '',
    values: 'text',
    meaning: 'LD_PRELOAD as the function has it, kept from the recorder.',
    problem: anything,
  },
  ALASTOR_HOME: {
    by: 'layer',
    fallback: '/opt/alastor',
    values: 'absolute path',
    meaning: "Folder of the layer's own files.",
    problem: absolute,
  },
  ALASTOR_RING: {
    by: 'layer',
    fallback: '',
    values: 'absolute path',
    meaning: 'For the shim: the event ring. Set by the wrapper.',
    problem: absolute,
  },
  ALASTOR_TEE: {
    by: 'layer',
    fallback: '',
    values: '`http`, `runtime`',
    meaning: "For the shim: whose traffic it tees, HTTP's and the runtime's with the Runtime API. Set by the wrapper.",
    problem: anything,
  },
  ALASTOR_PROXY_PORT: {
    by: 'layer',
    fallback: '',
    values: 'port',
    meaning: 'For the shim: where the network proxy listens. Set by the wrapper.',
    problem: port,
  },
  ALASTOR_RUNTIME_PORT: {
    by: 'layer',
    fallback: '',
    values: 'port',
    meaning: 'For wrapper and shim: where the Runtime API proxy listens.',
    problem: port,
  },
  ALASTOR_RUNTIME_API: {
    by: 'layer',
    fallback: '',
    values: '`addr:port`',
    meaning:
      'For the shim: where the Runtime API really is, so that it leads the runtime there and looks on. Set by the wrapper.',
    problem: anything,
  },
  ALASTOR_UPSTREAM: {
    by: 'layer',
    fallback: '',
    values: '`host:port`',
    meaning: 'The Runtime API as it was before the wrapper put the proxy in its place.',
    problem: anything,
  },
} as const satisfies Readonly<Record<`ALASTOR_${string}`, Setting>>;

type SettingName = keyof typeof SETTINGS;

const shipRule = 'must be end, interval:<ms> (100 to 900000) or size:<bytes> (1024 to 4194304)';

/** Undefined when the text is none. */
export function shipOf(text: string): Ship | undefined {
  if (text === 'end') return { when: 'end' };
  const [, when, digits] = /^(interval|size):(\d{1,9})$/.exec(text) ?? [];
  const number = Number(digits);
  const within = ([least, most]: readonly [number, number]): boolean => number >= least && number <= most;
  if (when === 'interval' && within(SHIP_BOUNDS.ms)) return { when, ms: number };
  if (when === 'size' && within(SHIP_BOUNDS.bytes)) return { when, bytes: number };
  return undefined;
}

/** The expressions of `ALASTOR_REDACT`. */
export function patternLines(text: string): readonly string[] {
  return text.split('\n').filter((line) => line.trim() !== '');
}

/** The table's entry; undefined for a name that is none. */
export function settingOf(name: string): Setting | undefined {
  return Object.hasOwn(SETTINGS, name) ? SETTINGS[name as SettingName] : undefined;
}

export interface CheckedSettings {
  /** The text of every setting: as given when it is valid, else its default. */
  readonly texts: Readonly<Record<SettingName, string>>;
  /** One sentence per setting that is unknown or not valid. Never holds the value: it may be a secret in the wrong place. */
  readonly problems: readonly string[];
}

/** Reads all settings from an environment. What is wrong falls back to the default, and is told. */
export function checkSettings(env: Readonly<Record<string, string | undefined>>): CheckedSettings {
  const problems: string[] = [];
  const texts: Record<string, string> = {};
  for (const [name, { fallback, problem }] of Object.entries(SETTINGS) as [SettingName, Setting][]) {
    const given = env[name];
    const wrong = given === undefined || given === '' ? undefined : problem(given);
    texts[name] = given === undefined || given === '' || wrong !== undefined ? fallback : given;
    if (wrong !== undefined) problems.push(`${name} ${wrong}; ${fallback === '' ? 'it is ignored' : `${fallback} is used`}`);
  }
  for (const name of Object.keys(env)) {
    if (!name.startsWith('ALASTOR_') || settingOf(name) !== undefined) continue;
    problems.push(`${name.slice(0, 128)} is no setting of Alastor${nearest(name)}`);
  }
  return { texts: texts as Record<SettingName, string>, problems };
}

/** The settings that a construct offers, each under the name it has there. */
export interface AuditSettings {
  /** When records leave the instance: `end` of each request, `interval:<ms>` or `size:<bytes>`. @default end */
  readonly ship?: 'end' | `interval:${number}` | `size:${number}`;
  /** What is recorded of bodies. @default digest */
  readonly bodies?: Bodies;
  /** Regular expressions for secrets that only this app has; at most 16. Flags are not looked at. @default none */
  readonly redact?: readonly (string | RegExp)[];
  /** What sees HTTP exchanges. @default auto */
  readonly network?: NetworkSource;
  /** What sees where a request begins and ends. @default auto */
  readonly requests?: RequestSource;
  /** Local addresses (`addr:port`) to be treated as remote ones. @default none */
  readonly steer?: readonly string[];
  /** `host:port` of the Runtime API as another extension proxies it. @default the platform's own */
  readonly upstreamRuntimeApi?: string;
  /** Directory that recorder, wrapper and shim share. @default /tmp/.alastor */
  readonly directory?: string;
}

const VARIABLES: { readonly [K in keyof Required<AuditSettings>]: SettingName } = {
  ship: 'ALASTOR_SHIP',
  bodies: 'ALASTOR_BODIES',
  redact: 'ALASTOR_REDACT',
  network: 'ALASTOR_NETWORK',
  requests: 'ALASTOR_REQUESTS',
  steer: 'ALASTOR_STEER',
  upstreamRuntimeApi: 'ALASTOR_UPSTREAM_RUNTIME_API',
  directory: 'ALASTOR_DIR',
};

/**
 * The environment that says the same.
 * @throws Error naming the setting and what it may be
 */
export function settingsEnvironment(settings: AuditSettings): Record<string, string> {
  const environment: Record<string, string> = {};
  for (const [key, value] of Object.entries(settings) as [string, AuditSettings[keyof AuditSettings]][]) {
    if (!Object.hasOwn(VARIABLES, key)) {
      throw new Error(`settings.${key} is no setting of Alastor; there are ${Object.keys(VARIABLES).join(', ')}`);
    }
    if (value === undefined) continue;
    const name = VARIABLES[key as keyof AuditSettings];
    const list = Array.isArray(value)
      ? value.map((one: string | RegExp) => (one instanceof RegExp ? one.source : one))
      : [value];
    if (list.length === 0) continue;
    const text = list.join(key === 'redact' ? '\n' : ',');
    const problem = text === '' ? 'must not be empty' : SETTINGS[name].problem(text);
    if (problem !== undefined) throw new Error(`settings.${key} ${problem}; it is ${JSON.stringify(text.slice(0, 200))}`);
    environment[name] = text;
  }
  return environment;
}

/** ` (did you mean …?)` for a slip of the pen. */
function nearest(name: string): string {
  const close = (Object.keys(SETTINGS) as SettingName[]).find((known) => distance(known, name.slice(0, 64)) <= 2);
  return close === undefined ? '' : ` (did you mean ${close}?)`;
}

/** Levenshtein distance. */
function distance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, i) => i);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      const change = (row[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1);
      next.push(Math.min(change, (row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1));
    }
    row = next;
  }
  return row[b.length] ?? 0;
}

/** The table of docs/capture.md, in Markdown. */
export function settingsTable(): string {
  const cell = (text: string): string => text.replaceAll('|', '\\|');
  const row = ([name, { fallback, values, meaning }]: [string, Setting]): string =>
    `| \`${name}\` | ${fallback === '' ? '–' : `\`${fallback}\``} | ${cell(values)} | ${cell(meaning)} |`;
  const part = (title: string, by: Setting['by']): string =>
    [
      `**${title}**`,
      '',
      '| Setting | Default | Values | Meaning |',
      '|---|---|---|---|',
      ...(Object.entries(SETTINGS) as [string, Setting][]).filter(([, setting]) => setting.by === by).map(row),
    ].join('\n');
  return [
    part('To be set by you', 'user'),
    part('Set by the construct', 'construct'),
    part("The layer's own, named here so that nobody else uses them", 'layer'),
  ].join('\n\n');
}
