import { expect, it } from 'vitest';
import { readOptions } from './options.ts';

it('measures everything in five rounds unless told otherwise', () => {
  expect(readOptions([])).toMatchObject({ rounds: 5, servicesMs: 5, json: false, requests: undefined });
  expect([...readOptions([])!.only]).toEqual(['purchase', 'json', 'http', 'files', 'fork', 'cold']);
  expect([...readOptions(['--only', 'json', '--only', 'cold'])!.only]).toEqual(['json', 'cold']);
  expect(readOptions(['--help'])).toBeUndefined();
});

it('names what is wrong', () => {
  expect(() => readOptions(['--only', 'nothing'])).toThrow(/--only must be one of purchase, .*, not "nothing"/);
  expect(() => readOptions(['--rounds', '0'])).toThrow(/--rounds must be a whole number from 1 to 100/);
});
