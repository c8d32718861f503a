/**
 * The secrets that the instance's own environment holds, in every form in which they could turn up in a path, an argument or a
 * body. Names tell which variables are secrets; their values are then recognised wherever they stand.
 */

const SECRET_VARIABLE =
  /password|passwd|passphrase|secret|token|api_?key|access_?key|private_?key|signing_?key|encryption_?key|authorization|credential|cookie|session_?id|signature|(?:^|_)(?:pass|pwd|auth|otp|pat|key|dsn|salt)$/i;
/** Say where a secret is, or something about it, and are no secret: redacting them would blot out tables, hosts and paths. */
const ABOUT_A_SECRET =
  /_(?:name|arn|ids?|table|url|uri|domain|mode|type|path|file|dir|bucket|queue|topic|region|ttl|host|port|endpoint|user|username|issuer|audience|enabled|length|parameter|stage|prefix|header)$/i;
/** A shell's working directories, and no passwords: every path below would be blotted out. */
const DIRECTORY = /^(?:OLD)?PWD$/;
/** Named like the ones above, and secret nevertheless. */
const SECRET_AFTER_ALL = /^AWS_ACCESS_KEY_ID$|session_?id$/i;
const PASSWORD_IN_URL = /^[a-z][a-z0-9+.-]{1,20}:\/\/[^\s/?#@:]{0,256}:([^\s/?#@]{1,1024})@/i;

/** Shorter values would be found everywhere by accident. */
const VALUE_LEAST = 6;
/** Characters of an encoded form, which has lost its ends to its surroundings. */
const FORM_LEAST = 8;
const SECRETS_MOST = 64;
const VALUE_MOST = 4096;

/** Values of the environment that must not leave the instance. */
export function secretValues(env: Readonly<Record<string, string | undefined>>): readonly string[] {
  const found = new Set<string>();
  for (const [name, value] of Object.entries(env)) {
    if (value === undefined || DIRECTORY.test(name) || value.length < VALUE_LEAST || value.length > VALUE_MOST) continue;
    const inUrl = PASSWORD_IN_URL.exec(value)?.[1];
    if (inUrl !== undefined && inUrl.length >= VALUE_LEAST) {
      found.add(inUrl);
      found.add(decoded(inUrl));
    } else if (
      SECRET_VARIABLE.test(name) &&
      (!ABOUT_A_SECRET.test(name) || SECRET_AFTER_ALL.test(name)) &&
      !/^(?:arn:|\/(?:opt|tmp|var|etc|mnt|usr|home)\/|true$|false$|https?:)/i.test(value)
    ) {
      found.add(value);
    }
  }
  return [...found].slice(0, SECRETS_MOST);
}

/** One expression that finds them all, as they are and encoded; undefined when there are none. */
export function secretsPattern(values: readonly string[]): RegExp | undefined {
  const forms = new Set(values.flatMap(formsOf));
  if (forms.size === 0) return undefined;
  // Longest first: where one form is part of another, all of it has to go.
  const sorted = [...forms].sort((a, b) => b.length - a.length);
  return new RegExp(sorted.map((form) => form.replace(/[\\^$.*+?()[\]{}|/-]/g, '\\$&')).join('|'), 'g');
}

/** As it is; quoted for JSON, once and twice; in URLs, as different encoders write it; in base64 at any offset; in hex. */
export function formsOf(value: string): readonly string[] {
  const bytes = Buffer.from(value);
  const url = encodeURIComponent(value.toWellFormed());
  const json = JSON.stringify(value).slice(1, -1);
  const hex = bytes.toString('hex');
  const forms = [
    value,
    json,
    json.replaceAll('/', '\\/'),
    JSON.stringify(json).slice(1, -1),
    ...encodings(url).flatMap((form) => [
      form,
      form.replace(/%[0-9A-F]{2}/g, (code) => code.toLowerCase()),
      form.replaceAll('%', '%25'),
    ]),
    hex.replace(/../g, '%$&').toUpperCase(),
    hex,
    hex.toUpperCase(),
  ];
  for (const offset of [0, 1, 2]) {
    const [from, surplus] = [[0, 2, 3][offset] ?? 0, (offset + bytes.length) % 3];
    const whole = Buffer.concat([Buffer.alloc(offset), bytes])
      .toString('base64')
      .replace(/=+$/, '');
    // Characters at either end also hold bits of what stands beside the secret.
    const inner = surplus === 0 ? whole.slice(from) : whole.slice(from, -1);
    if (inner.length >= FORM_LEAST)
      forms.push(inner, inner.replaceAll('+', '-').replaceAll('/', '_'), encodeURIComponent(inner));
  }
  return forms.filter((form) => form.length >= VALUE_LEAST);
}

/** What encoders disagree about: RFC 3986's reserved marks, forms' tilde and blank, and the slash in a path. */
function encodings(url: string): readonly string[] {
  const marks = [url, url.replace(/[!'()*]/g, percent), url.replace(/[!'()~]/g, percent)];
  const blanks = marks.flatMap((form) => [form, form.replaceAll('%20', '+')]);
  return [...new Set(blanks.flatMap((form) => [form, form.replaceAll('%2F', '/')]))];
}

const percent = (char: string): string => `%${char.charCodeAt(0).toString(16).toUpperCase()}`;

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
