import { nameSuffix } from '../ids.ts';
import { ignoredResource } from '../resources/ignored.ts';
import { NATIVE_CUSTOM_TYPES, RESOURCE_TYPES } from '../resources/index.ts';
import type { Services } from '../services.ts';
import type { StackArtifact, TemplateResource } from './assembly.ts';
import { parameterValues } from './parameters.ts';
import { TemplateError, type Where } from './problem.ts';
import { creationOrder, references } from './references.ts';
import { type Created, Resolver } from './resolver.ts';
import { checkProperties, type Resource } from './resource-type.ts';

/** A stack that runs. */
export interface Deployment {
  readonly created: ReadonlyMap<string, Created>;
  readonly outputs: Readonly<Record<string, string>>;
}

const CDK_PATH = 'aws:cdk:path';

function location(stack: StackArtifact, logicalId: string, resource: TemplateResource): Where {
  const path = resource.Metadata?.[CDK_PATH];
  return { stack: stack.name, logicalId, constructPath: typeof path === 'string' ? path : stack.constructPaths.get(logicalId) };
}

/** Functions that only serve custom resources which the engine applies itself: they never run here. */
function providers(stack: StackArtifact): Set<string> {
  const found = new Set<string>();
  for (const resource of Object.values(stack.template.Resources ?? {}))
    if (NATIVE_CUSTOM_TYPES.has(resource.Type)) references(resource.Properties?.ServiceToken, found);
  return found;
}

function physicalName(stack: StackArtifact, logicalId: string, given: unknown, maxLength = 64): string {
  if (typeof given === 'string' && given !== '') return given;
  const suffix = `-${nameSuffix()}`;
  return `${stack.name}-${logicalId}`.slice(0, maxLength - suffix.length) + suffix;
}

/**
 * Creates every resource of a stack, in the order their references demand, and resolves its outputs.
 * @param exports what stacks before it exported; its own are added
 * Throws TemplateError at the first thing that cannot run here as it would on AWS; nothing is skipped silently.
 */
export async function deploy(
  stack: StackArtifact,
  services: Services,
  exports = new Map<string, string>(),
): Promise<Deployment> {
  const { template } = stack;
  if (template.Transform !== undefined)
    throw new TemplateError(
      { stack: stack.name, logicalId: 'Transform' },
      'templates with transforms (macros, SAM) cannot run locally.',
    );
  const { accountId, region } = services.env;
  const created = new Map<string, Created>();
  const resolver = new Resolver({
    stack: stack.name,
    stackId: `arn:aws:cloudformation:${region}:${accountId}:stack/${stack.name}/local`,
    accountId,
    region,
    template,
    created,
    parameters: parameterValues(stack.name, template, services.parameters),
    exports,
    finish: (text) => services.apis.localise(text),
  });
  const skipped = providers(stack);
  checkTypes(stack, resolver);
  // It takes seconds to start, so it starts while the rest is created. A failure shows at the first table.
  const hasTables = Object.values(template.Resources ?? {}).some((one) => one.Type.startsWith('AWS::DynamoDB::'));
  if (hasTables) services.dynamodb.start().catch(() => undefined);
  for (const logicalId of creationOrder(stack.name, template)) {
    const source = template.Resources?.[logicalId];
    if (source === undefined) continue;
    const where = location(stack, logicalId, source);
    if (source.Condition !== undefined && !resolver.condition(source.Condition, where)) continue;
    const name = (given: unknown, maxLength?: number) => physicalName(stack, logicalId, given, maxLength);
    const known = RESOURCE_TYPES.has(source.Type);
    const ignored = known ? null : ignoredResource(source.Type, () => name(undefined), services.env);
    if (ignored !== null || skipped.has(logicalId)) {
      created.set(logicalId, ignored ?? providerStandIn(name(undefined), services));
      continue;
    }
    created.set(logicalId, await create(stack, services, resolver, logicalId, source, where));
  }
  const outputs: Record<string, string> = {};
  for (const [name, output] of Object.entries(template.Outputs ?? {})) {
    const where = { stack: stack.name, logicalId: `output ${name}` };
    if (output.Condition !== undefined && !resolver.condition(output.Condition, where)) continue;
    outputs[name] = String(resolver.resolve(output.Value, where));
    if (output.Export?.Name !== undefined) exports.set(resolver.text(output.Export.Name, where), outputs[name]);
  }
  return { created, outputs };
}

/** Refuses unknown types before anything is started, so that a mistake costs no waiting. */
function checkTypes(stack: StackArtifact, resolver: Resolver): void {
  for (const [logicalId, resource] of Object.entries(stack.template.Resources ?? {})) {
    const where = location(stack, logicalId, resource);
    const wanted = resource.Condition === undefined || resolver.condition(resource.Condition, where);
    if (wanted && !RESOURCE_TYPES.has(resource.Type) && ignoredResource(resource.Type, () => logicalId, null) === null)
      throw new TemplateError(
        where,
        `the resource type ${resource.Type} is not supported locally. Leave it out for local runs, e.g. depending on a context value, or put it into another stack. \`alastor local --supported\` lists what is.`,
      );
  }
}

function providerStandIn(name: string, services: Services): Created {
  const { region, accountId } = services.env;
  return { ref: name, attributes: { Arn: `arn:aws:lambda:${region}:${accountId}:function:${name}` } };
}

async function create(
  stack: StackArtifact,
  services: Services,
  resolver: Resolver,
  logicalId: string,
  source: TemplateResource,
  where: Where,
): Promise<Created> {
  const type = RESOURCE_TYPES.get(source.Type);
  if (type === undefined) throw new TemplateError(where, `the resource type ${source.Type} is not supported locally.`);
  // Refused before it is resolved: a reference inside an unsupported property must not hide the better message.
  checkTop(source, type.properties, where);
  const properties = (resolver.resolve(source.Properties ?? {}, where) ?? {}) as Record<string, unknown>;
  checkProperties(properties, type.properties, where, source.Type);
  const resource: Resource = {
    logicalId,
    type: source.Type,
    properties,
    metadata: source.Metadata ?? {},
    where,
    stack,
    services,
    name: (given, maxLength) => physicalName(stack, logicalId, given, maxLength),
    at: (property) => ({ ...where, property }),
  };
  try {
    return await type.create(resource);
  } catch (cause) {
    if (cause instanceof TemplateError) throw cause;
    throw new TemplateError(where, cause instanceof Error ? cause.message : String(cause), { cause });
  }
}

function checkTop(source: TemplateResource, shape: Parameters<typeof checkProperties>[1], where: Where): void {
  const names = Object.fromEntries(Object.keys(source.Properties ?? {}).map((name) => [name, undefined]));
  checkProperties(names, shape, where, source.Type);
}
