/**
 * Bounds the work that a regular expression can cause before it is run on text that an attacker chooses. A backtracking matcher
 * tries at most as many ways as the repetitions and alternatives of the expression can be combined in; that product is
 * counted here, pessimistically, and must stay small.
 */

/** Most ways to match from one position. One unbounded repetition has as many as a text has characters. */
const WAYS_MOST = 40_000;
/** Characters of the longest text it is run on. */
const TEXT = 8192;

class Refused extends Error {}

/** What is wrong with an expression, to follow "an expression that"; undefined when it may be used. */
export function patternProblem(source: string, maxLength: number): string | undefined {
  if (source.length > maxLength) return `is longer than ${maxLength} characters`;
  let pattern: RegExp;
  try {
    pattern = new RegExp(source, 'g');
  } catch (error) {
    return `is not valid: ${(error as Error).message.slice(0, 200)}`;
  }
  if (pattern.test('')) return 'matches the empty text';
  try {
    const ways = new Counter(source).alternatives();
    if (ways > WAYS_MOST)
      return `could take long: its repetitions combine in more than ${WAYS_MOST} ways; bound them, as in \\w{1,64}`;
    return undefined;
  } catch (error) {
    if (error instanceof Refused) return error.message;
    throw error;
  }
}

/** Walks over an expression that is known to be valid. */
class Counter {
  readonly #source: string;
  #at = 0;

  constructor(source: string) {
    this.#source = source;
  }

  /** Ways to match up to the end of the group or of the expression. */
  alternatives(): number {
    let sum = this.#sequence();
    while (this.#source[this.#at] === '|') {
      this.#at++;
      sum += this.#sequence();
    }
    return sum;
  }

  #sequence(): number {
    let product = 1;
    while (this.#at < this.#source.length && this.#source[this.#at] !== '|' && this.#source[this.#at] !== ')') {
      product *= this.#repeated(this.#atom());
    }
    return product;
  }

  #atom(): number {
    const char = this.#source[this.#at++];
    if (char === '\\') {
      const escaped = this.#source[this.#at++] ?? '';
      if (/[1-9k]/.test(escaped)) throw new Refused('refers back to a group, which can take long');
      return 1;
    }
    if (char === '[') {
      while (this.#source[this.#at] !== ']') this.#at += this.#source[this.#at] === '\\' ? 2 : 1;
      this.#at++;
      return 1;
    }
    if (char !== '(') return 1;
    this.#at += /^\?(?:[:=!]|<[=!]|<[^>]*>)/.exec(this.#source.slice(this.#at))?.[0].length ?? 0;
    const ways = this.alternatives();
    this.#at++;
    return ways;
  }

  #repeated(ways: number): number {
    const [all, , least = '', comma, most = ''] = /^(?:[*+?]|(\{)(\d+)(,?)(\d*)\})\??/.exec(this.#source.slice(this.#at)) ?? [];
    if (all === undefined) return ways;
    this.#at += all.length;
    const [from, to] =
      all[0] === '?'
        ? [0, 1]
        : all[0] !== '{'
          ? [0, TEXT]
          : [Number(least), comma === '' ? Number(least) : most === '' ? TEXT : Number(most)];
    // Each round has its own choice of ways: with more than one, rounds multiply.
    const choices = ways > 1 ? ways ** Math.min(to, 64) : 1;
    return choices * (Math.min(to, TEXT) - from + 1);
  }
}
