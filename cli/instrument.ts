import { located, serviceOptions } from './aws.ts';
import { command } from './command.ts';
import { change, changeOptions } from './instrument/change.ts';
import { instrumentPlan, rolePolicy, type Wanted } from './instrument/plan.ts';
import { selected, selectOptions, selectText } from './instrument/select.ts';
import { UsageError } from './usage.ts';

const layer = (variant: string, processor: string, output: string) =>
  ({
    type: 'string',
    value: 'arn',
    says: `published layer for ${variant} on ${processor}: stack output <id>${output}`,
  }) as const;

export default command({
  usage: ['<function>… [options]', '--all [options]'],
  positionals: [0, 1000],
  options: {
    ...selectOptions,
    bucket: { type: 'string', value: 'name', says: 'evidence bucket: stack output <id>EvidenceBucket' },
    key: { type: 'string', value: 'arn', says: 'key of that bucket, where it has one: stack output <id>EvidenceKey' },
    'layer-x64': layer('Node 22 and later', 'x86_64', 'LayerX64Arn'),
    'layer-with-node-x64': layer('all other runtimes', 'x86_64', 'LayerWithNodeX64Arn'),
    'layer-arm64': layer('Node 22 and later', 'arm64', 'LayerArm64Arn'),
    'layer-with-node-arm64': layer('all other runtimes', 'arm64', 'LayerWithNodeArm64Arn'),
    qualified: {
      type: 'boolean',
      says: 'record functions as <account>.<region>.<name>: needed where the bucket belongs to another account or region',
    },
    'no-policy': { type: 'boolean', says: 'leave the roles alone: they are allowed to write segments some other way' },
    ...changeOptions,
    ...serviceOptions,
  },
  text: `${selectText}
Attaches the audit to functions as they are deployed, without CDK: the layer, two variables, and a policy in the role. Shows
what it would change; --apply changes it. What it adds is noted in two tags of the function, so that \`alastor uninstrument\`
puts back exactly what was there. The next deployment by whatever tool made the function may take the audit away again
(\`alastor status\` tells); where that is CDK, CloudFormation, SAM, Terraform or Serverless Framework, better put it there:
docs/install.md. Versions that are published already stay as they are.

Settings (ALASTOR_SHIP and so on, docs/capture.md) are variables of the function that you set yourself.

Needs lambda:GetFunctionConfiguration, ListTags, TagResource, UntagResource, UpdateFunctionConfiguration and GetLayerVersion on
functions and layers, iam:PutRolePolicy and DeleteRolePolicy on their roles, with patterns and --all lambda:ListFunctions.`,
  examples: [
    '\'shop-*\' --bucket "$BUCKET" --key "$KEY" --layer-x64 "$LAYER"           # shows what would change',
    '\'shop-*\' --bucket "$BUCKET" --key "$KEY" --layer-x64 "$LAYER" --apply',
  ],
  exits: '0 done or shown, 1 a function was refused or failed, 2 wrong arguments, 3 no function is meant',
  async run(values, names) {
    const asked = located(values, {
      ...{ bucket: 'EvidenceBucket', key: 'EvidenceKey' },
      ...{ 'layer-x64': 'LayerX64Arn', 'layer-with-node-x64': 'LayerWithNodeX64Arn' },
      ...{ 'layer-arm64': 'LayerArm64Arn', 'layer-with-node-arm64': 'LayerWithNodeArm64Arn' },
    });
    const { bucket, key, qualified, all, except, apply, json } = asked;
    if (bucket === undefined) throw new UsageError('--bucket is missing: the stack output <id>EvidenceBucket');
    if (!/^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$/.test(bucket)) throw new UsageError(`--bucket "${bucket}" is no name of a bucket`);
    if (key !== undefined && !/^arn:[\w-]+:kms:[\w-]+:\d{12}:key\/[\w-]+$/.test(key))
      throw new UsageError(`--key "${key}" is no ARN of a key`);
    const kinds = ['layer-x64', 'layer-with-node-x64', 'layer-arm64', 'layer-with-node-arm64'] as const;
    const layers = Object.fromEntries(kinds.flatMap((kind) => (asked[kind] === undefined ? [] : [[kind, asked[kind]]])));
    for (const [kind, arn] of Object.entries(layers)) {
      if (!/^arn:[\w-]+:lambda:[\w-]+:\d{12}:layer:[\w-]+:\d+$/.test(String(arn)))
        throw new UsageError(`--${kind} must be the ARN of a version of a layer, not "${arn}"`);
    }
    const wanted: Wanted = { bucket, key, layers, qualified };
    const { Functions } = await import('./instrument/functions.ts');
    const functions = new Functions(asked);
    const found = await selected(functions, { names, all, except });
    const tasks = found.map((deployed) => ({
      ...{ deployed, plan: instrumentPlan(deployed, wanted) },
      policy: asked['no-policy'] ? null : rolePolicy(deployed, wanted),
    }));
    return change(functions, tasks, { apply, json });
  },
});
