import { copyFileSync, existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { type App, Stack } from 'aws-cdk-lib';
import { Annotations, Match } from 'aws-cdk-lib/assertions';
import { Repository } from 'aws-cdk-lib/aws-ecr';
import { Architecture, DockerImageCode, DockerImageFunction } from 'aws-cdk-lib/aws-lambda';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { Alastor, AuditedDockerImageCode, type AuditedImageAssetProps } from '../../cdk/index.ts';
import { layerArchitecture } from '../../cdk/layer.ts';
import { Builder, builderWorks, filesIn } from './builder.ts';
import { propertiesOf, type Workbench, workbench } from './construct-parts.ts';

const BASE = 'public.ecr.aws/lambda/nodejs:24';
const real = builderWorks();
let bench: Workbench;
let stack: Stack;
let count = 0;

beforeAll(() => {
  bench = workbench();
  filesIn(join(bench.layerDirectory, 'image'), {
    ...{ Dockerfile: 'FROM scratch', 'extensions/alastor': 'launcher', 'alastor/node': 'a large binary' },
    ...{ 'alastor/build-id': '0123456789abcdef0123456789abcdef\n', 'alastor/entrypoint': '#!/bin/sh\nexec "$@"\n' },
  });
});
beforeEach(() => {
  stack = new Stack(bench.app(), 'Shop');
});
afterAll(() => bench.remove());

/** A directory to build an image from. */
const source = (dockerfile: string, files: Record<string, string> = {}): string =>
  filesIn(join(bench.folder, `source-${count++}`), { Dockerfile: dockerfile, 'app.mjs': 'app', ...files });

const fromAsset = (directory: string, props: AuditedImageAssetProps = {}, architecture = layerArchitecture) =>
  new DockerImageFunction(stack, 'Billing', {
    code: AuditedDockerImageCode.fromImageAsset(directory, { layerDirectory: bench.layerDirectory, ...props }),
    architecture,
  });

interface Source {
  readonly directory: string;
  readonly dockerFile: string;
  readonly platform: string;
  readonly dockerBuildContexts: Record<string, string>;
}

/** The image that a deployment would build, and the directory that it is built in. */
function built(): {
  readonly source: Source;
  readonly directory: string;
  readonly dockerfile: string;
  readonly outdir: string;
} {
  const { directory: outdir } = (stack.node.root as App).synth();
  const manifest = JSON.parse(readFileSync(join(outdir, 'Shop.assets.json'), 'utf8')) as {
    dockerImages: Record<string, { source: Source }>;
  };
  const [{ source: found } = {} as never] = Object.values(manifest.dockerImages) as [{ source: Source }];
  const directory = join(outdir, found.directory);
  return { source: found, directory, dockerfile: readFileSync(join(directory, found.dockerFile), 'utf8'), outdir };
}

describe('an image with the audit in it', () => {
  it('is built of the app\u2019s own directory, which stays as it is, and of the files of the audit beside it', () => {
    const directory = source(`FROM ${BASE}\nCOPY . .\nCMD ["app.handler"]\n`, {
      ...{ '.dockerignore': 'notes\n*.log\n!keep.log\n', notes: 'x', 'a.log': 'x', 'keep.log': 'x' },
    });
    fromAsset(directory);
    const image = built();
    expect(readdirSync(image.directory).sort()).toEqual([
      '.dockerignore',
      'Dockerfile',
      'Dockerfile.alastor',
      'app.mjs',
      'keep.log',
    ]);
    expect(readFileSync(join(image.directory, '.dockerignore'), 'utf8')).toBe('Dockerfile.alastor\n.dockerignore\n');
    expect(image.dockerfile).toMatch(
      /ENTRYPOINT \["\/opt\/alastor\/entrypoint","\/lambda-entrypoint\.sh"\]\nCMD \["app\.handler"\]\n$/,
    );
    expect(readdirSync(directory)).not.toContain('Dockerfile.alastor');
    const files = join(image.directory, image.source.dockerBuildContexts['alastor-image'] ?? '');
    expect(readdirSync(files, { recursive: true }).sort()).toEqual([
      ...['alastor', 'alastor/build-id', 'alastor/entrypoint', 'extensions', 'extensions/alastor'],
    ]);
    // Nothing is left of what was prepared on the way, and nothing names this machine.
    expect(readdirSync(image.outdir).filter((name) => name.startsWith('alastor-app'))).toEqual([]);
    expect(readFileSync(join(image.outdir, 'Shop.assets.json'), 'utf8')).not.toContain(bench.folder);
  });

  it('brings a Node where the image has none for the recorder', () => {
    fromAsset(source('FROM public.ecr.aws/lambda/python:3.13\nCMD ["app.handler"]\n'));
    const { directory, source: asset } = built();
    expect(existsSync(join(directory, asset.dockerBuildContexts['alastor-image'] ?? '', 'alastor/node'))).toBe(true);
  });

  it('changes when the app does, and when the audit does', () => {
    const hash = (text: string, id: string): string => {
      filesIn(join(bench.layerDirectory, 'image'), { 'alastor/build-id': id });
      stack = new Stack(bench.app(), 'Shop');
      fromAsset(source(`FROM ${BASE}\nCMD ["app.handler"]\n`, { 'app.mjs': text }));
      return built().source.directory;
    };
    const hashes = [hash('a', '1'.repeat(32)), hash('a', '1'.repeat(32)), hash('b', '1'.repeat(32)), hash('a', '2'.repeat(32))];
    expect(hashes[1]).toBe(hashes[0]);
    expect(new Set(hashes).size).toBe(3);
  });

  it('is found where the assembly of a stage lies deeper', async () => {
    const { Stage } = await import('aws-cdk-lib');
    const app = stack.node.root as App;
    const inner = new Stack(new Stage(app, 'Prod'), 'Inner');
    new DockerImageFunction(inner, 'Fn', {
      code: AuditedDockerImageCode.fromImageAsset(source(`FROM ${BASE}\nCMD ["a.b"]\n`), {
        layerDirectory: bench.layerDirectory,
      }),
      architecture: layerArchitecture,
    });
    const { directory } = app.synth();
    const [manifest = ''] = readdirSync(join(directory, 'assembly-Prod')).filter((name) => name.endsWith('.assets.json'));
    const { dockerImages } = JSON.parse(readFileSync(join(directory, 'assembly-Prod', manifest), 'utf8')) as {
      dockerImages: Record<string, { source: Source }>;
    };
    const [{ source: asset } = {} as never] = Object.values(dockerImages) as [{ source: Source }];
    const files = join(directory, 'assembly-Prod', asset.directory, asset.dockerBuildContexts['alastor-image'] ?? '');
    expect(existsSync(join(files, 'alastor/entrypoint'))).toBe(true);
  });

  it('starts what the function\u2019s configuration says, with the audit before it', () => {
    const fn = fromAsset(source('FROM registry.example/base\nCOPY . /app\n'), {
      ...{ entrypoint: ['/app/start'], cmd: ['billing'], workingDirectory: '/app' },
    });
    expect(propertiesOf(fn).ImageConfig).toEqual({
      ...{ EntryPoint: ['/opt/alastor/entrypoint', '/app/start'], Command: ['billing'], WorkingDirectory: '/app' },
    });
  });

  it.skipIf(layerArchitecture.name === Architecture.ARM_64.name)('for another processor takes the files built for that', () => {
    const directory = source(`FROM ${BASE}\nCMD ["a.b"]\n`);
    expect(() => fromAsset(directory, {}, Architecture.ARM_64)).toThrow(
      /there is no \S+image-arm64\. Build it with `node layers\/build\.ts --arch arm64`/,
    );
    filesIn(join(bench.layerDirectory, 'image-arm64'), {
      ...{ 'extensions/alastor': 'x', 'alastor/build-id': 'a'.repeat(32), 'alastor/entrypoint': 'x' },
    });
    stack = new Stack(bench.app(), 'Shop');
    fromAsset(directory, {}, Architecture.ARM_64);
    expect(built().source.platform).toBe('linux/arm64');
  });

  it.each([
    ['no Dockerfile', {}, /Shop\/Billing \(\S+\/Other\): there is no such file/, { file: 'Other' }],
    [
      'a base that decides',
      {},
      /Shop\/Billing \(\S+\/Dockerfile\): it does not tell what the image starts: registry\.example/,
      {},
    ],
    [
      'no built layer',
      {},
      /there is no \/nowhere\/image\. Build it with `npm run build`/,
      { layerDirectory: '/nowhere', entrypoint: ['/x'] },
    ],
  ])('is refused with %s', (_what, _files, message, props) => {
    expect(() => fromAsset(source('FROM registry.example/base\n'), props)).toThrow(message);
  });

  it.skipIf(!real)('is built by a real builder as the manifest says', () => {
    const builder = new Builder();
    try {
      builder.base(BASE, 'WORKDIR /var/task', 'ENTRYPOINT ["/lambda-entrypoint.sh"]');
      fromAsset(source(`FROM ${BASE}\nCOPY . .\nCMD ["app.handler"]\n`));
      const { directory, source: asset } = built();
      const context = `alastor-image=${join(directory, asset.dockerBuildContexts['alastor-image'] ?? '')}`;
      const image = builder.build(directory, asset.dockerFile, '--build-context', context);
      expect(image.entrypoint).toEqual(['/opt/alastor/entrypoint', '/lambda-entrypoint.sh']);
      expect(image.cmd).toEqual(['app.handler']);
      expect(existsSync(join(image.root, 'opt/extensions/alastor'))).toBe(true);
      expect(readdirSync(join(image.root, 'var/task')).sort()).toEqual(['.keep', 'Dockerfile', 'app.mjs']);
    } finally {
      builder.remove();
    }
  });
});

it.skipIf(!real)('the two lines of docs/images.md make the same of an image that is built elsewhere', () => {
  const builder = new Builder();
  try {
    const recipes = join(import.meta.dirname, '../../layers/image');
    const files = join(bench.layerDirectory, 'image');
    copyFileSync(join(recipes, 'Dockerfile'), join(files, 'Dockerfile'));
    builder.build(files, 'Dockerfile', '-t', 'alastor-image');
    for (const [recipe, base, name] of [
      ['Dockerfile.lambda', 'public.ecr.aws/lambda/python:3.13', 'app.py'],
      ['Dockerfile.http', 'docker.io/library/node:24-slim', 'server.js'],
    ] as const) {
      builder.base(base, 'ENV LAMBDA_TASK_ROOT=/var/task', 'ENTRYPOINT ["/of-the-base"]');
      const context = source(readFileSync(join(recipes, recipe), 'utf8'), { [name]: 'the app' });
      const image = builder.build(context);
      expect(image.entrypoint[0]).toBe('/opt/alastor/entrypoint');
      for (const path of ['opt/alastor/entrypoint', 'opt/extensions/alastor'])
        expect(existsSync(join(image.root, path))).toBe(true);
      expect(existsSync(join(image.root, 'opt/Dockerfile'))).toBe(false);
    }
  } finally {
    builder.remove();
  }
});

describe('auditing a function from an image', () => {
  it('adds environment and permission, and no layer', () => {
    const fn = fromAsset(source(`FROM ${BASE}\nCMD ["a.b"]\n`));
    new Alastor(stack, 'Alastor', { layerDirectory: bench.layerDirectory, settings: { bodies: 'none' } }).audit(fn);
    const { Layers, Environment } = propertiesOf(fn) as {
      Layers?: unknown;
      Environment: { Variables: Record<string, unknown> };
    };
    expect(Layers).toBeUndefined();
    expect(Object.keys(Environment.Variables).sort()).toEqual(['ALASTOR_BODIES', 'ALASTOR_BUCKET']);
    expect(fn.node.tryFindChild('AlastorSegments')).toBeDefined();
  });

  it('takes one that was built with the audit elsewhere', () => {
    const repository = Repository.fromRepositoryName(stack, 'Repository', 'billing');
    const fn = new DockerImageFunction(stack, 'Billing', {
      code: AuditedDockerImageCode.fromEcr(repository, { tagOrDigest: '1.2' }),
      architecture: layerArchitecture,
    });
    new Alastor(stack, 'Alastor', { layerDirectory: bench.layerDirectory }).audit(fn);
    expect(propertiesOf(fn)).toMatchObject({
      PackageType: 'Image',
      Environment: { Variables: { ALASTOR_BUCKET: expect.anything() } },
    });
    expect(() => AuditedDockerImageCode.fromEcr(repository, { entrypoint: ['/start'] })).toThrow(
      /entrypoint must begin with \/opt\/alastor\/entrypoint; it begins with \/start/,
    );
  });

  it('refuses one without the audit in it, or warns of it', () => {
    const directory = source(`FROM ${BASE}\nCMD ["a.b"]\n`);
    const fn = new DockerImageFunction(stack, 'Plain', { code: DockerImageCode.fromImageAsset(directory) });
    const alastor = new Alastor(stack, 'Alastor', { layerDirectory: bench.layerDirectory });
    expect(() => alastor.audit(fn)).toThrow(
      /Shop\/Plain: it is a container image without the audit in it.*AuditedDockerImageCode/,
    );
    alastor.auditAll(stack);
    Annotations.fromStack(stack).hasWarning('/Shop/Plain', Match.stringLikeRegexp('AuditedDockerImageCode'));
    expect(propertiesOf(fn).Environment).toBeUndefined();
  });
});
