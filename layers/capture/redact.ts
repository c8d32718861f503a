import { createHash, randomBytes } from 'node:crypto';
import type { BodyDigest, JoinKey, Observation, ResourceRef } from '../record/types.ts';
import type { Bodies } from '../settings.ts';
import { excerpt, LOOKED_AT } from './excerpt.ts';
import { secretsPattern, secretValues } from './known-secrets.ts';
import {
  COOKIE_FLAG,
  ENVIRONMENT,
  HEADER_FLAG,
  LONG_NUMBER,
  RULES,
  type Rule,
  SCRIPT_FLAG,
  SECRET_ASSIGNMENT,
  SECRET_FLAG,
  SECRET_HEADER,
  SHELL_ENVIRONMENT,
  SUSPICIOUS,
  secretSegment,
  TOKENS,
  USER_FLAG,
} from './redact-rules.ts';

export const REDACTED = '[redacted]';

export interface RedactorOptions {
  /** Where the secrets are that this instance itself was given. */
  readonly env?: Readonly<Record<string, string | undefined>>;
  /** The user's own expressions, checked before (layers/settings.ts). */
  readonly patterns?: readonly string[];
  readonly bodies?: Bodies;
}

/** What stands for a secret: the same everywhere, or telling one from another where the text is a name. */
type Mark = (secret: string) => string;
const plain: Mark = () => REDACTED;

/**
 * Takes secrets out of what is recorded before it leaves the instance: those of the instance's environment, wherever and however
 * they are written; those that say what they are; and what the user's own expressions find. Removes too much rather than too
 * little; every pattern is bounded, because the input is chosen by whoever runs code in the function.
 *
 * Where a text names something (a file, a program, a resource), the mark carries eight digits of a hash, or two files would become
 * one. For what only this instance knows the hash is salted.
 */
export class Redactor {
  readonly #known: readonly RegExp[];
  readonly #bodies: Bodies;
  readonly #local: Mark;

  constructor({ env = {}, patterns = [], bodies = 'digest' }: RedactorOptions = {}) {
    const secrets = secretsPattern(secretValues(env));
    this.#known = [...(secrets === undefined ? [] : [secrets]), ...patterns.map((source) => new RegExp(source, 'g'))];
    this.#bodies = bodies;
    const salt = randomBytes(16);
    this.#local = (secret) => marked(createHash('sha256').update(salt).update(secret));
  }

  /** The text without its secrets; the same text when there are none. */
  text(text: string, mark: Mark = plain): string {
    let clean = this.#knownOnly(text, mark);
    if (!SUSPICIOUS.test(clean)) return clean;
    for (const rule of TOKENS) clean = apply(rule, clean, mark);
    for (const rule of RULES) clean = apply(rule, clean, mark);
    return clean.includes('://')
      ? clean.replace(URL_PATH, (url, path: string) => `${url.slice(0, -path.length)}${this.urlPath(path, mark)}`)
      : clean;
  }

  /** Path of a URL, whose segments may be secrets without a name. */
  urlPath(path: string, mark: Mark = plain): string {
    const clean = path
      .split('/')
      .map((segment, i, all) =>
        !segment.includes('[redacted') && secretSegment(segment, all[i - 1] ?? '') ? mark(segment) : segment,
      );
    return clean.join('/');
  }

  /** Arguments of a program: also the argument that follows a flag asking for a secret, and variables set for a command. */
  argv(argv: readonly string[]): readonly string[] {
    let clean: string[] | undefined;
    argv.forEach((argument, i) => {
      const replaced = this.#argument(argument, argv[i - 1] ?? '');
      if (replaced === argument) return;
      clean ??= [...argv];
      clean[i] = replaced;
    });
    return clean ?? argv;
  }

  /** The observation with every text cleaned. Identifiers lose only secrets that are known or say what they are. */
  observation(o: Observation): Observation {
    switch (o.kind) {
      case 'process-exec': {
        const argv = this.argv(o.argv);
        const named = this.#named(this.#named(o, 'path'), 'cwd');
        return argv === o.argv ? named : { ...named, argv };
      }
      case 'process-start':
        return this.#named(o, 'exe');
      case 'file-open':
      case 'file-close':
        return this.#named(o, 'path');
      case 'file-change':
        return this.#named(this.#named(o, 'path'), 'to');
      case 'socket-connect':
      case 'socket-accept':
      case 'socket-bind':
      case 'socket-close':
        return o.peer.proto === 'unix' ? { ...o, peer: this.#named(o.peer, 'addr') } : o;
      case 'dns':
        return this.#clean(o, 'name');
      case 'tunnel':
        return this.#clean(o, 'sni');
      case 'exchange':
        return this.#exchange(o);
      case 'request-begin': {
        const { trigger, event } = o;
        const whole = this.#clean(this.#clean(this.#clean(trigger, 'path'), 'userAgent'), 'source');
        const path = whole.path === undefined ? undefined : this.urlPath(whole.path);
        const told = path === whole.path ? whole : { ...whole, ...(path === undefined ? {} : { path }) };
        return { ...this.#clean(o, 'traceId'), trigger: told, event: this.#body(event), ...this.#handOver(o) };
      }
      case 'request-end':
        return {
          ...this.#clean(o, 'errorType'),
          response: this.#body(o.response),
          ...(o.keys === undefined ? {} : { keys: this.#withoutContent(o.keys) }),
        };
      case 'gap':
      case 'unobserved':
      case 'warning':
        return this.#clean(o, 'detail');
      case 'shutdown':
        return this.#clean(o, 'reason');
      default:
        return o;
    }
  }

  #exchange(o: Extract<Observation, { kind: 'exchange' }>): Observation {
    const clean = this.#clean(this.#clean(this.#clean(o, 'path'), 'error'), 'host');
    // Names of AWS resources look random too, and the path of an AWS call is made of them.
    const path = o.aws === undefined ? this.urlPath(clean.path) : clean.path;
    const query = o.query?.map((name) => (plainName(name) ? this.text(name) : REDACTED));
    const bodies = { request: this.#body(o.request), response: this.#body(o.response) };
    return { ...clean, path, ...(query === undefined ? {} : { query }), ...bodies, ...this.#handOver(o) };
  }

  #argument(argument: string, before: string): string {
    if (SECRET_FLAG.test(before) || USER_FLAG.test(before) || COOKIE_FLAG.test(before)) return REDACTED;
    if (SCRIPT_FLAG.test(before)) return apply(SHELL_ENVIRONMENT, this.text(argument), plain);
    for (const whole of [SECRET_ASSIGNMENT, ENVIRONMENT, ...(HEADER_FLAG.test(before) ? [SECRET_HEADER] : [])]) {
      const [name] = whole.exec(argument) ?? [];
      if (name !== undefined && name.length < argument.length) return `${name}${name.endsWith(':') ? ' ' : ''}${REDACTED}`;
    }
    const clean = this.text(argument);
    return /\s/.test(clean) ? apply(SHELL_ENVIRONMENT, clean, plain) : clean;
  }

  /** What the body's digest may say. Its text is there for this decision alone. */
  #body(body: BodyDigest): BodyDigest {
    const { text, ...digest } = body;
    if (this.#bodies === 'none') return { bytes: body.bytes };
    if (this.#bodies === 'digest' || text === undefined) return text === undefined ? body : digest;
    // Bodies are where people put secrets without saying so: what looks like one goes as well.
    const unnamed = this.text(text).replace(RANDOM_WORD, (word) => (secretSegment(word, '') ? REDACTED : word));
    const clean = apply(LONG_NUMBER, unnamed, plain);
    return { ...digest, text: excerpt(clean, body.bytes <= LOOKED_AT) };
  }

  #handOver(o: {
    readonly keys: readonly JoinKey[];
    readonly resources: readonly ResourceRef[];
  }): Pick<typeof o, 'keys' | 'resources'> {
    return {
      keys: this.#withoutContent(o.keys).map((key) => this.#identified(key, 'key')),
      resources: o.resources.map((resource) => this.#identified(resource, 'id')),
    };
  }

  /** A payload's digest says of a body what its SHA-256 says. */
  #withoutContent(keys: readonly JoinKey[]): readonly JoinKey[] {
    return this.#bodies === 'none' ? keys.filter(({ key }) => !key.startsWith('payload:')) : keys;
  }

  /** Both ends of a hand-over must come to the same name: the hash is not salted. */
  #identified<T extends object, K extends keyof T>(object: T, field: K): T {
    return this.#with(object, field, (text) => {
      let clean = this.#knownOnly(text, shared);
      for (const rule of TOKENS) clean = apply(rule, clean, shared);
      return clean;
    });
  }

  /** Name of something in the instance: a file, a program. */
  name(text: string): string {
    return this.text(text, this.#local);
  }

  #named<T extends object, K extends keyof T>(object: T, field: K): T {
    return this.#with(object, field, (text) => this.name(text));
  }

  #clean<T extends object, K extends keyof T>(object: T, field: K): T {
    return this.#with(object, field, (text) => this.text(text));
  }

  #with<T extends object, K extends keyof T>(object: T, field: K, clean: (text: string) => string): T {
    const value = object[field];
    if (typeof value !== 'string') return object;
    const text = clean(value);
    return text === value ? object : { ...object, [field]: text };
  }

  #knownOnly(text: string, mark: Mark): string {
    let clean = text;
    for (const pattern of this.#known) clean = clean.replace(pattern, (secret) => (secret === '' ? '' : mark(secret)));
    return clean;
  }
}

/** A query without `=` consists of names that are none: those of parameters are short, or made of words. */
const plainName = (name: string): boolean => /^[\w.[\]$~:-]{1,64}$/.test(name) && !(name.length >= 20 && /\d/.test(name));

const RANDOM_WORD = /[A-Za-z0-9_+-]{20,2048}/g;
const URL_PATH = /\b[a-z][a-z0-9+.-]{1,20}:\/\/[^\s/?#"']{1,300}(\/[^\s?#"']{1,8192})/gi;

const marked = (hash: ReturnType<typeof createHash>): string => `[redacted:${hash.digest('hex').slice(0, 8)}]`;
const shared: Mark = (secret) => marked(createHash('sha256').update(secret));

function apply({ pattern, keep, end = '' }: Rule, text: string, mark: Mark): string {
  return text.replace(pattern, (match: string, ...groups: unknown[]) => {
    const kept = groups.slice(0, keep).join('');
    const secret = match.slice(kept.length, match.length - end.length);
    // What has been redacted already stays as it is, or its mark would be hashed again.
    return /^["'\\]{0,5}\[redacted(?::[0-9a-f]{8})?\]["'\\]{0,5}$/.test(secret) ? match : `${kept}${mark(secret)}${end}`;
  });
}
