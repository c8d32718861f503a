import { cpSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { startAudited } from './audited.ts';
import { counterpart } from './counterparts.ts';

const bootstrap = readFileSync(join(import.meta.dirname, '../../../layers/image/bootstrap'), 'utf8');

/** Its busybox is static. */
const debian = counterpart('debian');

/** A custom runtime as small as can be. */
const RUNTIME = `#!/usr/bin/python3
import json, os, urllib.request
base = "http://" + os.environ["AWS_LAMBDA_RUNTIME_API"] + "/2018-06-01/runtime/invocation/"
while True:
    with urllib.request.urlopen(base + "next") as response:
        request = response.headers["Lambda-Runtime-Aws-Request-Id"]
    open("/tmp/made", "w").write("x")
    urllib.request.urlopen(base + request + "/response", json.dumps({"preload": os.environ.get("LD_PRELOAD")}).encode())
`;

describe('a custom runtime, which ignores the wrapper variable', () => {
  it('is audited when its package begins with our bootstrap', async () => {
    const audited = await startAudited();
    const spec = { runtime: 'provided.al2023', layerDirs: [audited.auditLayer], environment: audited.environment };
    await audited.add('fn', { bootstrap, 'bootstrap.app': RUNTIME }, spec);
    expect((await audited.call('fn')).value).toEqual({ preload: '/opt/alastor/libalastor.so' });
    await audited.service.stop();
    const [begin] = audited.of('request-begin');
    expect(audited.of('file-open').find(({ path }) => path === '/tmp/made')).toMatchObject({
      req: begin?.req,
      phase: 'invoke',
    });
    expect(audited.of('request-end')).toMatchObject([{ status: 'ok' }]);
  });

  it('is audited when its bootstrap comes with a layer or has another name', async () => {
    const audited = await startAudited();
    const layerDirs = [audited.layer('custom', { bootstrap: RUNTIME }), audited.auditLayer];
    await audited.add('fn', { bootstrap }, { runtime: 'provided.al2023', layerDirs, environment: audited.environment });
    expect((await audited.call('fn')).value.preload).toContain('libalastor');
    const environment = { ...audited.environment, ALASTOR_BOOTSTRAP: '/var/task/main' };
    const spec = { runtime: 'provided.al2', layerDirs: [audited.auditLayer], environment };
    await audited.add('named', { bootstrap, main: RUNTIME }, spec);
    expect((await audited.call('named')).value.preload).toContain('libalastor');
  });

  it('is audited when it is a shell script with a program for every call', async () => {
    const audited = await startAudited();
    const app = `#!/bin/bash
    base=http://$AWS_LAMBDA_RUNTIME_API/2018-06-01/runtime/invocation
    while event=$(curl -sS -D /tmp/head $base/next); do
      id=$(sed -n 's/^Lambda-Runtime-Aws-Request-Id: *//Ip' /tmp/head | tr -d '\\r')
      echo "$event" > /tmp/made
      curl -sS -X POST -d "$event" $base/$id/response > /dev/null
    done`;
    const spec = { runtime: 'provided.al2023', layerDirs: [audited.auditLayer], environment: audited.environment };
    await audited.add('fn', { bootstrap, 'bootstrap.app': app }, spec);
    for (const value of [1, 2]) expect((await audited.call('fn', { value })).value).toEqual({ value });
    await audited.service.stop();
    const begun = audited.of('request-begin').map(({ req }) => req);
    expect(audited.of('request-end')).toMatchObject([{ status: 'ok' }, { status: 'ok' }]);
    const made = audited.of('file-open').filter(({ path, mode }) => path === '/tmp/made' && mode === 'w');
    expect(made.map(({ req }) => req)).toEqual(begun);
    expect(audited.of('exchange')).toEqual([]);
    expect(audited.of('gap')).toEqual([]);
  });

  it('starts untouched without the layer', async () => {
    const audited = await startAudited();
    await audited.add('fn', { bootstrap, 'bootstrap.app': RUNTIME }, { runtime: 'provided.al2023' });
    expect((await audited.call('fn')).value).toEqual({ preload: null });
  });
});

it.skipIf(debian === undefined)(
  'a static program as runtime: its requests are seen, and the record says that nothing else is',
  async () => {
    const audited = await startAudited();
    const app = `#!/var/task/busybox sh
    base=http://$AWS_LAMBDA_RUNTIME_API/2018-06-01/runtime/invocation
    while /var/task/busybox wget -S -q -O /tmp/event $base/next 2>/tmp/head; do
      id=$(/var/task/busybox sed -n 's/.*Lambda-Runtime-Aws-Request-Id: *//Ip' /tmp/head | /var/task/busybox tr -d '\\r')
      /var/task/busybox wget -q -O /dev/null --post-data '{"static":true}' $base/$id/response
    done`;
    cpSync(`${debian}/usr/bin/busybox`, join(audited.dir, 'code/fn/busybox'));
    const spec = { runtime: 'provided.al2023', layerDirs: [audited.auditLayer], environment: audited.environment };
    await audited.add('fn', { bootstrap, 'bootstrap.app': app }, spec);
    expect((await audited.call('fn')).value).toEqual({ static: true });
    await audited.service.stop();
    expect(audited.of('request-end')).toMatchObject([{ status: 'ok', response: { bytes: 15 } }]);
    expect(audited.of('unobserved')).toContainEqual(
      expect.objectContaining({ what: 'process', detail: expect.stringContaining('does not run under the shim') }),
    );
    expect(audited.of('file-open').filter(({ path }) => path === '/tmp/event')).toEqual([]);
  },
);

it('the recorder needs no Node of the runtime', async () => {
  const audited = await startAudited();
  const code = { 'index.py': 'def handler(event, context):\n    return open("/tmp/made", "w").write("x")\n' };
  const environment = { ...audited.environment, AWS_LAMBDA_EXEC_WRAPPER: '/opt/alastor/wrapper' };
  await audited.add('fn', code, { runtime: 'python3.13', layerDirs: [audited.auditLayer], environment });
  expect((await audited.call('fn')).value).toBe(1);
  await audited.service.stop();
  const [begin] = audited.of('request-begin');
  expect(audited.of('file-open').find(({ path }) => path === '/tmp/made')).toMatchObject({ req: begin?.req, mode: 'w' });
});
