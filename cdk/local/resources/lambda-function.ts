import { createHash } from 'node:crypto';
import { functionImage } from '../image/function-image.ts';
import { accessKeyId } from '../lambda/environment.ts';
import type { FunctionSpec } from '../lambda/types.ts';
import { codeDirectory, inlineDirectory } from '../template/code.ts';
import { TemplateError } from '../template/problem.ts';
import { number, object, type Resource, type ResourceType, text } from '../template/resource-type.ts';
import { DESCRIPTION, ENCRYPTION, NO_NETWORKS, NO_TRACING, TAGS } from './reasons.ts';

/** Defaults of Lambda. */
const DEFAULT_MEMORY_MB = 128;
const DEFAULT_TIMEOUT_S = 3;

function directory(resource: Resource): string {
  const { services, logicalId, stack, metadata } = resource;
  const code = object(resource.properties.Code);
  const where = resource.at('Code');
  if (typeof code.ZipFile === 'string')
    return inlineDirectory(code.ZipFile, text(resource, 'Runtime'), logicalId, services.env.stateDir, where);
  return codeDirectory(stack, code, metadata, services.env.stateDir, where);
}

/** Code, layers and runtime: of a container image or a zip package. */
function packageOf(resource: Resource): Pick<FunctionSpec, 'runtime' | 'handler' | 'codeDir' | 'layerDirs' | 'image'> {
  const { ImageUri: image } = object(resource.properties.Code);
  if (typeof image === 'string') return { ...functionImage(resource, image), handler: '' };
  const [runtime, handler] = [text(resource, 'Runtime'), text(resource, 'Handler')];
  return { runtime, handler, codeDir: directory(resource), layerDirs: layers(resource) };
}

function layers(resource: Resource): string[] {
  const arns = (resource.properties.Layers ?? []) as unknown[];
  return arns.map((arn) => {
    const found = resource.services.layers.get(String(arn));
    if (found !== undefined) return found;
    throw new TemplateError(
      resource.at('Layers'),
      `the layer ${String(arn)} is not part of the stack, so its content is not here; leave it out for local runs.`,
    );
  });
}

export const lambdaFunction: ResourceType = {
  type: 'AWS::Lambda::Function',
  properties: {
    FunctionName: true,
    Code: {
      S3Bucket: true,
      S3Key: true,
      S3ObjectVersion: 'the asset of this synthesis is used',
      ZipFile: true,
      ImageUri: true,
    },
    Handler: true,
    Runtime: true,
    Environment: { Variables: true },
    MemorySize: true,
    Timeout: true,
    Layers: true,
    ReservedConcurrentExecutions: true,
    EphemeralStorage: { Size: true },
    PackageType: true,
    ImageConfig: { Command: true, EntryPoint: true, WorkingDirectory: true },
    DeadLetterConfig: { TargetArn: true },
    Role: true,
    Architectures: 'functions run on the processor that is there',
    Description: DESCRIPTION,
    Tags: TAGS,
    TracingConfig: NO_TRACING,
    LoggingConfig: {
      LogGroup: true,
      LogFormat: 'lines of the platform are text',
      ApplicationLogLevel: 'all lines are kept',
      SystemLogLevel: 'all lines are kept',
    },
    VpcConfig: NO_NETWORKS,
    KmsKeyArn: ENCRYPTION,
    CodeSigningConfigArn: 'assets come from the local synthesis',
    RuntimeManagementConfig: 'the runtime is the one on this machine',
    RecursiveLoop: 'loops are not detected locally',
  },
  async create(resource) {
    const { properties, services } = resource;
    const name = resource.name(properties.FunctionName);
    const { env, functions } = services;
    const arn = `arn:aws:lambda:${env.region}:${env.accountId}:function:${name}`;
    const variables = Object.entries(object(object(properties.Environment).Variables)).map(
      ([key, value]) => [key, String(value)] as const,
    );
    const reserved = properties.ReservedConcurrentExecutions;
    const code = packageOf(resource);
    const { runtime, handler, image } = code;
    await functions.add({
      name,
      arn,
      ...code,
      environment: Object.fromEntries(variables),
      memoryMb: number(resource, 'MemorySize', DEFAULT_MEMORY_MB),
      timeoutMs: number(resource, 'Timeout', DEFAULT_TIMEOUT_S) * 1000,
      region: env.region,
      accountId: env.accountId,
      ...(reserved === undefined ? {} : { reservedConcurrency: Number(reserved) }),
      ...(properties.EphemeralStorage === undefined ? {} : { ephemeralMb: Number(object(properties.EphemeralStorage).Size) }),
    });
    services.iam.open(accessKeyId(arn), String(properties.Role ?? ''), name);
    services.topology.functions.push({
      ...{ FunctionName: name, FunctionArn: arn },
      ...(image === undefined ? { PackageType: 'Zip', Runtime: runtime, Handler: handler } : { PackageType: 'Image' }),
      ...{ Role: String(properties.Role ?? ''), LastModified: new Date().toISOString().replace('Z', '+0000') },
      ...{ Layers: ((properties.Layers ?? []) as unknown[]).map((layer) => ({ Arn: String(layer) })), Version: '$LATEST' },
      Environment: { Variables: Object.fromEntries(variables) },
      // Assets are named after their content, so their names change just when the code does.
      CodeSha256: createHash('sha256').update(JSON.stringify(properties.Code)).digest('base64'),
    });
    const { LogGroup: group } = object(properties.LoggingConfig);
    if (typeof group === 'string') services.logs.setGroup(name, group);
    const { TargetArn: deadLetter } = object(properties.DeadLetterConfig);
    if (typeof deadLetter === 'string') services.destinations.set(name, { deadLetter });
    return { ref: name, attributes: { Arn: arn } };
  },
};
