import { Stack, Token } from 'aws-cdk-lib';
import { experimental } from 'aws-cdk-lib/aws-cloudfront';
import { Role } from 'aws-cdk-lib/aws-iam';
import { Alias, Function as LambdaFunction, Runtime, RuntimeFamily, Version } from 'aws-cdk-lib/aws-lambda';
import type { IConstruct } from 'constructs';
import { AuditedDockerImageCode } from './docker-image.ts';

const wrapperVariable = 'AWS_LAMBDA_EXEC_WRAPPER';
const ownMark = Symbol.for('alastor.own');

/** Marks a construct below which nothing is ever audited: Alastor's functions would audit themselves for ever. */
export function markOwn(construct: IConstruct): void {
  Object.defineProperty(construct, ownMark, { value: true });
}

export function isOwn(node: IConstruct): boolean {
  return node.node.scopes.some((scope) => ownMark in scope);
}

/** Why a function cannot be audited whatever else the app says of it, null if it can. */
export function obstacle(fn: LambdaFunction): string | null {
  if (isOwn(fn)) return "it is one of Alastor's own functions, which are never audited";
  if (isEdge(fn)) return 'it runs at the edge (Lambda@Edge), where there are neither layers nor variables';
  if (fn.runtime === Runtime.FROM_IMAGE) {
    // The audit is in the image: there is nothing to attach but the environment.
    return AuditedDockerImageCode.isAudited(fn)
      ? null
      : 'it is a container image without the audit in it: build it with AuditedDockerImageCode (docs/images.md)';
  }
  if (fn.runtime.family === RuntimeFamily.OTHER) return `its runtime ${fn.runtime.name} ignores ${wrapperVariable}`;
  return null;
}

/** A distribution lets the edge assume the role of the functions that it runs there. */
function isEdge(fn: LambdaFunction): boolean {
  if (fn.node.scopes.some((scope) => scope instanceof experimental.EdgeFunction)) return true;
  const trust = Role.isRole(fn.role) ? JSON.stringify(Stack.of(fn).resolve(fn.role.assumeRolePolicy)) : undefined;
  return trust?.includes('edgelambda.amazonaws.com') ?? false;
}

/**
 * The function behind what somebody wants audited: for an alias or a version, the one that it names.
 * @throws Error saying what to give instead
 */
export function functionBehind(given: unknown): LambdaFunction {
  if (given instanceof LambdaFunction) return given;
  const path = (given as Partial<IConstruct> | undefined)?.node?.path ?? String(given);
  if (!(given instanceof Alias || given instanceof Version)) {
    throw new Error(
      `Alastor cannot audit ${path}: it is not a function of this app, so its configuration is not the app's to change. Audit it in the app that owns it, or when it is deployed: \`alastor instrument\`.`,
    );
  }
  const fn = functionBehind(given.lambda);
  if (isCurrent(given, fn)) return fn;
  throw new Error(
    `Alastor cannot audit ${path}: it names a version that is published once and then stays as it is. Let it name \`currentVersion\` of ${fn.node.path}, of which each change publishes a new one.`,
  );
}

/** Does it name the version that CDK publishes anew when the function changes? */
function isCurrent(given: Alias | Version, fn: LambdaFunction): boolean {
  return (given instanceof Alias ? given.version : given) === fn.node.tryFindChild('CurrentVersion');
}

/** Lambda's limit for all variables of a function together, in bytes of JSON. */
const environmentLimit = 4096;
const mostLayers = 5;

/** What a function would be with the audit attached, as far as the synthesis knows it. */
export interface Attached {
  readonly layers: number;
  /** Values may be expressions. */
  readonly environment: Readonly<Record<string, unknown>>;
  readonly unpacked: number;
  readonly unpackedLimit: number;
}

/** Which limit of Lambda the function would exceed, null when none. What is known only when it is deployed counts nothing. */
export function limitExceeded({ layers, environment, unpacked, unpackedLimit }: Attached): string | null {
  if (layers > mostLayers) {
    return `it has ${layers - 1} layers, and Lambda takes ${mostLayers}. Put two of them into one, or package it as an image (AuditedDockerImageCode)`;
  }
  const known = Object.entries(environment).map(([name, value]) => [
    name,
    typeof value === 'string' && !Token.isUnresolved(value) ? value : '',
  ]);
  const bytes = Buffer.byteLength(JSON.stringify(Object.fromEntries(known)));
  if (bytes > environmentLimit) {
    return `with the audit its variables are ${bytes} bytes, and Lambda takes ${environmentLimit}. Shorten them, or move some to Parameter Store`;
  }
  if (unpacked > unpackedLimit) {
    const megabytes = (size: number) => Math.ceil(size / 1048576);
    return `with the audit layer its code and layers unpack to ${megabytes(unpacked)} MB, and Lambda takes ${megabytes(unpackedLimit)} MB. Package it as an image (AuditedDockerImageCode)`;
  }
  return null;
}
