import { spawn, spawnSync } from 'node:child_process';
import { copyFileSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createAuthority } from '../../../layers/capture/network/authority.ts';
import { javaTruststore } from '../../../layers/capture/network/truststore.ts';
import { World } from '../network/harness.ts';

const ruby = spawnSync('ruby', ['--version']).error === undefined;
const java = spawnSync('javac', ['-version']).error === undefined;
if (!ruby) console.warn('ruby is not installed: that it trusts the audit certificate is not tested');
if (!java)
  console.warn('javac is not installed (Debian: default-jdk-headless): that Java trusts the audit certificate is not tested');

let world: World;
let shared: string;
let port: number;
beforeEach(async () => {
  world = await new World().start();
  shared = join(world.folder, 'shared');
  mkdirSync(shared);
  mkdirSync(join(world.folder, 'alastor'));
  for (const name of ['ring', 'alastor-library']) writeFileSync(join(shared, name), 'x');
  copyFileSync(join(import.meta.dirname, '../../../layers/wrapper'), join(world.folder, 'alastor/wrapper'));
  writeFileSync(join(world.folder, 'alastor/libalastor.so'), '');
  writeFileSync(join(shared, 'ports'), 'ALASTOR_PROXY_PORT=1\n');
  const pem = `${createAuthority().cert}${world.internetCa.cert}`;
  writeFileSync(join(shared, 'ca.pem'), pem);
  writeFileSync(join(shared, 'ca.jks'), javaTruststore(pem));
  port = await world.https('127.0.0.1', 'localhost', (_request, response) => response.end('trusted'));
});
afterEach(() => world.stop());

/** What the wrapper's program prints, with the variables that the wrapper sets for it (the shim itself is left out). */
function underWrapper(command: readonly string[], env: NodeJS.ProcessEnv = {}): Promise<string> {
  const wrapper = join(world.folder, 'alastor/wrapper');
  const child = spawn(wrapper, ['/usr/bin/env', '-u', 'LD_PRELOAD', ...command], {
    env: { PATH: process.env.PATH, ALASTOR_DIR: shared, ...env },
    cwd: world.folder,
  });
  let said = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.on('data', (text: Buffer) => {
      said += text.toString();
    });
  }
  return new Promise((resolve) => child.once('close', () => resolve(said)));
}

describe('runtimes find the audit certificate through the variables that the wrapper sets', () => {
  it.skipIf(!java)('Java', async () => {
    const code = `import java.net.*;
      public class Get {
        public static void main(String[] args) throws Exception {
          var connection = (HttpURLConnection) new URL(args[0]).openConnection();
          System.out.println(new String(connection.getInputStream().readAllBytes()));
        }
      }`;
    writeFileSync(join(world.folder, 'Get.java'), code);
    const get = ['java', '-XX:TieredStopAtLevel=1', 'Get.java', `https://localhost:${port}/`];
    expect(await underWrapper(get, { JAVA_TOOL_OPTIONS: '-Down=kept' })).toMatch(/-Down=kept -Djavax[\s\S]*\ntrusted\n/);
    expect(await underWrapper(get, { ALASTOR_DIR: '/nowhere' })).toContain('SSLHandshakeException');
  });

  it.skipIf(!ruby)('Ruby', async () => {
    const get = ['ruby', '-ropen-uri', '-e', `print URI.open("https://localhost:${port}/").read`];
    expect(await underWrapper(get)).toContain('trusted');
    expect(await underWrapper(get, { ALASTOR_DIR: '/nowhere' })).toContain('certificate verify failed');
  });
});
