import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { AssetHashType, DockerImage } from 'aws-cdk-lib';
import { Code } from 'aws-cdk-lib/aws-lambda';
import { type BuildOptions, buildSync, version as esbuildVersion, type Metafile } from 'esbuild';
import { bundledPackages, writeNotices } from '../layers/notices.ts';
import { keepBundle, takeBundle } from './bundle-store.ts';

const NOTICES = join(import.meta.dirname, '..', 'layers', 'notices.ts');

const OPTIONS = {
  bundle: true,
  platform: 'node',
  target: 'node22',
  format: 'cjs',
  minify: true,
  mainFields: ['module', 'main'],
  legalComments: 'none',
  logLevel: 'warning',
} satisfies BuildOptions;

/**
 * Code of a Node function: `entry` (a TypeScript file) and everything it imports, the AWS SDK included, in one CommonJS file.
 * The handler is `index.<name of the exported function>`.
 *
 * esbuild runs inside this process: no container and no child per function as `NodejsFunction` would have it. The asset's hash
 * is that of the bundle, so it changes exactly when the code that would run changes.
 *
 * @throws Error when `entry` does not exist; esbuild's own error, with file and line, when it does not compile.
 */
export function bundledCode(entry: string): Code {
  const file = resolve(entry);
  if (!existsSync(file)) throw new Error(`Cannot bundle ${file}: there is no such file. Give the handler's TypeScript source.`);
  return Code.fromAsset(dirname(file), {
    // The staging directory is named after this hash while two bundles of one folder would otherwise share it.
    assetHashType: AssetHashType.OUTPUT,
    bundling: {
      // CDK insists on an image; it is used only if the local bundler gives up, which this one never does.
      image: DockerImage.fromRegistry('none'),
      command: [createHash('sha256').update(file).digest('hex')],
      local: {
        tryBundle(outputDir) {
          const how = `${esbuildVersion} ${JSON.stringify(OPTIONS)} ${process.cwd()}`;
          if (takeBundle(file, how, outputDir)) return true;
          const began = Date.now();
          const { metafile } = buildSync({
            ...{ entryPoints: [file], outfile: join(outputDir, 'index.js'), metafile: true },
            ...OPTIONS,
          });
          writeNotices(outputDir, 'Lambda function', bundledPackages([metafile], process.cwd()));
          keepBundle(file, how, outputDir, sourcesOf(metafile), began);
          return true;
        },
      },
    },
  });
}

/** What decides what is in a bundle: its sources, what says of their folders how they are to be read and found, and who makes it. */
function sourcesOf({ inputs }: Metafile): readonly string[] {
  const files = Object.keys(inputs).map((path) => resolve(path));
  const folders = new Set<string>();
  for (const file of files)
    for (let folder = dirname(file); !folders.has(folder); folder = dirname(folder)) folders.add(folder);
  const settings = [...folders].flatMap((folder) => ['package.json', 'tsconfig.json'].map((name) => join(folder, name)));
  return [...files, ...settings, import.meta.filename, NOTICES].filter((file) => existsSync(file)).sort();
}
