import { mkdirSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { DockerfileError } from '../../dockerfile.ts';
import type { FunctionSpec } from '../lambda/types.ts';
import { TemplateError } from '../template/problem.ts';
import { object, type Resource } from '../template/resource-type.ts';
import { buildImage, type LocalImage } from './build.ts';

/** Folders of the sandbox's root that are the machine's or the engine's own: nothing can be put there. */
const TAKEN = new Set(['bin', 'dev', 'etc', 'lib', 'lib32', 'lib64', 'proc', 'sbin', 'tmp', 'usr']);

/**
 * What the sandbox makes of a function's container image, which must be an asset of the app.
 * @throws TemplateError saying what cannot be done without Docker
 */
export function functionImage(
  resource: Resource,
  uri: string,
): Pick<FunctionSpec, 'runtime' | 'codeDir' | 'layerDirs' | 'image'> {
  const { stack, services, logicalId } = resource;
  const where = resource.at('Code.ImageUri');
  const asset = stack.images.find(({ tags }) => tags.some((tag) => uri.endsWith(`:${tag}`)));
  if (asset === undefined)
    throw new TemplateError(where, `the image ${uri} is not built by this app; only images from assets can run locally.`);
  let image: LocalImage;
  try {
    image = buildImage(asset, join(services.env.stateDir, 'images', logicalId));
  } catch (error) {
    if (!(error instanceof DockerfileError)) throw error;
    throw new TemplateError(where, `${join(asset.path, asset.file)}, ${error.message}.`, { cause: error });
  }
  const { Command: cmd, EntryPoint: entrypoint, WorkingDirectory: directory } = object(resource.properties.ImageConfig);
  const codeDir = join(image.root, 'var/task');
  mkdirSync(codeDir, { recursive: true });
  const { mounts, hasOpt } = mountsOf(image.root, (path) => {
    const problem = `its image has ${path}, where the engine has the machine's own files; copy to /var/task, /opt or a new folder.`;
    return new TemplateError(where, problem);
  });
  return {
    runtime: image.base.runtime,
    codeDir,
    layerDirs: hasOpt ? [join(image.root, 'opt')] : [],
    image: {
      lambda: image.base.lambda,
      command: [...((entrypoint as string[] | undefined) ?? image.entrypoint), ...((cmd as string[] | undefined) ?? image.cmd)],
      workingDirectory: typeof directory === 'string' ? directory : image.workingDirectory,
      environment: image.environment,
      mounts,
    },
  };
}

/** bubblewrap arguments for what is neither in /var/task nor in /opt. */
function mountsOf(root: string, refuse: (path: string) => Error): { mounts: string[]; hasOpt: boolean } {
  const mounts: string[] = [];
  let hasOpt = false;
  for (const name of readdirSync(root).sort()) {
    if (TAKEN.has(name)) throw refuse(`/${name}`);
    const [other] = name === 'var' ? readdirSync(join(root, name)).filter((one) => one !== 'task') : [];
    if (other !== undefined) throw refuse(`/var/${other}`);
    if (name === 'opt') hasOpt = true;
    else if (name !== 'var') mounts.push('--ro-bind', join(root, name), `/${name}`);
  }
  return { mounts, hasOpt };
}
