import { object, objects, type ResourceType, text } from '../template/resource-type.ts';
import { DESCRIPTION, TAGS } from './reasons.ts';

const TRUST = 'who may take on a role is not checked: a function has the role that it names';
const BOUNDARY = 'boundaries are not applied';

/** A role of the account. What it may do is checked for S3, DynamoDB, and the KMS keys of buckets: docs/local.md. */
export const role: ResourceType = {
  type: 'AWS::IAM::Role',
  properties: {
    RoleName: true,
    Policies: [{ PolicyName: true, PolicyDocument: true }],
    ManagedPolicyArns: true,
    AssumeRolePolicyDocument: TRUST,
    PermissionsBoundary: BOUNDARY,
    Description: DESCRIPTION,
    MaxSessionDuration: TRUST,
    Path: 'roles are told apart by name',
    Tags: TAGS,
  },
  create(resource) {
    const { properties, services } = resource;
    const name = resource.name(properties.RoleName);
    const boundary = properties.PermissionsBoundary;
    services.iam.addRole(name, boundary === undefined ? undefined : String(boundary));
    for (const one of objects(properties.Policies)) services.iam.attach(name, one.PolicyDocument, String(one.PolicyName));
    for (const arn of (properties.ManagedPolicyArns ?? []) as unknown[]) services.iam.attachManaged(name, String(arn));
    return { ref: name, attributes: { Arn: services.iam.roleArn(name), RoleId: 'AROALOCALENGINE' } };
  },
};

export const policy: ResourceType = {
  type: 'AWS::IAM::Policy',
  properties: {
    PolicyName: true,
    PolicyDocument: true,
    Roles: true,
    Groups: 'people have no accounts here',
    Users: 'people have no accounts here',
  },
  create(resource) {
    const { PolicyDocument, Roles = [] } = resource.properties;
    for (const name of Roles as unknown[])
      resource.services.iam.attach(String(name), PolicyDocument, text(resource, 'PolicyName'));
    return { ref: resource.name(undefined), attributes: {} };
  },
};

export const managedPolicy: ResourceType = {
  type: 'AWS::IAM::ManagedPolicy',
  properties: {
    ManagedPolicyName: true,
    PolicyDocument: true,
    Roles: true,
    Description: DESCRIPTION,
    Groups: 'people have no accounts here',
    Path: 'policies are told apart by name',
    Users: 'people have no accounts here',
  },
  create(resource) {
    const { properties, services } = resource;
    const name = resource.name(properties.ManagedPolicyName);
    const arn = `arn:aws:iam::${services.env.accountId}:policy/${name}`;
    services.iam.addManaged(arn, properties.PolicyDocument, name);
    for (const one of (properties.Roles ?? []) as unknown[]) services.iam.attachManaged(String(one), arn);
    return { ref: arn, attributes: { PolicyArn: arn } };
  },
};

export const key: ResourceType = {
  type: 'AWS::KMS::Key',
  properties: {
    KeyPolicy: true,
    BypassPolicyLockoutSafetyCheck: 'nobody is locked out here',
    Description: DESCRIPTION,
    Enabled: 'keys are always there',
    EnableKeyRotation: 'nothing is encrypted',
    KeySpec: 'nothing is encrypted',
    KeyUsage: 'nothing is encrypted',
    MultiRegion: 'there is one region',
    PendingWindowInDays: 'nothing outlives the engine',
    RotationPeriodInDays: 'nothing is encrypted',
    Tags: TAGS,
  },
  create(resource) {
    const { services } = resource;
    const id = resource.name(undefined);
    const arn = `arn:aws:kms:${services.env.region}:${services.env.accountId}:key/${id}`;
    services.iam.setKeyPolicy(arn, resource.properties.KeyPolicy, id);
    return { ref: id, attributes: { Arn: arn, KeyId: id } };
  },
};

/** Who else may use a bucket, and what nobody may do. */
export const bucketPolicy: ResourceType = {
  type: 'AWS::S3::BucketPolicy',
  properties: { Bucket: true, PolicyDocument: true },
  create(resource) {
    const bucket = resource.services.s3.buckets.find(text(resource, 'Bucket'));
    bucket?.setPolicy(object(resource.properties.PolicyDocument));
    return { ref: text(resource, 'Bucket'), attributes: {} };
  },
};
