import { existsSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';

export interface Template {
  readonly Resources?: Record<string, TemplateResource>;
  readonly Outputs?: Record<
    string,
    { readonly Value?: unknown; readonly Condition?: string; readonly Export?: { readonly Name?: unknown } }
  >;
  readonly Parameters?: Record<string, { readonly Type?: string; readonly Default?: unknown }>;
  readonly Conditions?: Record<string, unknown>;
  readonly Mappings?: Record<string, Record<string, Record<string, unknown>>>;
  readonly Transform?: unknown;
}

export interface TemplateResource {
  readonly Type: string;
  readonly Properties?: Record<string, unknown>;
  readonly DependsOn?: string | readonly string[];
  readonly Condition?: string;
  readonly Metadata?: Record<string, unknown>;
}

/** A file or directory that the template refers to. */
export interface Asset {
  /** Hash it is known by. */
  readonly id: string;
  readonly path: string;
  /** `zip`: a directory that a deployment would zip. `file`: uploaded as it is. */
  readonly packaging: string;
  readonly objectKeys: readonly string[];
}

/** A container image that a deployment would build. */
export interface ImageAsset {
  /** Directory that is sent to the build. */
  readonly path: string;
  /** The Dockerfile in it. */
  readonly file: string;
  readonly target: string | undefined;
  readonly buildArgs: Readonly<Record<string, string>>;
  /** Further directories, by name. */
  readonly buildContexts: Readonly<Record<string, string>>;
  readonly tags: readonly string[];
}

/** One stack of a cloud assembly, as `cdk synth` leaves it. */
export interface StackArtifact {
  readonly id: string;
  readonly name: string;
  readonly template: Template;
  /** Account and region, null where the app leaves them open. */
  readonly accountId: string | null;
  readonly region: string | null;
  readonly assets: readonly Asset[];
  readonly images: readonly ImageAsset[];
  readonly directory: string;
  /** Construct path by logical id. */
  readonly constructPaths: ReadonlyMap<string, string>;
}

interface Artifact {
  readonly type: string;
  readonly environment?: string;
  readonly properties?: { readonly templateFile?: string; readonly stackName?: string; readonly file?: string };
  readonly dependencies?: readonly string[];
  /** Metadata by construct path; newer assemblies keep it in a file of its own. */
  readonly metadata?: ConstructMetadata;
  readonly additionalMetadataFile?: string;
}

type ConstructMetadata = Record<string, readonly { readonly type: string; readonly data?: unknown }[]>;

interface AssetManifest {
  readonly files?: Record<
    string,
    {
      readonly source?: { readonly path?: string; readonly packaging?: string };
      readonly destinations?: Record<string, { readonly objectKey?: string }>;
    }
  >;
  readonly dockerImages?: Record<
    string,
    {
      readonly source?: {
        readonly directory?: string;
        readonly dockerFile?: string;
        readonly dockerBuildTarget?: string;
        readonly dockerBuildArgs?: Record<string, string>;
        readonly dockerBuildContexts?: Record<string, string>;
      };
      readonly destinations?: Record<string, { readonly imageTag?: string }>;
    }
  >;
}

function readJson(file: string): unknown {
  try {
    return JSON.parse(readFileSync(file, 'utf8')) as unknown;
  } catch (cause) {
    throw new Error(
      `Cannot read ${file}: ${cause instanceof Error ? cause.message : String(cause)}. Run \`cdk synth\` again.`,
      { cause },
    );
  }
}

function assets(directory: string, manifestFile: string): Asset[] {
  const manifest = readJson(join(directory, manifestFile)) as AssetManifest;
  return Object.entries(manifest.files ?? {}).map(([id, file]) => ({
    id,
    path: join(directory, file.source?.path ?? ''),
    packaging: file.source?.packaging ?? 'file',
    objectKeys: Object.values(file.destinations ?? {}).flatMap((one) => (one.objectKey === undefined ? [] : [one.objectKey])),
  }));
}

function images(directory: string, manifestFile: string): ImageAsset[] {
  const manifest = readJson(join(directory, manifestFile)) as AssetManifest;
  return Object.values(manifest.dockerImages ?? {}).map(({ source = {}, destinations = {} }) => {
    const path = join(directory, source.directory ?? '');
    // Docker is started in the asset's directory.
    const contexts = Object.entries(source.dockerBuildContexts ?? {}).map(([name, one]) => [name, resolve(path, one)]);
    return {
      path,
      file: source.dockerFile ?? 'Dockerfile',
      target: source.dockerBuildTarget,
      buildArgs: source.dockerBuildArgs ?? {},
      buildContexts: Object.fromEntries(contexts) as Record<string, string>,
      tags: Object.values(destinations).flatMap((one) => one.imageTag ?? []),
    };
  });
}

function constructPaths(directory: string, artifact: Artifact): Map<string, string> {
  const file = artifact.additionalMetadataFile;
  const metadata = {
    ...artifact.metadata,
    ...(file === undefined ? {} : (readJson(join(directory, file)) as ConstructMetadata)),
  };
  const found = new Map<string, string>();
  for (const [path, entries] of Object.entries(metadata))
    for (const entry of entries)
      if (entry.type === 'aws:cdk:logicalId' && typeof entry.data === 'string') found.set(entry.data, path.replace(/^\//, ''));
  return found;
}

/** `aws://123456789012/eu-west-1` → its parts; `unknown-account` and `unknown-region` → null. */
function environment(text: string | undefined): [string | null, string | null] {
  const [account, region] = (text ?? '').replace('aws://', '').split('/');
  const known = (part: string | undefined) => (part === undefined || part === '' || part.startsWith('unknown-') ? null : part);
  return [known(account), known(region)];
}

/**
 * Loads stacks of the assembly in `directory`, each after those that it depends on. Without `wanted` there must be exactly one.
 * Throws when the assembly or a stack is not there, naming the stacks that are.
 */
export function loadStacks(directory: string, wanted: readonly string[]): readonly StackArtifact[] {
  const file = join(directory, 'manifest.json');
  if (!existsSync(file))
    throw new Error(
      `${directory} is no cloud assembly: it has no manifest.json. Synthesise the app first (\`cdk synth\`), or give --app.`,
    );
  const { artifacts = {} } = readJson(file) as { artifacts?: Record<string, Artifact> };
  const stacks = Object.entries(artifacts).filter(([, one]) => one.type === 'aws:cloudformation:stack');
  const names = stacks.map(([id, one]) => one.properties?.stackName ?? id).join(', ');
  if (wanted.length === 0 && stacks.length !== 1)
    throw new Error(
      `${directory} has ${stacks.length} stacks (${names || 'none'}); name the one to run with \`stack\` (--stack), or several (a,b).`,
    );
  const isMeant =
    ([id, one]: (typeof stacks)[number]) =>
    (stack: string) =>
      id === stack || one.properties?.stackName === stack;
  for (const stack of wanted) {
    if (!stacks.some((one) => isMeant(one)(stack)))
      throw new Error(`${directory} has no stack ${stack}; it has ${names || 'none'}.`);
  }
  const chosen = stacks.filter((one) => wanted.length === 0 || wanted.some(isMeant(one)));
  return inOrder(chosen).map(([id, artifact]) => load(directory, artifacts, id, artifact));
}

/** Each stack after those that it depends on, else as the assembly has them. */
function inOrder(stacks: readonly [string, Artifact][]): [string, Artifact][] {
  const done = new Map<string, Artifact>();
  const visit = (id: string): void => {
    const found = stacks.find(([one]) => one === id)?.[1];
    if (found === undefined || done.has(id)) return;
    for (const needed of found.dependencies ?? []) if (needed !== id) visit(needed);
    done.set(id, found);
  };
  for (const [id] of stacks) visit(id);
  return [...done];
}

function load(directory: string, artifacts: Readonly<Record<string, Artifact>>, id: string, artifact: Artifact): StackArtifact {
  const [accountId, region] = environment(artifact.environment);
  const manifests = (artifact.dependencies ?? []).flatMap((name) => {
    const one = artifacts[name];
    return one?.type === 'cdk:asset-manifest' && one.properties?.file !== undefined ? [one.properties.file] : [];
  });
  return {
    id,
    name: artifact.properties?.stackName ?? id,
    template: readJson(join(directory, artifact.properties?.templateFile ?? `${id}.template.json`)) as Template,
    accountId,
    region,
    assets: manifests.flatMap((name) => assets(directory, name)),
    images: manifests.flatMap((name) => images(directory, name)),
    directory,
    constructPaths: constructPaths(directory, artifact),
  };
}
