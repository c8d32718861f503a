import { baseStage, DockerfileError, execForm, type Instruction, type Stage, targetStage } from './dockerfile.ts';

/** What an image starts: the words of its entrypoint, and those of its command behind them. Undefined: not known from the file. */
export interface ImageStart {
  readonly entrypoint: readonly string[] | undefined;
  readonly cmd: readonly string[] | undefined;
  /** The image that all this is based on, without its registry and the folder of official ones: `lambda/nodejs:24`, `node:24`. */
  readonly base: string;
}

/** What images begin with that many are built on; as their publishers document it. */
const BASES: readonly { readonly name: RegExp; readonly entrypoint: readonly string[]; readonly cmd: readonly string[] }[] = [
  { name: /^lambda\//, entrypoint: ['/lambda-entrypoint.sh'], cmd: [] },
  { name: /^node(:|@|$)/, entrypoint: ['docker-entrypoint.sh'], cmd: ['node'] },
  { name: /^python(:|@|$)/, entrypoint: [], cmd: ['python3'] },
  { name: /^(debian|ubuntu|amazonlinux)(:|@|$)/, entrypoint: [], cmd: ['/bin/bash'] },
  { name: /^alpine(:|@|$)/, entrypoint: [], cmd: ['/bin/sh'] },
  { name: /^scratch$/, entrypoint: [], cmd: [] },
];

/** `public.ecr.aws/lambda/nodejs:24`, `amazon/aws-lambda-nodejs:24` → `lambda/nodejs:24`; `docker.io/library/node:24` → `node:24`. */
export function baseName(image: string): string {
  return image
    .replace(/^(docker\.io|index\.docker\.io|public\.ecr\.aws)\//, '')
    .replace(/^(docker\/)?library\//, '')
    .replace(/^amazon\/aws-lambda-/, 'lambda/');
}

/**
 * What a Dockerfile's target starts, by the rule that an ENTRYPOINT takes away a CMD which its own stage has not set.
 * @throws DockerfileError for a target that is not there
 */
export function imageStart(stages: readonly Stage[], target: string | undefined): ImageStart {
  return startOf(stages, targetStage(stages, target), 0);
}

function startOf(stages: readonly Stage[], stage: Stage, depth: number): ImageStart {
  if (depth > stages.length) throw new DockerfileError(stage.line, 'a stage that is based on itself');
  const before = baseStage(stages, stage);
  const under = before === undefined ? ofImage(baseName(stage.from)) : startOf(stages, before, depth + 1);
  let { entrypoint, cmd } = under;
  let shell: readonly string[] = ['/bin/sh', '-c'];
  let ownCmd = false;
  const command = ({ text }: Instruction): readonly string[] => execForm(text) ?? [...shell, text];
  for (const one of stage.instructions) {
    if (one.name === 'SHELL') shell = execForm(one.text) ?? shell;
    if (one.name === 'CMD') {
      cmd = command(one);
      ownCmd = true;
    }
    if (one.name === 'ENTRYPOINT') {
      entrypoint = command(one);
      if (!ownCmd) cmd = [];
    }
  }
  return { entrypoint, cmd, base: under.base };
}

function ofImage(base: string): ImageStart {
  const known = BASES.find(({ name }) => name.test(base));
  return { entrypoint: known?.entrypoint, cmd: known?.cmd, base };
}
