import { DockerfileError, readDockerfile, stagesOf } from './dockerfile.ts';
import { type ImageStart, imageStart } from './image-start.ts';

/** Goes before the program of an image (layers/image/entrypoint). */
export const imageEntrypoint = '/opt/alastor/entrypoint';
/** Name under which the build finds the files of the audit (`docker build --build-context`). */
export const imageContext = 'alastor-image';
/**
 * Lambda Web Adapter is an extension and talks to the Runtime API in the function's place. With this variable it does so through
 * our proxy, which opens just that port (layers/capture/prepare.ts): so it is known where a request begins and ends.
 */
export const webAdapterVariable = 'AWS_LWA_LAMBDA_RUNTIME_API_PROXY';
const WEB_ADAPTER_PROXY = '127.0.0.1:9009';

export interface ImageConfig {
  /** Stage that is built. @default the last */
  readonly target?: string | undefined;
  readonly buildArgs?: Readonly<Record<string, string>> | undefined;
  /** What the function starts in place of what the image says. */
  readonly entrypoint?: readonly string[] | undefined;
}

export interface WrappedImage {
  /** The Dockerfile, with the audit added as its last lines. */
  readonly dockerfile: string;
  /** What the function is to start in place of what the image says; undefined: nothing, the image says it. */
  readonly entrypoint: readonly string[] | undefined;
  /** The image has no Node that the recorder could run on. */
  readonly needsNode: boolean;
}

/**
 * Adds the audit to an image: its files, and its entrypoint before what the image starts.
 * @throws DockerfileError saying what to give when the Dockerfile does not tell what the image starts
 */
export function wrapDockerfile(text: string, { target, buildArgs, entrypoint }: ImageConfig): WrappedImage {
  const instructions = readDockerfile(text);
  const stages = stagesOf(instructions, buildArgs);
  const start = imageStart(stages, target);
  if (stages.some(({ name }) => name === imageContext))
    throw new DockerfileError(
      0,
      `a stage is named ${imageContext}, which is what the files of the audit are called: rename it`,
    );
  if (start.base === 'scratch')
    throw new DockerfileError(
      0,
      'an image from scratch has no shell, which the entrypoint of the audit needs: use another base',
    );
  const adapted =
    /\/opt\/extensions\/.*lambda-adapter|lambda-adapter.*\/opt\/extensions\//.test(text) && !text.includes(webAdapterVariable);
  const lines = [
    '',
    '# Added by Alastor.',
    ...(target === undefined ? [] : [`FROM ${target}`]),
    `COPY --from=${imageContext} / /opt/`,
    ...(adapted ? [`ENV ${webAdapterVariable}=${WEB_ADAPTER_PROXY}`] : []),
    ...(entrypoint === undefined ? startLines(start) : []),
  ];
  return {
    dockerfile: `${text.trimEnd()}\n${lines.join('\n')}\n`,
    entrypoint: entrypoint && [imageEntrypoint, ...entrypoint],
    needsNode: !bringsNode(start.base),
  };
}

/** An ENTRYPOINT takes a CMD away that was set before its stage, so that is said again. */
function startLines({ entrypoint, cmd = [], base }: ImageStart): string[] {
  if (entrypoint === undefined) {
    throw new DockerfileError(
      0,
      `it does not tell what the image starts: ${base} decides. Give \`entrypoint\` (and \`cmd\`) as \`docker inspect\` shows them for ${base}, or set ENTRYPOINT`,
    );
  }
  return [
    `ENTRYPOINT ${JSON.stringify([imageEntrypoint, ...entrypoint])}`,
    ...(cmd.length === 0 ? [] : [`CMD ${JSON.stringify(cmd)}`]),
  ];
}

/** The recorder needs Node 22.15 or later; AWS's images have the latest of their line. */
function bringsNode(base: string): boolean {
  return Number(/^lambda\/nodejs:(\d+)/.exec(base)?.[1] ?? 0) >= 22;
}
