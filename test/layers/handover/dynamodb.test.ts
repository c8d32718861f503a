import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { canonicalNumber, itemHash } from '../../../layers/capture/handover/attribute-value.ts';
import { call, event, joins, keysOf } from './support.ts';

let tables = 0;
/** A table that nothing has been learnt about yet. */
const fresh = () => `cards-${++tables}`;
const ddb = (operation: string, input: object, out: object = {}) =>
  call('dynamodb', { target: `DynamoDB_20120810.${operation}`, in: input, out });
const stream = (table: string, Keys: object, NewImage?: object) =>
  event({
    Records: [
      {
        eventID: 'c4ca4238a0b923820dcc509a6f75849b',
        eventName: 'INSERT',
        eventSource: 'aws:dynamodb',
        dynamodb: { Keys, ...(NewImage ? { NewImage } : {}), SequenceNumber: '111', StreamViewType: 'NEW_IMAGE' },
        eventSourceARN: `arn:aws:dynamodb:eu-west-1:123456789012:table/${table}/stream/2026-01-01T00:00:00.000`,
      },
    ],
  });
const prefix = (keys: string[], kind: string) => keys.filter((key) => key.startsWith(`${kind}:`));
type Reading = { readonly resources: readonly { readonly id: string; readonly access: string }[] };
/** Items and states of items that one side writes and the other is given. */
const items = (cause: Reading, effect: Reading) =>
  cause.resources
    .filter(({ id, access }) => access === 'write' && effect.resources.some((one) => one.id === id && one.access === 'read'))
    .map(({ id }) => id)
    .filter((id) => /[/@]/.test(id));
const states = (cause: Reading, effect: Reading) => items(cause, effect).filter((id) => id.includes('@'));

describe('DynamoDB', () => {
  const Key = { user: { S: 'eve' }, n: { N: '1' } };
  const Item = { ...Key, card: { S: '4111111111111111' }, tags: { SS: ['b', 'a'] } };

  it('joins updates, deletions and reads of an item by its key', () => {
    const TableName = fresh();
    const update = ddb('UpdateItem', { TableName, Key: { n: { N: '1.0' }, user: { S: 'eve' } } });
    const get = ddb('GetItem', { TableName, Key }, { Item });
    expect(items(update, get)).toHaveLength(1);
    expect(prefix(joins(ddb('DeleteItem', { TableName, Key }), stream(TableName, Key)), 'ddb')).toHaveLength(1);
    expect(update.keys.every(({ sure }) => sure === 'inferred')).toBe(true);
    expect(update.resources[0]).toMatchObject({
      type: 'table-item',
      access: 'write',
      id: expect.stringMatching(`^ddb:${TableName}/[0-9a-f]{32}$`),
    });
    expect(get.resources[0]!.access).toBe('read');
    expect(items(update, ddb('GetItem', { TableName, Key: { ...Key, n: { N: '2' } } }))).toEqual([]);
    expect(items(update, ddb('GetItem', { TableName: fresh(), Key }))).toEqual([]);
    expect(JSON.stringify([update, get])).not.toMatch(/eve|4111/);
  });

  it('joins a put to its stream record by content, before anything is known of the table', () => {
    const TableName = fresh();
    const put = ddb('PutItem', { TableName, Item });
    expect(keysOf(put)).toEqual([]);
    expect(put.resources.map(({ type, access }) => `${type} ${access}`)).toEqual(['table-item write', 'table write']);
    const effect = stream(TableName, Key, { ...Item, tags: { SS: ['a', 'b'] }, n: { N: '1e0' } });
    expect(states(put, effect)).toEqual([expect.stringMatching(`^ddb:${TableName}@[0-9a-f]{32}$`)]);
    expect(effect.trigger).toEqual({ type: 'dynamodb', source: TableName });
    expect(items(put, stream(TableName, Key, { ...Item, card: { S: 'other' } }))).toEqual([]);
  });

  it('joins a put by key once a call has shown what the key is', () => {
    const TableName = fresh();
    ddb('GetItem', { TableName, Key });
    const put = ddb('PutItem', { TableName: `arn:aws:dynamodb:eu-west-1:123456789012:table/${TableName}`, Item });
    expect(prefix(joins(put, stream(TableName, Key)), 'ddb')).toHaveLength(1);
    expect(put.resources.map(({ type }) => type)).toEqual(['table-item', 'table-item']);
    const described = fresh();
    ddb(
      'DescribeTable',
      { TableName: described },
      { Table: { TableName: described, KeySchema: [{ AttributeName: 'user', KeyType: 'HASH' }] } },
    );
    expect(prefix(keysOf(ddb('PutItem', { TableName: described, Item })), 'ddb')).toHaveLength(1);
  });

  it('joins queries and scans that return the item', () => {
    const TableName = fresh();
    const put = ddb('PutItem', { TableName, Item });
    const query = ddb('Query', { TableName, KeyConditionExpression: 'x' }, { Items: [{ user: { S: 'bob' } }, Item], Count: 2 });
    expect(states(put, query)).toHaveLength(1);
    expect(query.resources[0]).toEqual({ type: 'table', id: `ddb:${TableName}`, access: 'read' });
    expect(items(put, ddb('Scan', { TableName, ProjectionExpression: 'card' }, { Items: [{ card: Item.card }] }))).toEqual([]);
  });

  it('joins each entry of batches and transactions', () => {
    const TableName = fresh();
    const other = { user: { S: 'mallory' }, n: { N: '3' } };
    const write = ddb('BatchWriteItem', {
      RequestItems: { [TableName]: [{ PutRequest: { Item } }, { DeleteRequest: { Key: other } }] },
    });
    const read = ddb(
      'BatchGetItem',
      { RequestItems: { [TableName]: { Keys: [Key, other] } } },
      { Responses: { [TableName]: [Item] } },
    );
    // The deleted item by its key; the put one by its state, and by its key, which the deletion has shown since.
    expect(items(write, read)).toHaveLength(2);
    expect(states(write, read)).toHaveLength(1);
    expect(prefix(keysOf(write), 'ddb')).toHaveLength(1);
    const transaction = ddb('TransactWriteItems', {
      TransactItems: [
        { Update: { TableName, Key: other } },
        { Put: { TableName, Item } },
        { ConditionCheck: { TableName, Key } },
      ],
    });
    expect(items(transaction, read)).toHaveLength(3);
    expect(transaction.resources.map(({ access }) => access)).toEqual(['write', 'write', 'write', 'read']);
    const got = ddb('TransactGetItems', { TransactItems: [{ Get: { TableName, Key } }] }, { Responses: [{ Item }] });
    expect(items(transaction, got)).toHaveLength(2);
  });

  it('leaves out entries that a batch did not process', () => {
    const TableName = fresh();
    const other = { user: { S: 'mallory' }, n: { N: '3' } };
    const put = { PutRequest: { Item } };
    const gone = { DeleteRequest: { Key: other } };
    const RequestItems = { [TableName]: [put, gone] };
    const half = ddb('BatchWriteItem', { RequestItems }, { UnprocessedItems: { [TableName]: [put] } });
    expect(items(half, ddb('GetItem', { TableName, Key: other }))).toHaveLength(1);
    expect(items(half, ddb('GetItem', { TableName, Key }, { Item }))).toEqual([]);
    const nothing = ddb('BatchWriteItem', { RequestItems }, { UnprocessedItems: RequestItems });
    expect([...nothing.keys, ...nothing.resources]).toEqual([]);
    const read = ddb(
      'BatchGetItem',
      { RequestItems: { [TableName]: { Keys: [Key, other] } } },
      { Responses: { [TableName]: [] }, UnprocessedKeys: { [TableName]: { Keys: [Key] } } },
    );
    expect(items(half, read)).toHaveLength(1);
    expect(read.resources).toHaveLength(1);
  });

  it('joins what a function reads from a stream itself', () => {
    const TableName = fresh();
    const put = ddb('PutItem', { TableName, Item });
    const poll = call('dynamodb', {
      target: 'DynamoDBStreams_20120810.GetRecords',
      in: {
        ShardIterator: `arn:aws:dynamodb:eu-west-1:123456789012:table/${TableName}/stream/2026-01-01T00:00:00.000|1|AAAAA`,
      },
      out: { Records: [{ eventID: 'e', eventSource: 'aws:dynamodb', dynamodb: { Keys: Key, NewImage: Item } }] },
    });
    expect(states(put, poll)).toHaveLength(1);
    expect(poll.resources.every(({ access }) => access === 'read')).toBe(true);
  });
});

describe('PartiQL', () => {
  const Key = { user: { S: "o'brien" }, n: { N: '1' } };
  const Item = { ...Key, 'card no': { S: '4111' }, tags: { L: [{ S: 'x' }, { BOOL: true }, { NULL: true }] } };
  const insert = (table: string) =>
    ddb('ExecuteStatement', {
      Statement: `INSERT INTO "${table}" VALUE {'user': 'o''brien', 'n': ?, 'card no': ?, 'tags': ['x', true, NULL]}`,
      Parameters: [Key.n, { S: '4111' }],
    });

  it('joins an inserted item to its stream record and to reads', () => {
    const table = fresh();
    const put = insert(table);
    expect(states(put, stream(table, Key, Item))).toHaveLength(1);
    const select = ddb('ExecuteStatement', { Statement: `SELECT * FROM ${table} WHERE n > 0` }, { Items: [Item] });
    expect(items(put, select)).toHaveLength(1);
    expect(items(put, ddb('ExecuteStatement', { Statement: `SELECT user FROM "${table}"` }, { Items: [Key] }))).toEqual([]);
    expect(JSON.stringify(put)).not.toMatch(/brien|4111/);
  });

  it('joins updates and deletions by the key that their condition names', () => {
    const table = fresh();
    const changed = [
      {
        Statement: `UPDATE "${table}" SET card=? SET x = 1 WHERE n = ? AND "user"='o''brien'`,
        Parameters: [{ S: '?' }, Key.n],
      },
      { Statement: `DELETE FROM "${table}" WHERE "user" = ? and n=1 RETURNING ALL OLD *`, Parameters: [Key.user] },
    ];
    for (const input of changed) {
      const write = ddb('ExecuteStatement', input);
      expect(prefix(joins(write, stream(table, Key)), 'ddb'), input.Statement).toHaveLength(1);
      expect(joins(write, stream(table, { ...Key, n: { N: '2' } }))).toEqual([]);
    }
  });

  it('joins each statement of a batch that succeeded', () => {
    const table = fresh();
    const statement = (n: number) => ({ Statement: `DELETE FROM ${table} WHERE "user"='a' AND n=${n}` });
    const batch = ddb(
      'BatchExecuteStatement',
      { Statements: [statement(1), statement(2)] },
      { Responses: [{ TableName: table }, { Error: { Code: 'ConditionalCheckFailed' } }] },
    );
    const record = (n: number) => stream(table, { user: { S: 'a' }, n: { N: String(n) } });
    expect(joins(batch, record(1))).toHaveLength(1);
    expect(joins(batch, record(2))).toEqual([]);
    const all = ddb('ExecuteTransaction', { TransactStatements: [statement(1), statement(2)] }, { Responses: [{}, {}] });
    expect([joins(all, record(1)), joins(all, record(2))].flat()).toHaveLength(2);
  });

  it('reads nothing into statements beyond it, and never throws', () => {
    const table = fresh();
    for (const Statement of [
      '',
      'DROP TABLE x',
      'INSERT INTO',
      `UPDATE ${table} SET a=1 WHERE n=1 OR n=2`,
      `EXISTS(SELECT * FROM x)`,
    ])
      expect(keysOf(ddb('ExecuteStatement', { Statement }))).toEqual([]);
    fc.assert(
      fc.property(
        fc.array(fc.constantFrom('INSERT', 'INTO', 'VALUE', "'a'", '"t"', '{', '}', '[', ',', ':', '?', '1', 'WHERE')),
        (words) => {
          expect(ddb('ExecuteStatement', { Statement: words.join(' '), Parameters: [{ S: 'x' }] }).keys).toBeInstanceOf(Array);
        },
      ),
    );
  });
});

describe('DynamoDB writes', () => {
  const Key = { user: { S: 'eve' } };

  it('does not join a write that was refused', () => {
    const TableName = fresh();
    expect(call('dynamodb', { target: 'DynamoDB_20120810.UpdateItem', status: 400, in: { TableName, Key } }).keys).toEqual([]);
  });
});

describe('canonical items', () => {
  it.each([
    ['1', ['1.0', '01', '1e0', '10e-1', '0.1E+1', '+1', '1.000']],
    ['-0.05', ['-.05', '-5e-2', '-0.0500']],
    ['0', ['-0', '0.00', '0e5']],
    ['1200', ['1.2e3', '12E2']],
  ])('writes %s in one way', (number, others) => {
    for (const other of others) expect(canonicalNumber(other)).toBe(canonicalNumber(number));
    expect(canonicalNumber('12')).not.toBe(canonicalNumber('120'));
    expect(canonicalNumber('0.12')).not.toBe(canonicalNumber('0.012'));
  });

  it('agrees with arithmetic', () => {
    fc.assert(
      fc.property(fc.integer(), fc.integer({ min: -20, max: 20 }), (digits, shift) => {
        const shifted = `${digits}e${shift}`;
        expect(canonicalNumber(shifted)).toBe(canonicalNumber(`${digits}0e${shift - 1}`));
      }),
    );
  });

  it('tells types and nesting apart, and refuses what is no item', () => {
    expect(itemHash({ a: { S: '1' } })).not.toBe(itemHash({ a: { N: '1' } }));
    expect(itemHash({ a: { L: [{ S: 'x' }, { S: 'y' }] } })).not.toBe(itemHash({ a: { L: [{ S: 'y' }, { S: 'x' }] } }));
    expect(itemHash({ a: { M: { b: { NULL: true } } } })).toBeDefined();
    for (const wrong of [null, 'x', { a: 'x' }, { a: {} }, { a: { S: 'x', N: '1' } }, { a: { Q: 1 } }])
      expect(itemHash(wrong)).toBeUndefined();
  });
});
