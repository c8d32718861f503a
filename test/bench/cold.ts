import { join } from 'node:path';
import { type LambdaOptions, LambdaService } from '../../cdk/local/lambda/index.ts';
import type { Cold } from './orders.ts';
import type { Variant } from './variants.ts';

/** Creates a function, calls it once and removes it again, each time with nothing left of the time before. */
export async function coldStart(variant: Variant, options: Omit<LambdaOptions, 'onLog'>, bucket: string): Promise<Cold> {
  const service = new LambdaService(options);
  try {
    const created = now();
    await service.add({
      name: 'bench-cold',
      arn: 'arn:aws:lambda:us-east-1:123456789012:function:bench-cold',
      runtime: 'nodejs24.x',
      handler: 'index.handler',
      codeDir: join(import.meta.dirname, 'functions/cold'),
      layerDirs: variant.layer === undefined ? [] : [variant.layer],
      environment: { ...variant.environment, ...(variant.ships ? { ALASTOR_BUCKET: bucket } : {}) },
      memoryMb: 512,
      timeoutMs: 20_000,
      region: 'us-east-1',
      accountId: '123456789012',
    });
    const invoked = now();
    const { payload, functionError } = await service.invoke('bench-cold', Buffer.from('{}'), { type: 'RequestResponse' });
    const answered = now();
    if (functionError !== undefined) throw new Error(`${variant.name}, cold start: ${payload}`);
    const { at } = JSON.parse(payload.toString()) as { at: string };
    while (!service.idle()) await new Promise((resolve) => setTimeout(resolve, 5));
    const stopping = now();
    await service.stop();
    return { firstLine: ms(invoked, BigInt(at)), deploy: ms(created, answered), tearDown: ms(stopping, now()) };
  } finally {
    await service.stop();
  }
}

const now = () => process.hrtime.bigint();
const ms = (from: bigint, to: bigint) => Number(to - from) / 1e6;
