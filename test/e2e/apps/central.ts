import { join } from 'node:path';
import { type App, Duration, Stack } from 'aws-cdk-lib';
import { Function as LambdaFunction, Runtime } from 'aws-cdk-lib/aws-lambda';
import { Bucket, EventType } from 'aws-cdk-lib/aws-s3';
import { LambdaDestination } from 'aws-cdk-lib/aws-s3-notifications';
import { bundledCode } from '../../../cdk/bundle.ts';
import { Alastor } from '../../../cdk/index.ts';

/** Evidence and questions in a stack of their own; two apps that find it, by an export and by a parameter. */
export function centralApp(app: App): readonly string[] {
  new Alastor(new Stack(app, 'Security'), 'Alastor', {
    ...{ exportName: 'alastor-evidence', parameterName: '/alastor/evidence' },
    sharedWith: { accounts: ['111122223333'] },
  });

  const shop = new Stack(app, 'Shop');
  const pictures = new Bucket(shop, 'Pictures');
  const fn = (stack: Stack, name: string) =>
    new LambdaFunction(stack, name, {
      ...{ functionName: name, runtime: Runtime.NODEJS_24_X, timeout: Duration.seconds(20) },
      ...{ code: bundledCode(join(import.meta.dirname, 'functions.ts')), handler: `index.${name}` },
    });
  const [upload, thumbnail] = [fn(shop, 'upload'), fn(shop, 'thumbnail')] as const;
  fn(shop, 'internal');
  for (const one of [upload, thumbnail]) {
    one.addEnvironment('PICTURES', pictures.bucketName);
    pictures.grantReadWrite(one);
  }
  pictures.addEventNotification(EventType.OBJECT_CREATED, new LambdaDestination(thumbnail));
  // As those of another account or region would be.
  Alastor.fromReference(shop, 'Alastor', { exportName: 'alastor-evidence', qualified: true }).auditAll(shop, {
    exclude: [/internal$/],
  });

  const billing = new Stack(app, 'Billing');
  const invoice = new LambdaFunction(billing, 'invoice', {
    ...{ functionName: 'invoice', runtime: Runtime.NODEJS_24_X, timeout: Duration.seconds(20) },
    ...{ code: bundledCode(join(import.meta.dirname, 'functions.ts')), handler: 'index.internal' },
  });
  Alastor.fromReference(billing, 'Alastor', { parameterName: '/alastor/evidence' }).audit(invoice);
  return ['Security', 'Shop', 'Billing'];
}
