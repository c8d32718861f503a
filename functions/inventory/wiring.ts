import type { FunctionConfiguration } from '@aws-sdk/client-lambda';

/** What the platform starts instead of the runtime: it loads the shim and then starts the runtime. */
export const WRAPPER = '/opt/alastor/wrapper';

export interface Wiring {
  /** Nothing of Alastor is on it: nobody meant to audit it, or all was taken away. */
  readonly attached: boolean;
  /** Parts that are missing or lead elsewhere; none when it is audited. */
  readonly problems: readonly string[];
}

/**
 * Whether all parts of the audit are on a function as it is configured.
 * @param bucket where the segments must go; undefined when any will do
 */
export function wiringOf(one: FunctionConfiguration, bucket?: string): Wiring {
  const variables = one.Environment?.Variables ?? {};
  const { ALASTOR_BUCKET: target, AWS_LAMBDA_EXEC_WRAPPER: wrapper } = variables;
  // With a key that the reader may not use, Lambda tells no variables: that is no sign that they are missing.
  const hidden = one.Environment?.Error !== undefined;
  const layers = one.Layers ?? [];
  // Images and custom runtimes are wrapped when they are built; what they have in common is where they write.
  const isImage = one.PackageType === 'Image';
  const usesWrapper = !isImage && one.Runtime?.startsWith('provided') !== true;
  const problems = [
    ...(!hidden && target === undefined ? ['ALASTOR_BUCKET is not set'] : []),
    ...(target !== undefined && bucket !== undefined && target !== bucket
      ? [`ALASTOR_BUCKET is ${target}, not ${bucket}`]
      : []),
    ...(!hidden && usesWrapper && wrapper !== WRAPPER
      ? [`AWS_LAMBDA_EXEC_WRAPPER is ${wrapper ?? 'not set'}, not ${WRAPPER}`]
      : []),
    ...(!isImage && layers.length === 0 ? ['it has no layer'] : []),
  ];
  return { attached: target !== undefined || wrapper === WRAPPER, problems };
}
