/**
 * What a secret looks like. A rule keeps the groups at its beginning and, when it has one, a fixed end; everything between them
 * is the secret. All repetitions are bounded.
 */

/** Names whose value is a secret wherever they stand in a longer name (`PGPASSWORD`, `--db-password`, `"secretAccessKey"`) … */
const LONG_NAME =
  'password|passwd|passphrase|secret|token|api[-_]?key|access[-_]?key|private[-_]?key|signing[-_]?key|authorization|credential|cookie|session[-_]?id|signature';
/** … and those that are only when they stand alone, being parts of other words. */
const SHORT_NAME = 'pass|pwd|auth|otp|pin|apikey';
const SECRET_NAME = `(?:(?:${LONG_NAME})\\w{0,16}|(?<![A-Za-z0-9])(?:${SHORT_NAME}))`;
/** What stands between a name and its value, also in a URL's encoding and in JSON within JSON. */
const IS = `\\\\{0,4}["']?\\s{0,4}(?:=>|[=:]|%3d|%3a)\\s{0,4}`;
const QUOTED = `"(?:\\\\[^]|[^"\\\\]){0,8192}"?|\\\\{1,4}"[^"]{0,8192}"?|'[^']{0,8192}'?`;

export const SECRET_FLAG = new RegExp(`^--?[\\w-]{0,64}?${SECRET_NAME}$`, 'i');
/** A whole argument that begins so is a secret to its end. */
export const SECRET_ASSIGNMENT = new RegExp(`^((?:--?)?[\\w.-]{0,64}?${SECRET_NAME}[=:])`, 'i');
/** `NAME=value`, the way environments are written; the value may be anything, so none is kept. */
export const ENVIRONMENT = /^([A-Z][A-Z0-9_]{2,63}=)/;
/** What follows is a program, to be read as such: whatever it begins with, the rest of it is evidence. */
export const SCRIPT_FLAG = /^-[a-zA-Z]{0,8}[ceES]$|^--(?:eval|print|command|execute|split-string)$/;
export const HEADER_FLAG = /^(?:-H|--header|--proxy-header)$/;
/** Headers by whose name their value is a secret. */
export const SECRET_HEADER = /^([^:]{1,128}(?:key|token|secret|auth|session|cookie|signature|credential)[^:]{0,128}:)/is;
export const USER_FLAG = /^(?:-u|--user|-U|--proxy-user)$/;
export const COOKIE_FLAG = /^(?:-b|--cookie)$/;

export interface Rule {
  readonly pattern: RegExp;
  /** Groups at the beginning that stay. */
  readonly keep: number;
  /** What stays at the end. */
  readonly end?: string;
}

/** Secrets that say themselves what they are: looked for in everything, identifiers included. */
export const TOKENS: readonly Rule[] = [
  // PEM blocks, also when they are cut off.
  { pattern: /-----BEGIN [A-Z ]{0,40}PRIVATE KEY-----[^-]{0,16384}(?:-----END [A-Z ]{0,40}PRIVATE KEY-----)?/g, keep: 0 },
  // AWS: key ids (IAM user guide, "Understanding unique ID prefixes") and session tokens, which all begin alike.
  { pattern: /(?<![A-Za-z0-9])(?:AKIA|ASIA|ABIA|ACCA)[A-Z0-9]{16}(?![A-Za-z0-9])/g, keep: 0 },
  { pattern: /(?:IQoJb3JpZ2lu|FwoGZXIvYXdz|FQoGZXIvYXdz)[A-Za-z0-9+/=_%-]{16,8192}/g, keep: 0 },
  // JWT, GitHub, GitLab, Slack, Stripe, Google, npm, OpenAI-style.
  { pattern: /(?<![A-Za-z0-9])eyJ[A-Za-z0-9_-]{8,4096}\.[A-Za-z0-9_-]{2,8192}(?:\.[A-Za-z0-9_-]{0,4096})?/g, keep: 0 },
  {
    pattern:
      /(?<![A-Za-z0-9])(?:gh[pousr]_|github_pat_|glpat-|xox[abeprs]-|sk_live_|rk_live_|sk-|npm_|AIza)[A-Za-z0-9_-]{10,512}/g,
    keep: 0,
  },
];

export const RULES: readonly Rule[] = [
  // Authorization and its like, as a header line or as a field of a configuration.
  // A value ends with its quotes or its line: what a shell runs after it is no secret, but evidence.
  {
    pattern: new RegExp(
      `\\b((?:proxy-)?authorization|(?:set-)?cookie|x-api-key|x-amz-security-token|x-auth-token)(\\\\{0,4}["']?\\s?[:=]\\s?)` +
        `(?:${QUOTED}|[^"'\\\\\\n]{1,8192}(?:(?<==)"[^"]{0,2048}"[^"'\\\\\\n]{0,2048}){0,16})`,
      'gi',
    ),
    keep: 2,
  },
  { pattern: /\b(bearer|basic|digest|negotiate|aws4-hmac-sha256)(\s|%20|\+)[^\s"',;&]{1,8192}/gi, keep: 2 },
  // User and password of a URL, and the values of its query.
  { pattern: /(\b[a-z][a-z0-9+.-]{1,20}:\/\/)[^\s/?#@"']{1,2048}@/gi, keep: 1, end: '@' },
  { pattern: /([?&][^\s=&#?"']{1,256}=)[^\s&#"']{1,8192}/g, keep: 1 },
  { pattern: /([?&])(?=[^\s=&#?"']{0,8192}\d)[^\s=&#?"']{16,8192}(?=[\s&#"']|$)/g, keep: 1 },
  // name=value, name: value, "name":"value" where the name says secret.
  { pattern: new RegExp(`(${SECRET_NAME}${IS})(?:${QUOTED}|[^\\s"',;&]{1,8192})`, 'gi'), keep: 1 },
  // --name value inside one string (`sh -c "…"`).
  { pattern: new RegExp(`(\\s--?[\\w-]{0,64}?${SECRET_NAME}\\s)(?:${QUOTED}|[^\\s-][^\\s]{0,8192})`, 'gi'), keep: 1 },
  {
    pattern: /(\s(?:-u|--user|-U|--proxy-user)\s?)(?:"[^"]{0,2048}"?|'[^']{0,2048}'?|[^\s:]{1,256}:[^\s]{1,2048})/g,
    keep: 1,
  },
];

/** Variables set for a command inside a shell's text. */
export const SHELL_ENVIRONMENT: Rule = {
  pattern: new RegExp(`((?:^|[\\s;&|(])[A-Z][A-Z0-9_]{2,63}=)(?:${QUOTED}|[^\\s"';&|]{1,8192})`, 'g'),
  keep: 1,
};

/** In bodies: numbers as long as those of cards and accounts. */
export const LONG_NUMBER: Rule = { pattern: /(?<![\d.])\d(?:[ -]?\d){12,18}(?![\d.])/g, keep: 0 };

/** Nothing can match without one of these; spares plain paths the rules. */
export const SUSPICIOUS = new RegExp(
  `PRIVATE KEY|authorization|cookie|bearer|basic|digest|negotiate|aws4|A[KSB]IA|ACCA|IQoJ|F[wQ]oG|eyJ|gh[pousr]_|github_pat|glpat|xox|[sr]k_live|sk-|npm_|AIza|://|[?&].|${LONG_NAME}|(?:${SHORT_NAME})\\\\{0,4}['"]?\\s{0,4}(?:[=:]|%3)|\\s-`,
  'i',
);

const NAMES_A_SECRET = new RegExp(`(?:${LONG_NAME})s?$|^(?:${SHORT_NAME}|key|invite|reset|verify|confirm|magic|webhook)$`, 'i');

/** Segments of a URL's path that stand after a name for a secret, or that only a random generator can have written. */
export function secretSegment(segment: string, before: string): boolean {
  if (segment.length < 8) return false;
  if (NAMES_A_SECRET.test(before) && !/^[A-Za-z-]{1,24}$/.test(segment)) return true;
  return segment.length >= 20 && segment.length <= 2048 && looksRandom(segment);
}

/** Upper case, lower case and digits take turns as they do by chance, unlike in names that were put together from words. */
function looksRandom(text: string): boolean {
  let turns = 0;
  let counted = 0;
  let last = 0;
  let seen = 0;
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    const kind = code >= 97 && code <= 122 ? 1 : code >= 65 && code <= 90 ? 2 : code >= 48 && code <= 57 ? 4 : 0;
    if (kind === 0) continue;
    if (last !== 0 && kind !== last) turns++;
    last = kind;
    seen |= kind;
    counted++;
  }
  return seen === 7 && counted >= 16 && turns >= counted * 0.4;
}
