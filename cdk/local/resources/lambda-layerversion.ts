import { codeDirectory } from '../template/code.ts';
import { object, type ResourceType } from '../template/resource-type.ts';
import { DESCRIPTION } from './reasons.ts';

export const layerVersion: ResourceType = {
  type: 'AWS::Lambda::LayerVersion',
  properties: {
    Content: { S3Bucket: true, S3Key: true, S3ObjectVersion: 'the asset of this synthesis is used' },
    LayerName: true,
    CompatibleArchitectures: 'functions run on the processor that is there',
    CompatibleRuntimes: 'it only restricts where a layer may be attached',
    Description: true,
    LicenseInfo: DESCRIPTION,
  },
  create(resource) {
    const { services, stack, metadata } = resource;
    const { env } = services;
    const directory = codeDirectory(stack, object(resource.properties.Content), metadata, env.stateDir, resource.at('Content'));
    const name = resource.name(resource.properties.LayerName);
    const arn = `arn:aws:lambda:${env.region}:${env.accountId}:layer:${name}:1`;
    services.layers.set(arn, directory);
    services.topology.layers.push({ arn: arn.slice(0, -2), Description: String(resource.properties.Description ?? '') });
    return { ref: arn, attributes: { LayerVersionArn: arn } };
  },
};
