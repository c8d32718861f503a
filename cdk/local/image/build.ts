import { existsSync, mkdirSync, readFileSync, rmSync } from 'node:fs';
import { join, posix } from 'node:path';
import {
  argument,
  assignments,
  baseStage,
  DockerfileError,
  type Instruction,
  readDockerfile,
  type Stage,
  stagesOf,
  targetStage,
  words,
} from '../../dockerfile.ts';
import { imageStart } from '../../image-start.ts';
import { overlay } from '../lambda/layers.ts';
import type { ImageAsset } from '../template/assembly.ts';
import { type BaseImage, baseImage, KNOWN_BASES } from './base.ts';
import { copy } from './copy.ts';

/** An image as far as it differs from what the engine has in place of its base. */
export interface LocalImage {
  readonly base: BaseImage;
  /** Directory with what was copied into it. */
  readonly root: string;
  readonly environment: Readonly<Record<string, string>>;
  readonly workingDirectory: string;
  readonly entrypoint: readonly string[];
  readonly cmd: readonly string[];
}

type Built = Omit<LocalImage, 'entrypoint' | 'cmd'>;

/** Of no consequence where a function runs. */
const WITHOUT_EFFECT = new Set([
  'LABEL',
  'EXPOSE',
  'USER',
  'MAINTAINER',
  'STOPSIGNAL',
  'HEALTHCHECK',
  'VOLUME',
  'SHELL',
  'ONBUILD',
]);
const START = new Set(['CMD', 'ENTRYPOINT']);

/**
 * Makes an image without Docker: of bases that the engine has a runtime for, and of instructions that copy files and set what a
 * program finds. Nothing is run.
 * @param into directory for its files
 * @throws DockerfileError naming the line that cannot be done here
 */
export function buildImage(asset: ImageAsset, into: string): LocalImage {
  const stages = stagesOf(readDockerfile(readFileSync(join(asset.path, asset.file), 'utf8')), asset.buildArgs);
  rmSync(into, { recursive: true, force: true });
  const builder = new Builder(asset, stages, into);
  const { entrypoint = [], cmd = [] } = imageStart(stages, asset.target);
  return { ...builder.stage(targetStage(stages, asset.target)), entrypoint, cmd };
}

class Builder {
  readonly #asset: ImageAsset;
  readonly #stages: readonly Stage[];
  readonly #into: string;
  readonly #built = new Map<Stage, Built>();

  constructor(asset: ImageAsset, stages: readonly Stage[], into: string) {
    this.#asset = asset;
    this.#stages = stages;
    this.#into = into;
  }

  stage(stage: Stage): Built {
    const built = this.#built.get(stage) ?? this.#build(stage);
    this.#built.set(stage, built);
    return built;
  }

  #build(stage: Stage): Built {
    const root = join(this.#into, String(this.#stages.indexOf(stage)));
    mkdirSync(root, { recursive: true });
    let image: Built = { ...this.#below(stage), root };
    let args: Record<string, string> = {};
    for (const one of stage.instructions) {
      const variables = { ...args, ...image.environment };
      if (one.name === 'ARG') args = { ...args, ...argument(one.text, variables, this.#asset.buildArgs) };
      else if (one.name === 'ENV')
        image = { ...image, environment: { ...image.environment, ...assignments(one.text, variables) } };
      else if (one.name === 'WORKDIR') {
        const [directory = '/'] = words(one.text, variables);
        image = { ...image, workingDirectory: posix.resolve(image.workingDirectory, directory) };
        mkdirSync(join(root, image.workingDirectory), { recursive: true });
      } else if (one.name === 'COPY' || one.name === 'ADD') this.#copy(one, image, variables);
      else if (!START.has(one.name) && !WITHOUT_EFFECT.has(one.name)) {
        const instead = one.name === 'RUN' ? ': let the app prepare the files, and copy them' : '';
        throw new DockerfileError(one.line, `${one.name} cannot be done here, where images are made without Docker${instead}`);
      }
    }
    return image;
  }

  #below(stage: Stage): Omit<Built, 'root'> {
    const before = baseStage(this.#stages, stage);
    if (before !== undefined) {
      const built = this.stage(before);
      overlay(built.root, join(this.#into, String(this.#stages.indexOf(stage))));
      return built;
    }
    const base = baseImage(stage.from);
    if (base === undefined)
      throw new DockerfileError(stage.line, `the image ${stage.from} is not here; images can be based on ${KNOWN_BASES}`);
    // So that what is copied to it goes into it.
    mkdirSync(join(this.#into, String(this.#stages.indexOf(stage)), base.workingDirectory), { recursive: true });
    return { base, environment: base.environment, workingDirectory: base.workingDirectory };
  }

  #copy({ name, line, flags, text, documents }: Instruction, image: Built, variables: Readonly<Record<string, string>>): void {
    const listed = words(text, variables);
    const sources = listed.slice(0, -1);
    const target = listed.at(-1) ?? '';
    if (sources.length === 0) throw new DockerfileError(line, `${name} needs a source and a target`);
    if (documents.length > 0) throw new DockerfileError(line, 'here-documents cannot be copied here');
    if (name === 'ADD' && sources.some((one) => /^[\w+.-]+:|\.(tar|tgz|tar\.\w+)$/.test(one)))
      throw new DockerfileError(line, 'ADD can neither fetch nor unpack anything here: copy the files');
    const slash = target.endsWith('/') || target === '.' ? '/' : '';
    const to = `${posix.resolve(image.workingDirectory, target)}${slash}`;
    try {
      copy({ from: this.#source(flags.from, line), sources, to, root: image.root, mode: flags.chmod });
    } catch (error) {
      if (error instanceof DockerfileError) throw error;
      throw new DockerfileError(line, (error as Error).message);
    }
  }

  /** Directory that a COPY reads: the build's own, another one given to it, or the files of a stage. */
  #source(from: string | undefined, line: number): string {
    if (from === undefined) return this.#asset.path;
    const stage = this.#stages.find(({ name }, i) => name === from.toLowerCase() || String(i) === from);
    if (stage !== undefined) return this.stage(stage).root;
    const context = this.#asset.buildContexts[from];
    if (context !== undefined && existsSync(context)) return context;
    throw new DockerfileError(line, `COPY --from=${from}: that is no stage, and no image that is here`);
  }
}
