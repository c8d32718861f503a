import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { readDockerfile, stagesOf } from '../../cdk/dockerfile.ts';
import { imageStart } from '../../cdk/image-start.ts';
import { wrapDockerfile } from '../../cdk/image-wrap.ts';
import { buildImage } from '../../cdk/local/image/build.ts';
import { Builder, builderWorks, filesIn } from './builder.ts';

const real = builderWorks();
const BASE = 'public.ecr.aws/lambda/nodejs:24';
const folder = mkdtempSync(join(tmpdir(), 'alastor-dockerfile-'));
let builder: Builder;
let count = 0;

beforeAll(() => {
  builder = new Builder();
  if (!real) return;
  builder.base(
    BASE,
    ...['ENV LAMBDA_TASK_ROOT=/var/task LAMBDA_RUNTIME_DIR=/var/runtime', 'WORKDIR /var/task'],
    'ENTRYPOINT ["/lambda-entrypoint.sh"]',
  );
  builder.base('docker.io/library/python:3.13', 'CMD ["python3"]');
});
afterAll(() => {
  builder.remove();
  rmSync(folder, { recursive: true, force: true });
});

const FILES = {
  ...{ 'app.mjs': 'app', 'lib/a.txt': 'a', 'lib/deep/b.txt': 'b', 'lib/deep/c.js': 'c', 'one.py': '1', 'two.py': '2' },
  ...{ 'with space.txt': 's', empty: '' },
};

// biome-ignore-start lint/suspicious/noTemplateCurlyInString: these are variables of a Dockerfile
/** Each is read by us and built for real; what the image starts, and its files, must be the same. */
const CASES: Readonly<Record<string, readonly string[]>> = {
  'handler of a Lambda base': [`FROM ${BASE}`, 'COPY app.mjs ${LAMBDA_TASK_ROOT}', 'CMD ["app.handler"]'],
  'a directory, by its content': [`FROM ${BASE}`, 'COPY lib /srv/lib', 'COPY lib/ ./', 'COPY . /all/', 'CMD ["x.y"]'],
  'patterns and several sources': [`FROM ${BASE}`, 'COPY *.py app.mjs package/', 'COPY lib/d*p/?.txt /t/', 'CMD ["x.y"]'],
  'names with spaces, and the list form': [`FROM ${BASE}`, 'COPY ["with space.txt", "/srv/a file"]', "CMD ['not', 'json']"],
  'working directories, one below the other': [
    `FROM ${BASE}`,
    'WORKDIR lib',
    'WORKDIR deep',
    'COPY empty .',
    'COPY empty x',
    'CMD ["a.b"]',
  ],
  'variables and arguments': [
    ...['ARG TAG=24', 'FROM public.ecr.aws/lambda/nodejs:${TAG}', 'ARG DIR=srv', 'ARG OTHER'],
    ...['ENV A=1 B="two words" C=${A}x', 'ENV OLD form with spaces', "ENV D=${NONE:-else} E=${A:+then} F=a\\ b G='$A'"],
    ...['COPY app.mjs /${DIR}/$A/', 'CMD ["a.b"]'],
  ],
  'stages, by name and by number': [
    ...[`FROM ${BASE} AS build`, 'WORKDIR /build', 'COPY lib out', 'FROM python:3.13 AS other', 'COPY app.mjs /srv/'],
    ...[`FROM ${BASE}`, 'COPY --from=build /build/out/deep /srv/deep', 'COPY --from=1 /srv/app.mjs ./', 'CMD ["a.b"]'],
  ],
  'a stage on another one': [
    `FROM ${BASE} AS first`,
    'COPY app.mjs .',
    'ENV X=1',
    'CMD ["a.b"]',
    'FROM first',
    'COPY one.py .',
  ],
  'continued lines and comments': [
    `FROM ${BASE}`,
    '# no \\',
    'COPY \\',
    '  # not this',
    '  app.mjs \\',
    '',
    '  one.py ./',
    'CMD ["a.b"]',
  ],
  'another escape character': ['# escape=`', `FROM ${BASE}`, 'COPY app.mjs `', '  one.py ./', 'CMD ["a.b"]'],
  'an entrypoint takes a command away that was set before its stage': [
    ...[`FROM ${BASE} AS a`, 'CMD ["old.handler"]', 'FROM a', 'ENTRYPOINT ["/my", "entry"]'],
  ],
  'an entrypoint leaves the command of its own stage': [`FROM ${BASE}`, 'CMD ["a.b"]', 'ENTRYPOINT ["/my"]'],
  'commands in shell form': [`FROM python:3.13`, 'CMD python3 app.py --port $PORT'],
  'an entrypoint in shell form': [`FROM ${BASE}`, 'ENTRYPOINT exec /my "$0"', 'CMD ["a"]'],
  'what is said twice': [`FROM ${BASE}`, 'CMD ["a.b"]', 'cmd [ "c.d" ]', 'ENTRYPOINT ["/x"]', 'entrypoint []'],
  'the command of a base': ['FROM docker.io/library/python:3.13', 'COPY one.py /srv/'],
};
// biome-ignore-end lint/suspicious/noTemplateCurlyInString: these are variables of a Dockerfile

describe.each(Object.entries(CASES))('%s', (_name, lines) => {
  it.skipIf(!real)('is read as a builder reads it', () => {
    const context = filesIn(join(folder, `context-${count++}`), { ...FILES, Dockerfile: `${lines.join('\n')}\n` });
    const built = builder.build(context);
    const asset = { path: context, file: 'Dockerfile', target: undefined, buildArgs: {}, buildContexts: {}, tags: [] };
    const local = buildImage(asset, join(folder, `image-${count}`));
    expect([local.entrypoint, local.cmd]).toEqual([built.entrypoint, built.cmd]);
    expect(local.workingDirectory).toBe(built.workingDirectory);
    for (const [name, value] of Object.entries(built.env))
      if (name !== 'PATH') expect(local.environment[name], name).toBe(value);
    expect(contentOf(local.root)).toEqual(contentOf(built.root));
  });
});

/** All files below a directory with their text. */
function contentOf(root: string): Readonly<Record<string, string>> {
  const names = readdirSync(root, { recursive: true, withFileTypes: true }).filter(
    (one) => one.isFile() && one.name !== '.keep',
  );
  const paths = names
    .map((one) => join(one.parentPath, one.name))
    .filter((path) => !/\/(etc|proc|sys|dev|run)\//.test(path.slice(root.length)));
  return Object.fromEntries(paths.sort().map((path) => [path.slice(root.length), readFileSync(path, 'utf8')]));
}

describe('a Dockerfile', () => {
  const wrap = (lines: readonly string[], config = {}) => wrapDockerfile(lines.join('\n'), config).dockerfile.split('\n');

  it('is not changed but at its end', () => {
    const text = `FROM ${BASE}\r\nRUN <<EOF\nFROM nowhere\nCMD ["not.this"]\nEOF\nCMD ["a.b"]\n\n`;
    const { dockerfile, needsNode } = wrapDockerfile(text, {});
    expect(dockerfile.startsWith(text.trimEnd())).toBe(true);
    expect(dockerfile.slice(text.trimEnd().length).trim().split('\n')).toEqual([
      '# Added by Alastor.',
      'COPY --from=alastor-image / /opt/',
      'ENTRYPOINT ["/opt/alastor/entrypoint","/lambda-entrypoint.sh"]',
      'CMD ["a.b"]',
    ]);
    expect(needsNode).toBe(false);
  });

  it('may name another shell for its commands, as Docker has it (buildah does not)', () => {
    expect(wrap(['FROM python:3.13', 'SHELL ["/bin/bash", "-c"]', 'CMD python3 app.py'])).toContain(
      'CMD ["/bin/bash","-c","python3 app.py"]',
    );
  });

  it('goes on from the stage that is asked for', () => {
    const lines = wrap([`FROM ${BASE} AS one`, 'CMD ["one.x"]', 'FROM one AS two', 'CMD ["two.x"]'], { target: 'One' });
    expect(lines).toContain('FROM One');
    expect(lines).toContain('CMD ["one.x"]');
  });

  it('gets the entrypoint by the configuration of the function where that has one', () => {
    const { dockerfile, entrypoint } = wrapDockerfile('FROM registry.example/base\nCOPY . /\n', { entrypoint: ['/start'] });
    expect(entrypoint).toEqual(['/opt/alastor/entrypoint', '/start']);
    expect(dockerfile).not.toContain('ENTRYPOINT');
  });

  it('with Lambda Web Adapter leads it through the proxy, unless it goes elsewhere already', () => {
    const adapter =
      'COPY --from=public.ecr.aws/awsguru/aws-lambda-adapter:0.9.1 /lambda-adapter /opt/extensions/lambda-adapter';
    const line = 'ENV AWS_LWA_LAMBDA_RUNTIME_API_PROXY=127.0.0.1:9009';
    expect(wrap(['FROM node:24', adapter, 'CMD ["a"]'])).toContain(line);
    expect(wrap(['FROM node:24', adapter, 'ENV AWS_LWA_LAMBDA_RUNTIME_API_PROXY=127.0.0.1:9002', 'CMD ["a"]'])).not.toContain(
      line,
    );
    expect(wrap(['FROM node:24', 'CMD ["a"]'])).not.toContain(line);
  });

  it.each([
    [['public.ecr.aws/lambda/nodejs:22'], false],
    [['amazon/aws-lambda-nodejs:24'], false],
    [['public.ecr.aws/lambda/nodejs:20'], true],
    [['public.ecr.aws/lambda/python:3.13'], true],
    [['node:24-slim'], true],
  ])('on %s needs a Node: %s', ([base], needs) => {
    expect(wrapDockerfile(`FROM ${base}\nCMD ["a"]`, {}).needsNode).toBe(needs);
  });

  it.each([
    [
      ['FROM registry.example/base:1', 'CMD ["a"]'],
      {},
      /does not tell what the image starts: registry\.example\/base:1 decides/,
    ],
    [['FROM scratch', 'ENTRYPOINT ["/a"]'], {}, /from scratch has no shell/],
    [[`FROM ${BASE} AS alastor-image`, 'CMD ["a"]'], {}, /a stage is named alastor-image/],
    [[`FROM ${BASE} AS one`], { target: 'two' }, /there is no stage two; named are one/],
    [['RUN true', `FROM ${BASE}`], {}, /line 1: RUN before the first FROM/],
    [['# nothing'], {}, /there is no FROM/],
    [[`FROM ${BASE}`, 'COPY a \\'], {}, /line 2: the file ends within an instruction/],
    [[`FROM ${BASE}`, 'RUN <<EOF', 'true'], {}, /line 2: its here-document has no end: EOF/],
    [[`FROM ${BASE}`, '["a"]'], {}, /line 2: this is no instruction/],
  ])('%j is refused', (lines, config, message) => {
    expect(() => wrap(lines, config)).toThrow(message);
  });

  it('that is hostile is read in time that grows with its length', () => {
    for (const unit of ['\\\n', 'RUN <<A ', 'ENV A="', '${A:-', '--from=x ', '# escape=\n', '"\'', 'a\\ ']) {
      const text = `FROM ${BASE}\n${unit.repeat(20_000)}`;
      const cpu = process.cpuUsage();
      try {
        imageStart(stagesOf(readDockerfile(text)), undefined);
      } catch {}
      expect(process.cpuUsage(cpu).user, unit).toBeLessThan(2_000_000);
    }
  });
});
