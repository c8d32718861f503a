import { itemHash } from './attribute-value.ts';
import type { AwsCall } from './aws-call.ts';
import type { Findings } from './findings.ts';
import type { ExchangeReader } from './http-exchange.ts';
import { at, isObject, type Json, objects, text } from './json.ts';

/**
 * Which attributes are a table's key. A put carries the whole item and does not say, so it is remembered from calls and
 * stream records that name the key alone. One process serves one function, so this is what this instance has learnt.
 */
const keyNames = new Map<string, readonly string[]>();
const MAX_TABLES = 1000;
/** A table's key has one or two attributes. */
const MAX_KEY_ATTRIBUTES = 2;
const MAX_ITEMS = 200;

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
  found.inferred('ddb', `${table}:${hash}`);
  found.resource('table-item', `ddb:${table}/${hash}`, access);
}

/** A whole item: recognised by its content, and by its key once that is known. */
function byImage(table: string | undefined, item: unknown, access: Access, found: Findings): void {
  if (table === undefined || !isObject(item)) return;
  const image = itemHash(item);
  if (image === undefined) return;
  found.inferred('ddbimg', `${table}:${image}`);
  const names = keyNames.get(table);
  if (names?.every((name) => Object.hasOwn(item, name))) {
    byKey(table, Object.fromEntries(names.map((name) => [name, item[name]])), access, found);
  } else found.resource('table', `ddb:${table}`, access);
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
  BatchWriteItem: (input, _, found) => {
    for (const [reference, requests] of Object.entries(at(input, 'RequestItems'))) {
      for (const request of objects(requests)) {
        byKey(tableOf(reference), at(request, 'DeleteRequest').Key, 'write', found);
        byImage(tableOf(reference), at(request, 'PutRequest').Item, 'write', found);
      }
    }
  },
  BatchGetItem: (input, output, found) => {
    for (const [reference, request] of Object.entries(at(input, 'RequestItems'))) {
      for (const key of objects(at(request).Keys)) byKey(tableOf(reference), key, 'read', found);
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
  DescribeTable: readSchema,
  CreateTable: readSchema,
};

export function readDynamoCall(call: AwsCall, reader: ExchangeReader, found: Findings): void {
  const operation = Object.hasOwn(OPERATIONS, call.operation) ? OPERATIONS[call.operation] : undefined;
  if (reader.succeeded) operation?.(reader.input, reader.output, found);
}

/** One record of a stream. @returns the table's name. */
export function readStreamRecord(record: Json, found: Findings): string | undefined {
  const table = tableOf(record.eventSourceARN);
  const change = at(record, 'dynamodb');
  byKey(table, change.Keys, 'read', found);
  byImage(table, change.NewImage, 'read', found);
  // Two functions on one stream get the same record.
  found.exact('ddbstream', record.eventID);
  return table;
}
