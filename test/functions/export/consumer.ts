import { spawnSync } from 'node:child_process';
import { has } from './python.ts';

export { opened } from './python.ts';

export const hasProv = has('prov');
export const hasNetworkx = has('networkx');
export const hasOtlp = has('opentelemetry.proto');
export const hasOcsf = has('ocsf.v1_7_0');
export const hasStix = has('stix2');
export const hasStixValidator = has('stix2validator');
export const hasWeasyprint = has('weasyprint');
export const hasDot = spawnSync('dot', ['-V']).status === 0;
if (!hasDot) console.warn('dot is missing: its tests are skipped; install graphviz (scripts/export-consumers does)');
