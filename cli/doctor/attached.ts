import { type FunctionConfiguration, type LambdaClient, ListLayerVersionsCommand } from '@aws-sdk/client-lambda';
import { wiringOf } from '../../functions/inventory/wiring.ts';
import { plural } from '../screen.ts';
import { type Finding, look, ok, unknown, warning, wrong } from './finding.ts';
import type { Installation } from './survey.ts';

/** How the descriptions of Alastor's layers begin (cdk/layer.ts). */
const OWN_LAYER = /^Alastor:/;

/** An audited function and the name under which it stores its segments. */
export interface Audited {
  readonly name: string;
  readonly configuration: FunctionConfiguration;
}

export interface Attached {
  readonly findings: readonly Finding[];
  /** Functions that are audited into this installation. */
  readonly audited: readonly Audited[];
}

/** Whether every function that is meant to be audited has all parts of it, of the newest version. */
export async function attachedFunctions(
  lambda: LambdaClient,
  { bucket }: Installation,
  functions: readonly FunctionConfiguration[],
  /** Buckets of other installations: functions that write there are audited, by those. */
  elsewhere: ReadonlySet<string>,
): Promise<Attached> {
  const meant = functions.filter((one) => {
    const target = one.Environment?.Variables?.ALASTOR_BUCKET;
    return wiringOf(one).attached && !(target !== undefined && elsewhere.has(target));
  });
  const broken = meant.flatMap((one): Finding[] => {
    const { problems } = wiringOf(one, bucket);
    if (problems.length === 0) return [];
    const mend = 'deploy its app again, or `alastor instrument` it; `/v1/changes` tells who changed it';
    return [wrong(`function ${one.FunctionName}`, `is not audited: ${problems.join('; ')}`, mend)];
  });
  const audited = meant.filter((one) => wiringOf(one, bucket).problems.length === 0);
  const others = functions.length - meant.length;
  const count = `${plural(audited.length, 'function')} audited; ${plural(others, 'other')} in the region, not meant to be`;
  const findings = [
    audited.length === 0 && broken.length === 0
      ? warning('functions', `no function is audited (${others} are there)`, 'attach some: docs/install.md')
      : ok('functions', count),
    ...broken,
    ...(await layers(lambda, audited)),
  ];
  return {
    findings,
    audited: audited.flatMap((configuration): readonly Audited[] => {
      const { FunctionName, Environment } = configuration;
      if (FunctionName === undefined) return [];
      return [{ name: `${Environment?.Variables?.ALASTOR_QUALIFIER ?? ''}${FunctionName}`, configuration }];
    }),
  };
}

interface Version {
  readonly layer: string;
  readonly version: number;
}

async function layers(lambda: LambdaClient, audited: readonly FunctionConfiguration[]): Promise<readonly Finding[]> {
  const used = new Map<string, { readonly fn: string; readonly version: number }[]>();
  for (const { FunctionName: fn = '', Layers = [] } of audited) {
    for (const { layer, version } of Layers.flatMap(({ Arn }) => readArn(Arn))) {
      used.set(layer, [...(used.get(layer) ?? []), { fn, version }]);
    }
  }
  const found = [...used].map(([layer, users]) =>
    look(`layer ${layer.split(':').at(-1)}`, 'lambda:ListLayerVersions', async () => {
      const what = `layer ${layer.split(':').at(-1)}`;
      const { LayerVersions = [] } = await lambda.send(new ListLayerVersionsCommand({ LayerName: layer, MaxItems: 1 }));
      const [newest] = LayerVersions;
      if (newest?.Version === undefined) return unknown(what, 'not checked: no version of it is listed', 'was it deleted?');
      // Somebody else's layer.
      if (!OWN_LAYER.test(newest.Description ?? '')) return [];
      const old = users.filter(({ version }) => version < (newest.Version ?? 0));
      if (old.length === 0) return ok(what, `newest version, ${newest.Version}, on ${plural(users.length, 'function')}`);
      const names = old.slice(0, 10).map(({ fn, version }) => `${fn} (${version})`);
      const says = `old versions, not ${newest.Version}, on ${plural(old.length, 'function')}: ${names.join(', ')}${old.length > 10 ? ', …' : ''}`;
      return warning(what, says, 'deploy their apps again: old and new go together meanwhile (docs/operations.md)');
    }),
  );
  return (await Promise.all(found)).flat();
}

/** `arn:aws:lambda:<region>:<account>:layer:<name>:<version>` */
function readArn(arn: string | undefined): readonly Version[] {
  const [, layer, version] = /^(arn:[^:]+:lambda:[^:]+:[^:]+:layer:[^:]+):(\d+)$/.exec(arn ?? '') ?? [];
  return layer === undefined ? [] : [{ layer, version: Number(version) }];
}
