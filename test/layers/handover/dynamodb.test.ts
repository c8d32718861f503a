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

describe('DynamoDB', () => {
  const Key = { user: { S: 'eve' }, n: { N: '1' } };
  const Item = { ...Key, card: { S: '4111111111111111' }, tags: { SS: ['b', 'a'] } };

  it('joins updates, deletions and reads of an item by its key', () => {
    const TableName = fresh();
    const update = ddb('UpdateItem', { TableName, Key: { n: { N: '1.0' }, user: { S: 'eve' } } });
    const get = ddb('GetItem', { TableName, Key }, { Item });
    expect(prefix(joins(update, get), 'ddb')).toHaveLength(1);
    expect(prefix(joins(ddb('DeleteItem', { TableName, Key }), stream(TableName, Key)), 'ddb')).toHaveLength(1);
    expect(update.keys.every(({ sure }) => sure === 'inferred')).toBe(true);
    expect(update.resources[0]).toMatchObject({
      type: 'table-item',
      access: 'write',
      id: expect.stringMatching(`^ddb:${TableName}/[0-9a-f]{32}$`),
    });
    expect(get.resources[0]!.access).toBe('read');
    expect(joins(update, ddb('GetItem', { TableName, Key: { ...Key, n: { N: '2' } } }))).toEqual([]);
    expect(joins(update, ddb('GetItem', { TableName: fresh(), Key }))).toEqual([]);
    expect(JSON.stringify([update, get])).not.toMatch(/eve|4111/);
  });

  it('joins a put to its stream record by content, before anything is known of the table', () => {
    const TableName = fresh();
    const put = ddb('PutItem', { TableName, Item });
    expect(prefix(keysOf(put), 'ddb')).toEqual([]);
    expect(put.resources).toEqual([{ type: 'table', id: `ddb:${TableName}`, access: 'write' }]);
    const effect = stream(TableName, Key, { ...Item, tags: { SS: ['a', 'b'] }, n: { N: '1e0' } });
    expect(prefix(joins(put, effect), 'ddbimg')).toHaveLength(1);
    expect(effect.trigger).toEqual({ type: 'dynamodb', source: TableName });
    expect(keysOf(effect)).toContain('ddbstream:c4ca4238a0b923820dcc509a6f75849b');
    expect(joins(put, stream(TableName, Key, { ...Item, card: { S: 'other' } }))).toEqual([]);
  });

  it('joins a put by key once a call has shown what the key is', () => {
    const TableName = fresh();
    ddb('GetItem', { TableName, Key });
    const put = ddb('PutItem', { TableName: `arn:aws:dynamodb:eu-west-1:123456789012:table/${TableName}`, Item });
    expect(prefix(joins(put, stream(TableName, Key)), 'ddb')).toHaveLength(1);
    expect(put.resources[0]!.type).toBe('table-item');
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
    expect(prefix(joins(put, query), 'ddbimg')).toHaveLength(1);
    expect(query.resources[0]).toEqual({ type: 'table', id: `ddb:${TableName}`, access: 'read' });
    expect(joins(put, ddb('Scan', { TableName, ProjectionExpression: 'card' }, { Items: [{ card: Item.card }] }))).toEqual([]);
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
    expect(prefix(joins(write, read), 'ddb')).toHaveLength(1);
    expect(prefix(joins(write, read), 'ddbimg')).toHaveLength(1);
    const transaction = ddb('TransactWriteItems', {
      TransactItems: [
        { Update: { TableName, Key: other } },
        { Put: { TableName, Item } },
        { ConditionCheck: { TableName, Key } },
      ],
    });
    expect(prefix(joins(transaction, read), 'ddb')).toHaveLength(2);
    expect(transaction.resources.map(({ access }) => access)).toEqual(['write', 'write', 'read']);
    const got = ddb('TransactGetItems', { TransactItems: [{ Get: { TableName, Key } }] }, { Responses: [{ Item }] });
    expect(joins(transaction, got)).toHaveLength(2);
  });

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
