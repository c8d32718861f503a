import { gzipSync } from 'node:zlib';

/** As a subscription filter hands log lines to a function. */
export function delivery(
  lines: readonly { readonly at: number; readonly message: string }[],
  place: { readonly group?: string; readonly stream?: string; readonly filter?: string } = {},
) {
  const { group = '/aws/lambda/shop', stream = '2026/11/22/[$LATEST]0123456789abcdef0123456789abcdef', filter = 'f' } = place;
  const text = JSON.stringify({
    ...{
      messageType: 'DATA_MESSAGE',
      owner: '123456789012',
      logGroup: group,
      logStream: stream,
      subscriptionFilters: [filter],
    },
    // Events have ids that this has no use for.
    logEvents: lines.map(({ at, message }, i) => ({ id: String(i), timestamp: Math.trunc(at / 1000), message })),
  });
  return { awslogs: { data: gzipSync(text).toString('base64') } };
}

export const started = (id: string) => `START RequestId: ${id} Version: $LATEST\n`;
export const ended = (id: string) => `END RequestId: ${id}\n`;
export const reported = (id: string, ms = '12.50', status = '') =>
  `REPORT RequestId: ${id}\tDuration: ${ms} ms\tBilled Duration: 13 ms\tMemory Size: 128 MB\tMax Memory Used: 40 MB\t${status}\n`;

/** A data event of an invocation, cut to the fields of the documentation's example that tell something. */
export const invokeEvent = (requestID: string, fn: string, more: object = {}) => ({
  ...{ eventVersion: '1.08', eventTime: '2026-11-22T05:00:01Z', eventSource: 'lambda.amazonaws.com', eventName: 'Invoke' },
  userIdentity: { type: 'AssumedRole', arn: 'arn:aws:sts::123456789012:assumed-role/caller/session' },
  ...{
    awsRegion: 'us-east-1',
    sourceIPAddress: '203.0.113.9',
    userAgent: 'aws-cli/2.15',
    requestID,
    eventID: `e-${requestID}`,
  },
  requestParameters: {
    functionName: `arn:aws:lambda:us-east-1:123456789012:function:${fn}`,
    invocationType: 'RequestResponse',
  },
  resources: [{ accountId: '123456789012', type: 'AWS::Lambda::Function', ARN: `arn:aws:lambda:us-east-1:1:function:${fn}` }],
  additionalEventData: { functionVersion: `arn:aws:lambda:us-east-1:123456789012:function:${fn}:$LATEST` },
  ...{ eventType: 'AwsApiCall', managementEvent: false, eventCategory: 'Data', responseElements: null, readOnly: false },
  ...more,
});

export const changeEvent = (eventName: string, fn: string, more: object = {}) => ({
  ...{ eventVersion: '1.08', eventTime: '2026-11-22T05:10:00Z', eventSource: 'lambda.amazonaws.com', eventName },
  userIdentity: { type: 'IAMUser', principalId: 'AIDA', arn: 'arn:aws:iam::123456789012:user/mallory', userName: 'mallory' },
  ...{ sourceIPAddress: '198.51.100.7', userAgent: 'Boto3/1.34', requestID: 'r', eventID: `change-${eventName}-${fn}` },
  ...{
    requestParameters: { functionName: fn, publish: false, dryRun: false },
    managementEvent: true,
    eventCategory: 'Management',
  },
  ...more,
});
