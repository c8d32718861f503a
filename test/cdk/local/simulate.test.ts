import { describe, expect, it } from 'vitest';
import { readPolicy } from '../../../cdk/local/iam/policy.ts';
import { notUnderstood, simulate } from '../../../cdk/local/iam/simulate.ts';

const accountId = '123456789012';
const arn = `arn:aws:iam::${accountId}:role/shop`;
const resource = 'arn:aws:s3:::evidence/segments/shop/1';
const allow = (more: object = {}) => ({ Effect: 'Allow', Action: 's3:PutObject', Resource: '*', ...more });
const deny = (more: object = {}) => ({ Effect: 'Deny', Action: 's3:PutObject', Resource: '*', ...more });
const bySource = { Condition: { IpAddressOdd: 0 } };
const known = { 'aws:principalarn': arn, 's3:if-none-match': undefined };
const policy = (...statements: readonly object[]) => readPolicy({ Statement: statements }, 'a test');

function outcome(own: readonly object[], { bucket, boundary }: { bucket?: object[]; boundary?: object[] } = {}) {
  const access = { principal: { arn, accountId }, action: 's3:PutObject', resource, context: known };
  const policies = { identity: [policy(...own)], resource: bucket ? policy(...bucket) : null, owner: accountId, open: true };
  return simulate(access, policies, boundary ? policy(...boundary) : null);
}

describe('a simulated request', () => {
  const inNetwork = { Condition: { StringEquals: { 'aws:SourceVpce': 'vpce-1' } } };
  const variable = '$'.concat('{aws:PrincipalTag/name}');
  const tagged = { Resource: `arn:aws:s3:::evidence/segments/${variable}/*` };

  it('is decided as AWS would when all that policies ask for is known', () => {
    expect([outcome([]), outcome([allow()]), outcome([allow(), deny()])]).toEqual(['refused', 'allowed', 'refused']);
    // What a request is known not to have is known, too.
    const once = { Principal: '*', Condition: { Null: { 's3:if-none-match': 'true' } } };
    expect(outcome([allow()], { bucket: [deny(once)] })).toBe('refused');
    expect(() => policy(allow(bySource))).toThrow('IpAddressOdd');
  });

  it('is unknown when something unknown decides it, and only then', () => {
    expect([outcome([allow(inNetwork)]), outcome([allow(), deny(inNetwork)])]).toEqual(['unknown', 'unknown']);
    expect([outcome([allow(inNetwork), allow()]), outcome([allow(inNetwork), deny()])]).toEqual(['allowed', 'refused']);
    expect([outcome([allow(tagged)]), outcome([allow(tagged), allow()])]).toEqual(['unknown', 'allowed']);
    expect(outcome([allow({ Resource: `arn:aws:s3:::other/${variable}/*` })])).toBe('refused');
    expect(outcome([{ Effect: 'Allow', Action: 's3:PutObject', NotResource: tagged.Resource }])).toBe('unknown');
  });

  it('is not allowed by what is not understood, nor refused', () => {
    const access = { principal: { arn, accountId }, action: 's3:PutObject', resource, context: known };
    const of = { resource: null, owner: accountId, open: true };
    expect(simulate(access, { ...of, identity: [notUnderstood] })).toBe('unknown');
    expect(simulate(access, { ...of, identity: [policy(allow()), notUnderstood] })).toBe('unknown');
    expect(simulate(access, { ...of, identity: [policy(deny()), notUnderstood] })).toBe('refused');
    // A bucket's, and a key's, without which nothing is allowed.
    const others = [true, false].map((open) => ({ resource: notUnderstood, owner: accountId, open }));
    for (const other of others) {
      expect(simulate(access, { ...other, identity: [policy(allow())] })).toBe('unknown');
      expect(simulate(access, { ...other, identity: [] })).toBe('unknown');
    }
  });

  it('must be allowed by the boundary as well, which allows nothing itself', () => {
    expect(outcome([allow()], { boundary: [allow({ Action: 's3:Get*' })] })).toBe('refused');
    expect(outcome([], { boundary: [allow()] })).toBe('refused');
    expect(outcome([allow()], { boundary: [allow()] })).toBe('allowed');
    expect(outcome([allow()], { boundary: [allow(inNetwork)] })).toBe('unknown');
  });
});
