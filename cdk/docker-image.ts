import { copyFileSync, existsSync, linkSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { type CfnResource, FileSystem, IgnoreMode, Stage } from 'aws-cdk-lib';
import type { IRepository } from 'aws-cdk-lib/aws-ecr';
import {
  Architecture,
  type AssetImageCodeProps,
  Code,
  type CodeConfig,
  DockerImageCode,
  type EcrImageCodeProps,
  type ResourceBindOptions,
} from 'aws-cdk-lib/aws-lambda';
import { DISABLE_ASSET_STAGING_CONTEXT } from 'aws-cdk-lib/cx-api';
import type { Construct, IConstruct } from 'constructs';
import { imageContext, imageEntrypoint, wrapDockerfile } from './image-wrap.ts';
import { builtLayers, layerArchitecture } from './layer.ts';

export interface AuditedImageAssetProps extends AssetImageCodeProps {
  /**
   * Directory with the built folder `image` (`image-arm64`, `image-x64` for another processor than this machine's).
   * @default the package's own `build`, made by `npm run build`
   */
  readonly layerDirectory?: string;
}

const mark = Symbol.for('alastor.image');
const dockerfileName = 'Dockerfile.alastor';

/**
 * Code of a `DockerImageFunction` that can be audited: layers are not possible with images, so the audit is part of the image.
 *
 *     const fn = new DockerImageFunction(this, 'Billing', { code: AuditedDockerImageCode.fromImageAsset('billing') });
 *     alastor.audit(fn);
 *
 * Until it is audited, its recorder has nowhere to store what it sees.
 */
export abstract class AuditedDockerImageCode extends DockerImageCode {
  /**
   * Builds the image from `directory` as `DockerImageCode.fromImageAsset` does, with the audit added to its Dockerfile. Docker
   * must build with BuildKit (the default since Docker 23).
   * @throws Error when the Dockerfile does not tell what the image starts, or the audit's files have not been built
   */
  static override fromImageAsset(directory: string, props: AuditedImageAssetProps = {}): DockerImageCode {
    return { _bind: (architecture = Architecture.X86_64) => new AuditedImageCode(directory, props, architecture) };
  }

  /** An image that was built with the audit elsewhere (docs/images.md), and is in ECR. */
  static override fromEcr(repository: IRepository, props: EcrImageCodeProps = {}): DockerImageCode {
    const [first] = props.entrypoint ?? [imageEntrypoint];
    if (first !== imageEntrypoint) {
      throw new Error(
        `AuditedDockerImageCode.fromEcr: entrypoint must begin with ${imageEntrypoint}; it begins with ${first}.`,
      );
    }
    return { _bind: () => new MarkedCode(DockerImageCode.fromEcr(repository, props)._bind()) };
  }

  /** Whether the image of this function has the audit in it. */
  static isAudited(fn: IConstruct): boolean {
    return mark in fn;
  }
}

/** Hands everything on, and leaves the mark on the function that it is bound to. */
class MarkedCode extends Code {
  readonly isInline = false;
  protected inner: Code | undefined;

  constructor(inner?: Code) {
    super();
    this.inner = inner;
  }

  override bind(scope: Construct): CodeConfig {
    if (this.inner === undefined) throw new Error(`Alastor: the image of ${scope.node.path} has not been prepared.`);
    Object.defineProperty(scope, mark, { value: true });
    return this.inner.bind(scope);
  }

  override bindToResource(resource: CfnResource, options?: ResourceBindOptions): void {
    this.inner?.bindToResource(resource, options);
  }
}

class AuditedImageCode extends MarkedCode {
  private readonly directory: string;
  private readonly props: AuditedImageAssetProps;
  private readonly architecture: Architecture;

  constructor(directory: string, props: AuditedImageAssetProps, architecture: Architecture) {
    super();
    this.directory = directory;
    this.props = props;
    this.architecture = architecture;
  }

  override bind(scope: Construct): CodeConfig {
    if (this.inner !== undefined) return super.bind(scope);
    const { layerDirectory = builtLayers, file = 'Dockerfile', target, entrypoint, ...props } = this.props;
    const { exclude = [], ignoreMode = IgnoreMode.DOCKER, ...rest } = props;
    const path = join(this.directory, file);
    const refuse = (problem: string, cause?: unknown): Error =>
      new Error(`Alastor cannot prepare the image of ${scope.node.path} (${path}): ${problem}.`, { cause });
    if (!existsSync(path)) throw refuse('there is no such file');
    const { outdir, assetOutdir } = Stage.of(scope) ?? {};
    if (outdir === undefined || assetOutdir === undefined) throw refuse('it is not part of an app');

    let wrapped: ReturnType<typeof wrapDockerfile>;
    try {
      wrapped = wrapDockerfile(readFileSync(path, 'utf8'), { target, buildArgs: props.buildArgs, entrypoint });
    } catch (error) {
      throw refuse((error as Error).message, error);
    }
    const files = stageFiles(auditFolder(layerDirectory, this.architecture, refuse), assetOutdir, wrapped.needsNode);

    // A copy of the directory, as far as it is sent to Docker, in which the Dockerfile has its new lines.
    const copy = join(assetOutdir, `alastor-app-${scope.node.addr}`);
    rmSync(copy, { recursive: true, force: true });
    mkdirSync(copy, { recursive: true });
    const ignored = [...ignoreFile(this.directory, file), ...exclude, 'cdk.out', relative(this.directory, assetOutdir)];
    FileSystem.copyDirectory(this.directory, copy, {
      exclude: ignored,
      ignoreMode,
      ...(props.followSymlinks === undefined ? {} : { followSymlinks: props.followSymlinks }),
    });
    writeFileSync(join(copy, dockerfileName), wrapped.dockerfile);
    // The build needs it; `COPY . .` does not.
    writeFileSync(join(copy, '.dockerignore'), `${dockerfileName}\n.dockerignore\n`);
    this.inner = DockerImageCode.fromImageAsset(copy, {
      ...rest,
      file: dockerfileName,
      ...(wrapped.entrypoint === undefined ? {} : { entrypoint: [...wrapped.entrypoint] }),
      // Seen from the copy, so that the assembly can be deployed from another machine.
      buildContexts: { ...rest.buildContexts, [imageContext]: `../${files}` },
    })._bind(this.architecture);
    const config = super.bind(scope);
    if (scope.node.tryGetContext(DISABLE_ASSET_STAGING_CONTEXT) !== true) rmSync(copy, { recursive: true });
    return config;
  }
}

/** BuildKit takes the file of the Dockerfile's own name first. */
function ignoreFile(directory: string, file: string): string[] {
  const path = [`${file}.dockerignore`, '.dockerignore'].map((name) => join(directory, name)).find(existsSync);
  if (path === undefined) return [];
  return readFileSync(path, 'utf8')
    .split(/\r?\n/)
    .filter((line) => line !== '');
}

/** Folder with the files of the audit for images of this processor. */
function auditFolder(directory: string, { name }: Architecture, refuse: (problem: string) => Error): string {
  const arch = name === Architecture.ARM_64.name ? 'arm64' : 'x64';
  const own = name === layerArchitecture.name;
  const found = [`image-${arch}`, ...(own ? ['image'] : [])].map((one) => join(directory, one)).find(existsSync);
  if (found !== undefined) return found;
  const build = own ? 'npm run build' : `node layers/build.ts --arch ${arch}`;
  throw refuse(
    `there is no ${join(directory, own ? 'image' : `image-${arch}`)}. Build it with \`${build}\`, then synthesise again`,
  );
}

/** Puts the files of the audit into the cloud assembly, once for all functions; answers the name of their folder, which tells its content. */
function stageFiles(folder: string, assetOutdir: string, withNode: boolean): string {
  const id = readFileSync(join(folder, 'alastor/build-id'), 'utf8').trim();
  const name = `alastor-image.${id.slice(0, 16)}${withNode ? '' : '.without-node'}`;
  const target = join(assetOutdir, name);
  for (const part of ['alastor', 'extensions']) {
    mkdirSync(join(target, part), { recursive: true });
    for (const file of readdirSync(join(folder, part))) {
      if (part === 'alastor' && file === 'node' && !withNode) continue;
      linkOrCopy(join(folder, part, file), join(target, part, file));
    }
  }
  return name;
}

function linkOrCopy(from: string, to: string): void {
  if (existsSync(to)) return;
  try {
    linkSync(from, to);
  } catch {
    copyFileSync(from, to);
  }
}
