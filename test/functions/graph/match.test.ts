import { describe, expect, it } from 'vitest';
import { glob, matcher, subjectsOf } from '../../../functions/graph/match.ts';
import type { Node } from '../../../functions/graph/model.ts';

const endpoint = (fields: { host?: string; addr?: string }) =>
  ({ kind: 'endpoint', id: 'endpoint:x', first: 1, last: 2, ...fields }) as unknown as Node;

describe('what an investigator looks for', () => {
  it.each([
    ['10.0.0.0/8', '10.200.3.4', true],
    ['10.0.0.0/8', '11.0.0.1', false],
    ['192.0.2.7', '192.0.2.7', true],
    ['2001:db8::/32', '2001:db8:1::5', true],
    ['2001:db8::/32', '2001:db9::5', false],
  ])('%s: %s %s', (q, addr, found) => {
    expect(matcher(q, 'address')?.(endpoint({ addr }))).toBe(found);
  });

  it.each(['10.0.0.0/33', '10.0.0/8', 'evil.example', '1.2.3.4/x', '/8', ''])('%s is no range of addresses', (q) => {
    expect(matcher(q, 'address')).toBeUndefined();
  });

  it('a host is found with its subdomains, and not as the end of another name', () => {
    const matches = matcher('*.evil.example', 'host')!;
    expect(
      ['evil.example', 'a.b.evil.example', 'devil.example', 'evil.example.org'].map((host) => matches(endpoint({ host }))),
    ).toEqual([...[true, true, false, false]]);
  });

  it('a text is looked for as all that it can be', () => {
    expect(subjectsOf('192.0.2.0/24')).toContain('address');
    expect(subjectsOf('/tmp/x')).toContain('path');
    expect(subjectsOf('ab'.repeat(32))).toContain('hash');
    expect(subjectsOf('curl')).not.toContain('hash');
  });

  it.each([
    ['/tmp/*', '/tmp/a/b', true],
    ['/tmp/*.js', '/tmp/a.js', true],
    ['/tmp/*.js', '/tmp/a.json', false],
    ['*', '', true],
    ['?', '', false],
    ['a?c*', 'abc', true],
    ['*b*b', 'abab', true],
  ])('%s %s: %s', (pattern, text, matches) => {
    expect(glob(pattern, text)).toBe(matches);
  });

  it('no pattern takes more than pattern times text', () => {
    expect(glob(`${'*a'.repeat(400)}b`, 'a'.repeat(8000))).toBe(false);
  });
});
