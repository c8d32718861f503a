import { describe, expect, it } from 'vitest';
import type { Context } from '../../../cdk/local/iam/conditions.ts';
import { type Decision, decide } from '../../../cdk/local/iam/evaluate.ts';
import { readPolicy } from '../../../cdk/local/iam/policy.ts';

const owner = '111122223333';
const role = `arn:aws:iam::${owner}:role/worker`;
const root = `arn:aws:iam::${owner}:root`;

interface Case {
  readonly identity?: object | readonly object[];
  readonly resource?: object | readonly object[];
  readonly action?: string;
  readonly on?: string;
  readonly context?: Context;
  readonly principal?: { readonly arn: string; readonly accountId: string; readonly service?: string };
  readonly open?: boolean;
}

function decision(one: Case): Decision {
  const { action = 's3:GetObject', on = 'arn:aws:s3:::bucket/a/b', context = {}, open = true } = one;
  const read = (statements: object | readonly object[]) => readPolicy({ Statement: statements }, 'test');
  return decide(
    { principal: one.principal ?? { arn: role, accountId: owner }, action, resource: on, context },
    {
      identity: one.identity === undefined ? [] : [read(one.identity)],
      resource: one.resource === undefined ? null : read(one.resource),
      ...{ owner, open },
    },
  );
}

const allow = { Effect: 'Allow', Action: 's3:*', Resource: '*' };
const mine = (more: object) => ({ Effect: 'Allow', Action: 's3:GetObject', Resource: 'arn:aws:s3:::bucket/*', ...more });
const theirs = (principal: unknown, more: object = {}) => ({ ...mine(more), Principal: principal });

describe('who is allowed what', () => {
  it.each<[string, Case, Decision]>([
    ['nothing said', {}, 'not-allowed'],
    ['allowed', { identity: mine({}) }, 'allowed'],
    ['another action', { identity: mine({}), action: 's3:PutObject' }, 'not-allowed'],
    ['actions have no case', { identity: mine({ Action: 'S3:getobject' }) }, 'allowed'],
    ['wildcards', { identity: mine({ Action: 's3:Get*', Resource: 'arn:aws:s3:::b?cket/*' }) }, 'allowed'],
    ['a dot is a dot', { identity: mine({ Resource: 'arn:aws:s3:::bucket.a/b' }) }, 'not-allowed'],
    ['resources have a case', { identity: mine({ Resource: 'arn:aws:s3:::BUCKET/*' }) }, 'not-allowed'],
    ['another resource', { identity: mine({ Resource: 'arn:aws:s3:::bucket/b/*' }) }, 'not-allowed'],
    ['everything but', { identity: { Effect: 'Allow', NotAction: 's3:Get*', Resource: '*' } }, 'not-allowed'],
    ['everywhere but', { identity: { Effect: 'Allow', Action: '*', NotResource: 'arn:aws:s3:::bucket/b' } }, 'allowed'],
    ['a denial wins', { identity: [allow, { ...allow, Effect: 'Deny', Resource: '*/b' }] }, 'denied'],
    ["a denial by the resource's policy wins", { identity: allow, resource: theirs('*', { Effect: 'Deny' }) }, 'denied'],
    ['a denial of others', { identity: allow, resource: theirs({ AWS: `${role}2` }, { Effect: 'Deny' }) }, 'allowed'],
    [
      'a denial of all but',
      { identity: allow, resource: { Effect: 'Deny', NotPrincipal: { AWS: role }, Action: '*' } },
      'allowed',
    ],
    ['the resource names the role', { resource: theirs({ AWS: role }) }, 'allowed'],
    ['the resource names everybody', { resource: theirs('*') }, 'allowed'],
    ['the resource names the account only', { resource: theirs({ AWS: root }) }, 'not-allowed'],
    ['the same, and the account says yes', { resource: theirs({ AWS: root }), identity: mine({}) }, 'allowed'],
    ['a key wants to be asked', { identity: mine({}), open: false }, 'not-allowed'],
    ['a key that leaves it to the account', { identity: mine({}), resource: theirs({ AWS: owner }), open: false }, 'allowed'],
    [
      'a service',
      { principal: { arn: '', accountId: '', service: 'logs.x' }, resource: theirs({ Service: 'logs.x' }) },
      'allowed',
    ],
    [
      'another service',
      { principal: { arn: '', accountId: '', service: 'l.x' }, resource: theirs({ Service: 'logs.x' }) },
      'not-allowed',
    ],
  ])('%s', (_, one, expected) => {
    expect(decision(one)).toBe(expected);
  });

  it('wants both sides to agree across accounts', () => {
    const principal = { arn: 'arn:aws:iam::999900001111:role/worker', accountId: '999900001111' };
    const resource = theirs({ AWS: '999900001111' });
    expect(decision({ principal, identity: mine({}) })).toBe('not-allowed');
    expect(decision({ principal, resource })).toBe('not-allowed');
    expect(decision({ principal, identity: mine({}), resource })).toBe('allowed');
  });
});

describe('conditions', () => {
  const under = (Condition: object, context: Context) => decision({ identity: mine({ Condition }), context }) === 'allowed';
  it.each<[object, Context, boolean]>([
    [{ StringEquals: { 'aws:A': 'x' } }, { 'aws:a': 'x' }, true],
    [{ StringEquals: { 'aws:A': ['x', 'y'] } }, { 'aws:a': 'y' }, true],
    [{ StringEquals: { 'aws:A': 'x' } }, {}, false],
    [{ StringEqualsIfExists: { 'aws:A': 'x' } }, {}, true],
    [{ StringNotEquals: { 'aws:A': ['x', 'y'] } }, { 'aws:a': 'y' }, false],
    // Negated operators hold where there is nothing to compare.
    [{ StringNotEquals: { 'aws:A': 'x' } }, {}, true],
    [{ StringLike: { 'aws:A': 'x*' } }, { 'aws:a': 'xyz' }, true],
    [{ StringNotLike: { 'aws:A': 'x*' } }, { 'aws:a': 'xyz' }, false],
    [{ Null: { 'aws:A': 'true' } }, {}, true],
    [{ Null: { 'aws:A': true } }, { 'aws:a': '' }, false],
    [{ Null: { 'aws:A': 'false' } }, { 'aws:a': '' }, true],
    [{ Bool: { 'aws:SecureTransport': 'false' } }, { 'aws:securetransport': 'true' }, false],
    [{ NumericLessThan: { 's3:TlsVersion': 1.2 } }, { 's3:tlsversion': '1.1' }, true],
    [{ NumericLessThan: { 's3:TlsVersion': 1.2 } }, { 's3:tlsversion': '1.3' }, false],
    [{ ArnLike: { 'aws:A': 'arn:aws:s3:*:*:b*' } }, { 'aws:a': 'arn:aws:s3:::bucket' }, true],
    // All of the lines, and all of the keys in one.
    [{ StringEquals: { 'aws:A': 'x', 'aws:B': 'y' } }, { 'aws:a': 'x', 'aws:b': 'z' }, false],
    [{ StringEquals: { 'aws:A': 'x' }, Bool: { 'aws:B': 'true' } }, { 'aws:a': 'x', 'aws:b': 'true' }, true],
    [{ 'ForAnyValue:StringEquals': { 'aws:T': ['a', 'b'] } }, { 'aws:t': ['c', 'b'] }, true],
    [{ 'ForAllValues:StringEquals': { 'aws:T': ['a', 'b'] } }, { 'aws:t': ['c', 'b'] }, false],
    [{ 'ForAllValues:StringEquals': { 'aws:T': ['a', 'b'] } }, {}, true],
  ])('%j with %j: %s', (condition, context, expected) => {
    expect(under(condition, context)).toBe(expected);
  });

  it('puts what the request has in for variables, never as a wildcard', () => {
    const identity = mine({ Resource: `arn:aws:s3:::bucket/\${aws:PrincipalTag/fn}/*` });
    const asked = (tag: string | undefined, on: string) => decision({ identity, context: { 'aws:principaltag/fn': tag }, on });
    expect(asked('a', 'arn:aws:s3:::bucket/a/b')).toBe('allowed');
    expect(asked('b', 'arn:aws:s3:::bucket/a/b')).toBe('not-allowed');
    expect(asked('*', 'arn:aws:s3:::bucket/a/b')).toBe('not-allowed');
    expect(asked(undefined, 'arn:aws:s3:::bucket//b')).toBe('not-allowed');
  });
});

it.each<[string, object]>([
  ['operator', { ...allow, Condition: { DateLessThan: { 'aws:CurrentTime': '2026-01-01T00:00:00Z' } } }],
  ['Effect', { ...allow, Effect: 'allow' }],
  ['Actions', { ...allow, Actions: 's3:*' }],
  ['Federated', { ...allow, Principal: { Federated: 'x' } }],
  ['no Action', { Effect: 'Deny', Resource: '*' }],
])('refuses what it does not understand instead of leaving it out: %s', (word, statement) => {
  expect(() => readPolicy({ Statement: statement }, 'test')).toThrow(word);
});
