/** What `alastor instrument` and `uninstrument` change of a deployed function. Pure: no AWS. */
import { WRAPPER } from '../../functions/inventory/wiring.ts';
import { forgottenPrefix, segmentPrefix } from '../../functions/store/schema.ts';

/** How a function is configured now. */
export interface Deployed {
  readonly name: string;
  readonly arn: string;
  /** E.g. `nodejs24.x`; undefined for a container image. */
  readonly runtime: string | undefined;
  readonly architecture: 'x64' | 'arm64';
  /** ARNs of versions, in order. */
  readonly layers: readonly string[];
  readonly variables: Readonly<Record<string, string>>;
  /** Why Lambda shows no variables, though there may be some. */
  readonly hidden?: string;
  readonly role: string;
  readonly tags: Readonly<Record<string, string>>;
}

/** Published layers by what they are for. */
export type Layers = Readonly<Partial<Record<`${'layer' | 'layer-with-node'}-${'x64' | 'arm64'}`, string>>>;

/** What is to be attached. */
export interface Wanted {
  readonly bucket: string;
  /** ARN of the key that the bucket is encrypted with. */
  readonly key: string | undefined;
  readonly layers: Layers;
  /** Functions are recorded as `<account>.<region>.<name>`. */
  readonly qualified: boolean;
}

export interface Configuration {
  readonly layers: readonly string[];
  readonly variables: Readonly<Record<string, string>>;
}

export type Plan =
  | { readonly kind: 'change'; readonly before: Configuration; readonly after: Configuration; readonly tags: Tags | null }
  | {
      readonly kind: 'none' | 'refused';
      readonly why: string;
      /** Nothing but its policy may want mending. */
      readonly instrumented?: true;
    };

/** Tags of an instrumented function: with them, and ALASTOR_NEXT_WRAPPER, it can be put back as it was. */
export interface Tags {
  /** Names of the variables that were added. */
  readonly 'alastor:variables': string;
  /** The layer that was added. */
  readonly 'alastor:layer': string;
}
export const TAGS = ['alastor:variables', 'alastor:layer'] as const;

const WRAPPER_NAME = 'AWS_LAMBDA_EXEC_WRAPPER';
const NEXT_NAME = 'ALASTOR_NEXT_WRAPPER';
const MOST_LAYERS = 5;
const MOST_ENVIRONMENT = 4096;

const isInstrumented = ({ tags }: Deployed): boolean => TAGS.some((tag) => tags[tag] !== undefined);

/** How an instrumented function would be without; any other as it is. */
export function original(deployed: Deployed): Configuration {
  const { layers, tags } = deployed;
  const variables = { ...deployed.variables };
  const added = (tags['alastor:variables'] ?? '').split(' ');
  const [wrapper, next] = [variables[WRAPPER_NAME], variables[NEXT_NAME]];
  for (const name of added) if (name !== WRAPPER_NAME) delete variables[name];
  // Somebody who deployed the function since may have put another one there.
  if (added.includes(WRAPPER_NAME) && wrapper === WRAPPER) {
    if (added.includes(NEXT_NAME) && next !== undefined) variables[WRAPPER_NAME] = next;
    else delete variables[WRAPPER_NAME];
  }
  return { layers: layers.filter((arn) => arn !== tags['alastor:layer']), variables };
}

export function instrumentPlan(deployed: Deployed, wanted: Wanted): Plan {
  const { name, runtime, variables, architecture, hidden } = deployed;
  if (hidden !== undefined) return unseen(hidden);
  if (variables.ALASTOR_SHARDS_TABLE !== undefined)
    return { kind: 'none', why: "is one of Alastor's own, which are never audited" };
  if (!isInstrumented(deployed) && variables[WRAPPER_NAME] === WRAPPER) {
    return { kind: 'none', why: 'is audited by its own deployment, which is the place to change that' };
  }
  if (runtime === undefined) return refused('is a container image: build the audit into it (docs/images.md)');
  if (runtime.startsWith('provided'))
    return refused(`has the runtime ${runtime}: put the bootstrap of the layer before its own (docs/support.md)`);
  const variant = Number(/^nodejs(\d+)\.x$/.exec(runtime)?.[1] ?? 0) >= 22 ? 'layer' : 'layer-with-node';
  const layer = wanted.layers[`${variant}-${architecture}`];
  if (layer === undefined) return refused(`needs --${variant}-${architecture}, the ARN of a published layer`);
  const before = original(deployed);
  const added: Record<string, string> = { [WRAPPER_NAME]: WRAPPER, ALASTOR_BUCKET: wanted.bucket };
  if (wanted.qualified) added.ALASTOR_QUALIFIER = qualifierOf(deployed);
  const theirs = before.variables[WRAPPER_NAME];
  if (theirs !== undefined) added[NEXT_NAME] = theirs;
  const after = { layers: [...before.layers, layer], variables: { ...before.variables, ...added } };
  const names = Object.keys(added).sort();
  const clash = names.find((one) => one !== WRAPPER_NAME && before.variables[one] !== undefined);
  if (clash !== undefined) return refused(`has a variable ${clash} of its own: remove it first`);
  if (after.layers.length > MOST_LAYERS) return refused(`has ${before.layers.length} layers, and Lambda takes ${MOST_LAYERS}`);
  const bytes = Buffer.byteLength(JSON.stringify(after.variables));
  if (bytes > MOST_ENVIRONMENT) return refused(`would have ${bytes} bytes of variables, and Lambda takes ${MOST_ENVIRONMENT}`);
  const tags: Tags = { 'alastor:variables': names.join(' '), 'alastor:layer': layer };
  if (same(after, deployed) && TAGS.every((tag) => deployed.tags[tag] === tags[tag])) {
    return { kind: 'none', why: `is instrumented already, with this layer and this bucket (${name})`, instrumented: true };
  }
  return { kind: 'change', before: deployed, after, tags };
}

export function uninstrumentPlan(deployed: Deployed): Plan {
  if (deployed.hidden !== undefined) return unseen(deployed.hidden);
  if (isInstrumented(deployed)) return { kind: 'change', before: deployed, after: original(deployed), tags: null };
  return deployed.variables[WRAPPER_NAME] === WRAPPER
    ? { kind: 'refused', why: 'is audited by its own deployment (CDK or another): take the audit out there' }
    : { kind: 'none', why: 'is not instrumented' };
}

function refused(why: string): Plan {
  return { kind: 'refused', why };
}

function unseen(hidden: string): Plan {
  return refused(`does not show its variables, which a change would replace (kms:Decrypt on its key?): ${hidden}`);
}

/** Whether layers and variables are the same. */
export function same(a: Configuration, b: Configuration): boolean {
  const text = ({ layers, variables }: Configuration) =>
    JSON.stringify([layers, Object.entries(variables).sort(([x], [y]) => (x < y ? -1 : 1))]);
  return text(a) === text(b);
}

/** What stands before a function's name in the evidence where accounts and regions share a bucket. */
function qualifierOf({ arn }: Deployed): string {
  const [, , , region, account] = arn.split(':');
  return `${account}.${region}.`;
}

/** Lines that say what changes: `+`, `-` or `~`, and never a value that is not Alastor's. */
export function differences(before: Configuration, after: Configuration): readonly string[] {
  const lines: string[] = [];
  for (const arn of before.layers) if (!after.layers.includes(arn)) lines.push(`- layer     ${arn}`);
  for (const arn of after.layers) if (!before.layers.includes(arn)) lines.push(`+ layer     ${arn}`);
  for (const name of Object.keys({ ...before.variables, ...after.variables }).sort()) {
    const [old, now] = [before.variables[name], after.variables[name]];
    if (old === now) continue;
    const sign = old === undefined ? '+' : now === undefined ? '-' : '~';
    lines.push(
      `${sign} variable  ${name}${old === undefined ? '' : ` ${old}`}${now === undefined ? '' : `${old === undefined ? '' : ' →'} ${now}`}`,
    );
  }
  return lines;
}

/** The policy that lets a function's role put its segments. */
export interface RolePolicy {
  readonly role: string;
  readonly name: string;
  readonly resource: string;
  /** What it may write by no other policy either. */
  readonly denied: string;
  /** ARN of the key that it may have S3 encrypt with. */
  readonly key: string | undefined;
  readonly document: string;
}

/** Name of the policy of a function, in its role. */
export const policyOf = ({ role, name }: Deployed): { readonly role: string; readonly name: string } => ({
  role: role.slice(role.lastIndexOf('/') + 1),
  name: `AlastorSegments-${name}`,
});

export function rolePolicy(deployed: Deployed, { bucket, key, qualified }: Wanted): RolePolicy {
  const [, partition] = deployed.arn.split(':');
  const named = `${qualified ? qualifierOf(deployed) : ''}${deployed.name}`;
  const resource = `arn:${partition}:s3:::${bucket}/${segmentPrefix}${named}/*`;
  const denied = `arn:${partition}:s3:::${bucket}/${forgottenPrefix}*`;
  const Statement = [
    { Effect: 'Allow', Action: 's3:PutObject', Resource: resource },
    { Effect: 'Deny', Action: 's3:PutObject', Resource: denied },
    ...(key === undefined
      ? []
      : [
          {
            ...{ Effect: 'Allow', Action: 'kms:GenerateDataKey', Resource: key },
            Condition: { StringEquals: { 'kms:ViaService': `s3.${key.split(':')[3]}.amazonaws.com` } },
          },
        ]),
  ];
  return { ...policyOf(deployed), resource, denied, key, document: JSON.stringify({ Version: '2012-10-17', Statement }) };
}

/** What is to be said of a function in one word, and what is wrong. */
export function stateOf(deployed: Deployed): {
  readonly state: 'instrumented' | 'audited' | 'broken' | 'no';
  readonly why: string;
} {
  const { variables, tags, layers, hidden } = deployed;
  const wrapped = variables[WRAPPER_NAME] === WRAPPER;
  const layer = tags['alastor:layer'];
  const unknown = hidden === undefined ? '' : `it does not show its variables: ${hidden}`;
  if (!isInstrumented(deployed))
    return wrapped ? { state: 'audited', why: 'by its own deployment' } : { state: 'no', why: unknown };
  const missing = [
    ...(wrapped || hidden !== undefined ? [] : [`${WRAPPER_NAME} is not ${WRAPPER}`]),
    ...(layer !== undefined && layers.includes(layer) ? [] : ['the layer is gone']),
    ...(variables.ALASTOR_BUCKET === undefined && hidden === undefined ? ['ALASTOR_BUCKET is gone'] : []),
  ];
  return missing.length === 0
    ? { state: 'instrumented', why: unknown }
    : { state: 'broken', why: `${missing.join(', ')}: instrument it again` };
}
