import { itemHash } from './attribute-value.ts';
import type { AwsCall } from './aws-call.ts';
import type { Findings } from './findings.ts';
import type { ExchangeReader } from './http-exchange.ts';
import { at, isObject, type Json, objects, text } from './json.ts';
import { parseStatement } from './partiql.ts';

/**
 * Which attributes are a table's key. A put carries the whole item and does not say, so it is remembered from calls and
 * stream records that name the key alone. One process serves one function, so this is what this instance has learnt.
 * One map for the whole process: recorder and network proxy are bundled apart and have a copy of this module each.
 */
const LEARNT = Symbol.for('alastor.dynamodb-keys');
const shared = globalThis as { [LEARNT]?: Map<string, readonly string[]> };
shared[LEARNT] ??= new Map();
const keyNames = shared[LEARNT];
const MAX_TABLES = 1000;
/** A table's key has one or two attributes. */
const MAX_KEY_ATTRIBUTES = 2;
/** Items of one answer that are recognised one by one; of the rest of a page the table alone is named. */
const MAX_ITEMS = 25;

function learn(table: string, names: readonly string[]): void {
  if (names.length === 0 || names.length > MAX_KEY_ATTRIBUTES) return;
  if (keyNames.size < MAX_TABLES || keyNames.has(table)) keyNames.set(table, names);
}

/** A table is given by name or ARN (`arn:…:table/orders`). */
const tableOf = (reference: unknown): string | undefined => {
  const given = text(reference);
  return given === undefined ? undefined : (/:table\/([^/]+)/.exec(given)?.[1] ?? given);
};

type Access = 'read' | 'write';

function byKey(table: string | undefined, key: unknown, access: Access, found: Findings): void {
  if (table === undefined || !isObject(key)) return;
  learn(table, Object.keys(key));
  const hash = itemHash(key);
  if (hash === undefined) return;
  // Reads are found through the item itself; this is for the stream, whose records are caused by a write.
  if (access === 'write') found.inferred('ddb', `${table}:${hash}`);
  found.resource('table-item', `ddb:${table}/${hash}`, access);
}

const byKnownKey = (table: string, item: Json): Json | undefined => {
  const names = keyNames.get(table);
  if (!names?.every((name) => Object.hasOwn(item, name))) return undefined;
  return Object.fromEntries(names.map((name) => [name, item[name]]));
};

/** A whole item: recognised by its state, as an S3 object by its ETag, and by its key once that is known. */
function byImage(table: string | undefined, item: unknown, access: Access, found: Findings): void {
  if (table === undefined || !isObject(item)) return;
  const image = itemHash(item);
  if (image === undefined) return;
  found.resource('table-item', `ddb:${table}@${image}`, access);
  const key = byKnownKey(table, item);
  if (key !== undefined) byKey(table, key, access, found);
  else if (access === 'write') found.resource('table', `ddb:${table}`, access);
}

/** Items of an answer are whole unless the caller asked for a part of them. */
const isWhole = (input: Json): boolean =>
  ['ProjectionExpression', 'AttributesToGet', 'Select'].every(
    (name) => input[name] === undefined || input[name] === 'ALL_ATTRIBUTES',
  );

type Reader = (input: Json, output: Json, found: Findings) => void;

const readPages: Reader = (input, output, found) => {
  const table = tableOf(input.TableName);
  if (table === undefined) return;
  found.resource('table', `ddb:${table}`, 'read');
  // Of an index, the continuation holds the index's key as well.
  if (input.IndexName === undefined && isObject(output.LastEvaluatedKey)) learn(table, Object.keys(output.LastEvaluatedKey));
  if (isWhole(input)) for (const item of objects(output.Items, MAX_ITEMS)) byImage(table, item, 'read', found);
};

const readSchema: Reader = (_input, output) => {
  const description = { ...at(output, 'Table'), ...at(output, 'TableDescription') };
  const table = tableOf(description.TableName);
  const names = objects(description.KeySchema).flatMap((part) => text(part.AttributeName) ?? []);
  if (table !== undefined) learn(table, names);
};

const OPERATIONS: Readonly<Record<string, Reader>> = {
  PutItem: (input, _, found) => byImage(tableOf(input.TableName), input.Item, 'write', found),
  UpdateItem: (input, output, found) => {
    const table = tableOf(input.TableName);
    byKey(table, input.Key, 'write', found);
    if (input.ReturnValues === 'ALL_NEW') byImage(table, output.Attributes, 'write', found);
  },
  DeleteItem: (input, _, found) => byKey(tableOf(input.TableName), input.Key, 'write', found),
  GetItem: (input, output, found) => {
    const table = tableOf(input.TableName);
    byKey(table, input.Key, 'read', found);
    if (isWhole(input)) byImage(table, output.Item, 'read', found);
  },
  Query: readPages,
  Scan: readPages,
  BatchWriteItem: (input, output, found) => {
    for (const [reference, requests] of Object.entries(at(input, 'RequestItems'))) {
      const undone = new Set(objects(at(output, 'UnprocessedItems')[reference]).map(nameOf));
      for (const request of objects(requests)) {
        if (undone.has(nameOf(request))) continue;
        byKey(tableOf(reference), at(request, 'DeleteRequest').Key, 'write', found);
        byImage(tableOf(reference), at(request, 'PutRequest').Item, 'write', found);
      }
    }
  },
  BatchGetItem: (input, output, found) => {
    for (const [reference, request] of Object.entries(at(input, 'RequestItems'))) {
      const undone = new Set(objects(at(output, 'UnprocessedKeys', reference).Keys).map(itemHash));
      for (const key of objects(at(request).Keys))
        if (!undone.has(itemHash(key))) byKey(tableOf(reference), key, 'read', found);
      if (!isWhole(at(request))) continue;
      for (const item of objects(at(output, 'Responses')[reference], MAX_ITEMS))
        byImage(tableOf(reference), item, 'read', found);
    }
  },
  TransactWriteItems: (input, _, found) => {
    for (const entry of objects(input.TransactItems)) {
      for (const kind of ['Update', 'Delete']) byKey(tableOf(at(entry, kind).TableName), at(entry, kind).Key, 'write', found);
      byKey(tableOf(at(entry, 'ConditionCheck').TableName), at(entry, 'ConditionCheck').Key, 'read', found);
      byImage(tableOf(at(entry, 'Put').TableName), at(entry, 'Put').Item, 'write', found);
    }
  },
  TransactGetItems: (input, output, found) => {
    const answers = Array.isArray(output.Responses) ? output.Responses : [];
    for (const [index, entry] of objects(input.TransactItems).entries()) {
      const get = at(entry, 'Get');
      byKey(tableOf(get.TableName), get.Key, 'read', found);
      if (isWhole(get)) byImage(tableOf(get.TableName), at(answers[index]).Item, 'read', found);
    }
  },
  ExecuteStatement: (input, output, found) => byStatement(input, objects(output.Items, MAX_ITEMS), found),
  BatchExecuteStatement: (input, output, found) => eachStatement(input.Statements, output, found),
  ExecuteTransaction: (input, output, found) => eachStatement(input.TransactStatements, output, found),
  DescribeTable: readSchema,
  CreateTable: readSchema,
};

/** A batch entry, put or deletion: what it is recognised by among those that were not processed. */
const nameOf = (request: Json): string | undefined =>
  itemHash(at(request, 'PutRequest').Item) ?? itemHash(at(request, 'DeleteRequest').Key);

function byStatement(input: Json, items: readonly Json[], found: Findings): void {
  const source = text(input.Statement);
  const statement = source && parseStatement(source, Array.isArray(input.Parameters) ? input.Parameters : []);
  if (!statement) return;
  const table = tableOf(statement.table);
  if (statement.verb === 'insert') byImage(table, statement.item, 'write', found);
  // Updates and deletions name exactly one item, so their condition is its key.
  else if (statement.verb !== 'select') byKey(table, statement.equals, 'write', found);
  else {
    if (table !== undefined) found.resource('table', `ddb:${table}`, 'read');
    if (table !== undefined && statement.whole) for (const item of items) byImage(table, item, 'read', found);
  }
}

function eachStatement(statements: unknown, output: Json, found: Findings): void {
  const answers = Array.isArray(output.Responses) ? output.Responses : [];
  for (const [index, statement] of objects(statements).entries()) {
    const answer = at(answers[index]);
    if (answer.Error === undefined) byStatement(statement, isObject(answer.Item) ? [answer.Item] : [], found);
  }
}

export function readDynamoCall(call: AwsCall, reader: ExchangeReader, found: Findings): void {
  if (call.operation === 'GetRecords') {
    // A function that polls a stream itself. The iterator begins with the stream's ARN.
    const eventSourceARN = text(reader.input.ShardIterator)?.split('|', 1)[0];
    if (reader.succeeded)
      for (const record of objects(reader.output.Records)) readStreamRecord({ ...record, eventSourceARN }, found);
    return;
  }
  const operation = Object.hasOwn(OPERATIONS, call.operation) ? OPERATIONS[call.operation] : undefined;
  if (reader.succeeded) operation?.(reader.input, reader.output, found);
}

/** One record of a stream. @returns the table's name. */
export function readStreamRecord(record: Json, found: Findings): string | undefined {
  const table = /:table\/([^/]+)/.exec(text(record.eventSourceARN) ?? '')?.[1];
  const change = at(record, 'dynamodb');
  byKey(table, change.Keys, 'read', found);
  const hash = itemHash(change.Keys);
  if (table !== undefined && hash !== undefined) found.inferred('ddb', `${table}:${hash}`);
  byImage(table, change.NewImage, 'read', found);
  return table;
}
