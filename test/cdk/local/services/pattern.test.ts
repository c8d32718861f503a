import { describe, expect, it } from 'vitest';
import { checkPattern, matches, type Pattern, PatternError } from '../../../../cdk/local/services/events/pattern.ts';

const event = {
  source: 'aws.s3',
  detail: { bucket: { name: 'in-Bucket' }, size: 1024, tags: ['red', 'blue'], none: null, nested: [{ a: 1 }, { a: 2 }] },
};

describe('event patterns', () => {
  it.each<[string, Pattern, boolean]>([
    ['exact', { source: ['aws.s3', 'aws.ec2'] }, true],
    ['exact, other', { source: ['aws.ec2'] }, false],
    ['numbers are no text', { detail: { size: ['1024'] } }, false],
    ['null', { detail: { none: [null] } }, true],
    ['one of a list', { detail: { tags: ['blue'] } }, true],
    ['objects in a list', { detail: { nested: { a: [2] } } }, true],
    ['prefix', { detail: { bucket: { name: [{ prefix: 'in-' }] } } }, true],
    ['prefix without case', { detail: { bucket: { name: [{ prefix: { 'equals-ignore-case': 'IN-' } }] } } }, true],
    ['suffix', { detail: { bucket: { name: [{ suffix: '.png' }] } } }, false],
    ['anything-but', { source: [{ 'anything-but': ['aws.ec2'] }] }, true],
    ['anything-but prefix', { source: [{ 'anything-but': { prefix: 'aws.' } }] }, false],
    ['anything-but of nothing', { absent: [{ 'anything-but': 'x' }] }, false],
    ['exists', { detail: { size: [{ exists: true }] } }, true],
    ['exists not', { detail: { absent: [{ exists: false }] } }, true],
    ['exists not, but does', { detail: { size: [{ exists: false }] } }, false],
    ['numeric range', { detail: { size: [{ numeric: ['>', 0, '<=', 1024] }] } }, true],
    ['numeric outside', { detail: { size: [{ numeric: ['<', 1024] }] } }, false],
    ['equals-ignore-case', { detail: { bucket: { name: [{ 'equals-ignore-case': 'IN-BUCKET' }] } } }, true],
    ['wildcard', { detail: { bucket: { name: [{ wildcard: 'in*ck*t' }] } } }, true],
    ['wildcard is anchored', { detail: { bucket: { name: [{ wildcard: 'in*x' }] } } }, false],
    ['$or', { $or: [{ source: ['nobody'] }, { detail: { size: [{ numeric: ['=', 1024] }] } }] }, true],
    ['$or beside a field', { source: ['nobody'], $or: [{ detail: { size: [1024] } }] }, false],
  ])('%s', (_name, pattern, expected) => {
    checkPattern(pattern);
    expect(matches(pattern, event)).toBe(expected);
  });

  it.each([
    ['a bare value', { source: 'x' }],
    ['an unknown operator', { detail: { ip: [{ cidr: '10.0.0.0/8' }] } }],
    ['a numeric without numbers', { detail: { size: [{ numeric: ['>', 'x'] }] } }],
    ['no object', 'source'],
  ])('refuses %s, naming the field', (_name, pattern) => {
    expect(() => checkPattern(pattern)).toThrow(PatternError);
  });
});
