import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Repository } from 'aws-cdk-lib/aws-ecr';
import { DockerImageCode, DockerImageFunction } from 'aws-cdk-lib/aws-lambda';
import { afterAll, describe, expect, it } from 'vitest';
import { filesIn } from '../builder.ts';
import { startService } from './lambda/service.fixture.ts';
import { running } from './running.ts';

const folder = mkdtempSync(join(tmpdir(), 'alastor-local-images-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
let count = 0;

const starting = (code: DockerImageCode) => running((stack) => void new DockerImageFunction(stack, 'Billing', { code }));
const image = (lines: readonly string[]) =>
  DockerImageCode.fromImageAsset(
    filesIn(join(folder, String(count++)), { 'app.py': 'x', 'dir/sub/file': 'x', Dockerfile: lines.join('\n') }),
  );
const LAMBDA = 'FROM public.ecr.aws/lambda/python:3.13';

describe('an image that cannot be made without Docker is refused, with the line that asks for it', () => {
  it.each([
    [
      ['FROM public.ecr.aws/lambda/java:21', 'CMD ["a"]'],
      /line 1: the image public\.ecr\.aws\/lambda\/java:21 is not here; images can be/,
    ],
    [[LAMBDA, 'RUN pip install x'], /line 2: RUN cannot be done here.*copy them/],
    [[LAMBDA, 'COPY missing /x'], /line 2: there is no missing/],
    [[LAMBDA, 'COPY ../../../etc/passwd /x'], /line 2: there is no \.\.\/\.\.\/\.\.\/etc\/passwd/],
    [
      [LAMBDA, 'COPY --from=registry.example/tool /tool /opt/'],
      /line 2: COPY --from=registry\.example\/tool: that is no stage/,
    ],
    [[LAMBDA, 'ADD https://example.com/x /opt/'], /line 2: ADD can neither fetch nor unpack/],
    [[LAMBDA, 'COPY app.py /usr/lib/'], /its image has \/usr, where the engine has the machine's own files/],
    [[LAMBDA, 'COPY app.py /var/lang/'], /its image has \/var\/lang/],
    [['FROM python:3.13', 'CMD []'], /its image says nothing to start/],
  ])('%j', async (lines, message) => {
    await expect(starting(image(lines))).rejects.toThrow(message);
  });

  it('and so is one from a repository', async () => {
    const starting = running((stack) => {
      const repository = Repository.fromRepositoryName(stack, 'Repository', 'billing');
      return void new DockerImageFunction(stack, 'Billing', {
        code: DockerImageCode.fromEcr(repository, { tagOrDigest: '1' }),
      });
    });
    await expect(starting).rejects.toThrow(/billing:1 is not built by this app; only images from assets/);
  });
});

it('what a Lambda image starts without a handler fails as AWS\u2019s own entrypoint does', async () => {
  const { add, call, lines } = startService();
  const image = {
    lambda: true,
    workingDirectory: '/var/task',
    environment: {},
    mounts: [],
    command: ['/lambda-entrypoint.sh'],
  };
  await add('billing', { 'app.py': 'x' }, { runtime: 'python3.13', image });
  expect(await call('billing')).toMatchObject({ error: { errorType: 'Runtime.ExitError' } });
  expect(lines.join('\n')).toContain('entrypoint requires the handler name to be the first argument');
});
