import type { Observation } from '../record/types.ts';

/**
 * Takes secrets out of text before it leaves the instance. Works on what is recorded (arguments, paths, names), not on
 * bodies, which are never shipped. Removes too much rather than too little; every pattern is linear in its input, because
 * the input is chosen by whoever runs code in the function.
 */
export const REDACTED = '[redacted]';

/** Names whose value is a secret wherever they stand in a longer name (`PGPASSWORD`, `--db-password`, `"secretAccessKey"`) … */
const LONG_NAME =
  'password|passwd|passphrase|secret|token|api[-_]?key|access[-_]?key|private[-_]?key|signing[-_]?key|authorization|credential|cookie|session[-_]?id|signature';
/** … and those that are only when they stand alone, being parts of other words. */
const SHORT_NAME = 'pass|pwd|auth|otp|pin|apikey';
const SECRET_NAME = `(?:(?:${LONG_NAME})\\w{0,16}|(?<![A-Za-z0-9])(?:${SHORT_NAME}))`;

const SECRET_FLAG = new RegExp(`^--?[\\w-]{0,64}?${SECRET_NAME}$`, 'i');
const HEADER_FLAG = /^(?:-H|--header|--proxy-header)$/;
const USER_FLAG = /^(?:-u|--user|-U|--proxy-user)$/;
const COOKIE_FLAG = /^(?:-b|--cookie)$/;

type Rule = readonly [RegExp, string];
const RULES: readonly Rule[] = [
  // PEM blocks, also when they are cut off.
  [/-----BEGIN [A-Z ]{0,40}PRIVATE KEY-----[^-]{0,16384}(?:-----END [A-Z ]{0,40}PRIVATE KEY-----)?/g, REDACTED],
  // Authorization and its like, as a header line or as a field of a configuration.
  [
    /\b((?:proxy-)?authorization|(?:set-)?cookie|x-api-key|x-amz-security-token|x-auth-token)(["']?\s?[:=]\s?).{1,8192}/gi,
    `$1$2${REDACTED}`,
  ],
  [/\b(bearer|basic|digest|negotiate|aws4-hmac-sha256)(\s|%20|\+)[^\s"',;&]{1,8192}/gi, `$1$2${REDACTED}`],
  // AWS: key ids (IAM user guide, "Understanding unique ID prefixes") and session tokens, which all begin alike.
  [/\b(?:AKIA|ASIA|ABIA|ACCA)[A-Z0-9]{16}\b/g, REDACTED],
  [/\b(?:IQoJb3JpZ2lu|FwoGZXIvYXdz|FQoGZXIvYXdz)[A-Za-z0-9+/=_%-]{16,8192}/g, REDACTED],
  // Tokens that name themselves: JWT, GitHub, GitLab, Slack, Stripe, Google, npm, OpenAI-style.
  [/\beyJ[A-Za-z0-9_-]{8,4096}\.[A-Za-z0-9_-]{2,8192}(?:\.[A-Za-z0-9_-]{0,4096})?/g, REDACTED],
  [/\b(?:gh[pousr]_|github_pat_|glpat-|xox[abeprs]-|sk_live_|rk_live_|sk-|npm_|AIza)[A-Za-z0-9_-]{10,512}/g, REDACTED],
  // User and password of a URL, and the values of its query.
  [/(\b[a-z][a-z0-9+.-]{1,20}:\/\/)[^\s/?#@"']{1,2048}@/gi, `$1${REDACTED}@`],
  [/([?&][^\s=&#?"']{1,256}=)[^\s&#"']{1,8192}/g, `$1${REDACTED}`],
  // name=value, name: value, "name":"value" where the name says secret.
  [new RegExp(`(${SECRET_NAME}["']?\\s?[=:]\\s?)("[^"]{0,8192}"?|'[^']{0,8192}'?|[^\\s"',;&]{1,8192})`, 'gi'), `$1${REDACTED}`],
  // --name value inside one string (`sh -c "…"`).
  [
    new RegExp(`(\\s--?[\\w-]{0,64}?${SECRET_NAME}\\s)("[^"]{0,8192}"?|'[^']{0,8192}'?|[^\\s-][^\\s]{0,8192})`, 'gi'),
    `$1${REDACTED}`,
  ],
  [/(\s(?:-u|--user|-U|--proxy-user)\s?)("[^"]{0,2048}"?|'[^']{0,2048}'?|[^\s:]{1,256}:[^\s]{1,2048})/g, `$1${REDACTED}`],
];

/** Nothing can match without one of these; spares plain paths the rules. */
const SUSPICIOUS = new RegExp(
  `PRIVATE KEY|authorization|cookie|bearer|basic|digest|negotiate|aws4|A[KSB]IA|ACCA|IQoJ|F[wQ]oG|eyJ|gh[pousr]_|github_pat|glpat|xox|[sr]k_live|sk-|npm_|AIza|://|[?&].|${LONG_NAME}|(?:${SHORT_NAME})['"]?\\s?[=:]|\\s-`,
  'i',
);

/** The text without its secrets; the same text when there are none. */
export function redactText(text: string): string {
  if (!SUSPICIOUS.test(text)) return text;
  let clean = text;
  for (const [pattern, replacement] of RULES) clean = clean.replace(pattern, replacement);
  return clean;
}

/** Arguments of a program: also the argument that follows a flag asking for a secret. */
export function redactArgv(argv: readonly string[]): readonly string[] {
  let clean: string[] | undefined;
  argv.forEach((argument, i) => {
    const before = argv[i - 1] ?? '';
    const replaced =
      SECRET_FLAG.test(before) || USER_FLAG.test(before) || COOKIE_FLAG.test(before)
        ? REDACTED
        : HEADER_FLAG.test(before)
          ? redactText(argument.replace(/^([^:]{1,128}(?:key|token|secret|auth|session)[^:]{0,128}:).*/is, `$1 ${REDACTED}`))
          : redactText(argument);
    if (replaced === argument) return;
    clean ??= [...argv];
    clean[i] = replaced;
  });
  return clean ?? argv;
}

/** The observation with every free text cleaned. Identifiers (request, process, join keys, resources) are left as they are. */
export function redactObservation(o: Observation): Observation {
  switch (o.kind) {
    case 'process-exec': {
      const argv = redactArgv(o.argv);
      const path = redactText(o.path);
      const cwd = o.cwd === undefined ? undefined : redactText(o.cwd);
      if (argv === o.argv && path === o.path && cwd === o.cwd) return o;
      return { ...o, path, argv, ...(cwd === undefined ? {} : { cwd }) };
    }
    case 'process-start':
      return { ...o, exe: redactText(o.exe) };
    case 'file-open':
    case 'file-close':
      return clean(o, 'path');
    case 'file-change':
      return clean(clean(o, 'path'), 'to');
    case 'socket-connect':
    case 'socket-accept':
    case 'socket-bind':
    case 'socket-close':
      return o.peer.proto === 'unix' ? { ...o, peer: clean(o.peer, 'addr') } : o;
    case 'exchange':
      return clean(clean(o, 'path'), 'error');
    case 'request-begin':
      return { ...o, trigger: clean(clean(o.trigger, 'path'), 'userAgent') };
    case 'request-end':
      return clean(o, 'errorType');
    case 'gap':
    case 'unobserved':
      return clean(o, 'detail');
    default:
      return o;
  }
}

function clean<T extends object, K extends keyof T>(object: T, field: K): T {
  const value = object[field];
  if (typeof value !== 'string') return object;
  const text = redactText(value);
  return text === value ? object : { ...object, [field]: text };
}
