import { isObject, type Json } from './json.ts';

/**
 * As much of PartiQL for DynamoDB as join keys need: which table a statement is about, the item it inserts, and the attributes
 * that its condition sets equal to something (a key, in an update or a deletion).
 * https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/ql-reference.html
 */
export interface Statement {
  readonly verb: 'select' | 'insert' | 'update' | 'delete';
  readonly table: string;
  /** Of an insert: the item, as attribute values. */
  readonly item?: Json;
  /** Attributes that the condition sets equal to a value, if it says nothing else; as attribute values. */
  readonly equals?: Json;
  /** A select that asks for whole items. */
  readonly whole: boolean;
}

/** DynamoDB takes 8,192 characters. */
const MAX_STATEMENT = 8192;
const MAX_DEPTH = 40;
const TOKEN =
  /\s*(?:"((?:[^"]|"")*)"|'((?:[^']|'')*)'|([A-Za-z_][\w.-]*)|(-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?)|(<<|>>|<>|[<>!]=|.))/gsuy;

interface Token {
  readonly kind: 'name' | 'word' | 'text' | 'number' | 'sign';
  readonly value: string;
}

function tokens(statement: string): Token[] {
  const found: Token[] = [];
  for (const [, quoted, text, word, number, sign] of statement.trim().matchAll(TOKEN)) {
    if (quoted !== undefined) found.push({ kind: 'name', value: quoted.replaceAll('""', '"') });
    else if (text !== undefined) found.push({ kind: 'text', value: text.replaceAll("''", "'") });
    else if (word !== undefined) found.push({ kind: 'word', value: word });
    else if (number !== undefined) found.push({ kind: 'number', value: number });
    else if (sign !== undefined && sign.trim() !== '') found.push({ kind: 'sign', value: sign });
  }
  return found;
}

class Unreadable extends Error {}

class Parser {
  readonly #tokens: readonly Token[];
  readonly #parameters: readonly unknown[];
  #at = 0;
  #used = 0;

  constructor(statement: string, parameters: readonly unknown[]) {
    this.#tokens = tokens(statement);
    this.#parameters = parameters;
  }

  statement(): Statement {
    if (this.#word('select')) return this.#select();
    if (this.#word('insert')) {
      this.#must('into');
      const table = this.#table();
      this.#must('value');
      const value = this.#value(0);
      if (!isObject(value.M)) throw new Unreadable();
      return { verb: 'insert', table, item: value.M, whole: true };
    }
    if (this.#word('delete')) {
      this.#must('from');
      return { verb: 'delete', table: this.#table(), whole: false, ...this.#condition() };
    }
    this.#must('update');
    return { verb: 'update', table: this.#table(), whole: false, ...this.#condition() };
  }

  #select(): Statement {
    const whole = this.#sign('*');
    while (!this.#word('from')) this.#skip();
    return { verb: 'select', table: this.#table(), whole, ...this.#condition() };
  }

  /** Passes over assignments, counting their parameters, to what follows WHERE. */
  #condition(): { equals?: Json } {
    while (this.#at < this.#tokens.length && !this.#word('where')) this.#skip();
    if (this.#at >= this.#tokens.length) return {};
    const equals: [string, unknown][] = [];
    do {
      const name = this.#tokens[this.#at++];
      if (name?.kind !== 'name' && name?.kind !== 'word') return {};
      if (!this.#sign('=')) return {};
      equals.push([name.value, this.#value(0)]);
    } while (this.#word('and'));
    const rest = this.#tokens[this.#at];
    const ended = rest === undefined || rest.value === ';' || /^returning$/i.test(rest.value);
    return ended ? { equals: Object.fromEntries(equals) } : {};
  }

  /** A literal or parameter as an attribute value. */
  #value(depth: number): Json {
    if (depth > MAX_DEPTH) throw new Unreadable();
    const token = this.#tokens[this.#at++];
    if (token === undefined) throw new Unreadable();
    if (token.kind === 'text') return { S: token.value };
    if (token.kind === 'number') return { N: token.value };
    if (token.kind === 'word' && /^(?:true|false)$/i.test(token.value)) return { BOOL: /^true$/i.test(token.value) };
    if (token.kind === 'word' && /^null$/i.test(token.value)) return { NULL: true };
    if (token.value === '?') {
      const given = this.#parameters[this.#used++];
      if (!isObject(given)) throw new Unreadable();
      return given;
    }
    if (token.value === '{') return { M: Object.fromEntries(this.#list('}', () => this.#entry(depth))) };
    if (token.value === '[') return { L: this.#list(']', () => this.#value(depth + 1)) };
    throw new Unreadable();
  }

  #entry(depth: number): [string, Json] {
    const name = this.#tokens[this.#at++];
    if (name === undefined || name.kind === 'sign' || !this.#sign(':')) throw new Unreadable();
    return [name.value, this.#value(depth + 1)];
  }

  #list<T>(end: string, element: () => T): T[] {
    const found: T[] = [];
    if (this.#sign(end)) return found;
    do found.push(element());
    while (this.#sign(','));
    if (!this.#sign(end)) throw new Unreadable();
    return found;
  }

  /** The name before `.index` in `"table"."index"`. */
  #table(): string {
    const name = this.#tokens[this.#at++];
    if (name?.kind !== 'name' && name?.kind !== 'word') throw new Unreadable();
    if (this.#sign('.')) this.#at++;
    return name.kind === 'word' ? (name.value.split('.')[0] ?? name.value) : name.value;
  }

  #skip(): void {
    const token = this.#tokens[this.#at++];
    if (token === undefined) throw new Unreadable();
    if (token.kind === 'sign' && token.value === '?') this.#used++;
  }

  #word(word: string): boolean {
    const token = this.#tokens[this.#at];
    if (token?.kind !== 'word' || token.value.toLowerCase() !== word) return false;
    this.#at++;
    return true;
  }

  #sign(sign: string): boolean {
    const token = this.#tokens[this.#at];
    if (token?.kind !== 'sign' || token.value !== sign) return false;
    this.#at++;
    return true;
  }

  #must(word: string): void {
    if (!this.#word(word)) throw new Unreadable();
  }
}

/** Undefined for what is no statement of these four kinds, or more than is understood here. */
export function parseStatement(statement: string, parameters: readonly unknown[]): Statement | undefined {
  if (statement.length > MAX_STATEMENT) return undefined;
  try {
    return new Parser(statement, parameters).statement();
  } catch (error) {
    if (error instanceof Unreadable) return undefined;
    throw error;
  }
}
