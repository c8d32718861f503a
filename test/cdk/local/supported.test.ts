import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { supportedResources } from '../../../cdk/local/supported.ts';

it('documents just the resources that run locally (npm run -s alastor -- local --supported > docs/local-resources.md)', () => {
  expect(readFileSync('docs/local-resources.md', 'utf8')).toBe(supportedResources());
});
