import { join } from 'node:path';
import { type App, Duration, Stack } from 'aws-cdk-lib';
import { DockerImageFunction } from 'aws-cdk-lib/aws-lambda';
import { Alastor, AuditedDockerImageCode, type AuditedImageAssetProps } from '../../../cdk/index.ts';
import { layerArchitecture } from '../../../cdk/layer.ts';

const images = join(import.meta.dirname, '../images');

/** Two functions from container images: one on AWS's base for Node, which invokes one on that for Python. */
export function imageApp(app: App): readonly string[] {
  const stack = new Stack(app, 'Orders');
  const fn = (functionName: string, image: string, props: AuditedImageAssetProps = {}) =>
    new DockerImageFunction(stack, functionName, {
      code: AuditedDockerImageCode.fromImageAsset(join(images, image), props),
      ...{ functionName, architecture: layerArchitecture, timeout: Duration.seconds(20) },
    });
  fn('payment', 'python', { target: 'shop' }).grantInvoke(fn('order', 'node'));
  new Alastor(stack, 'Alastor').auditAll(stack);
  return ['Orders'];
}
