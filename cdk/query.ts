import { Duration } from 'aws-cdk-lib';
import { AccessLogFormat } from 'aws-cdk-lib/aws-apigateway';
import { HttpApi, HttpMethod, type IHttpRouteAuthorizer, LogGroupLogDestination } from 'aws-cdk-lib/aws-apigatewayv2';
import { HttpIamAuthorizer } from 'aws-cdk-lib/aws-apigatewayv2-authorizers';
import { HttpLambdaIntegration } from 'aws-cdk-lib/aws-apigatewayv2-integrations';
import type { Function as LambdaFunction } from 'aws-cdk-lib/aws-lambda';
import { LogGroup, RetentionDays } from 'aws-cdk-lib/aws-logs';
import type { Construct } from 'constructs';
import type { EvidenceStore } from './evidence.ts';
import { OwnFunction } from './own-function.ts';
import { letQuery } from './permissions.ts';
import type { AlastorSettings } from './props.ts';

/** Answers questions about the graph; changes nothing. */
export class QueryFunction extends OwnFunction {
  constructor(scope: Construct, id: string, store: EvidenceStore) {
    // An HTTP API waits 30 s at most.
    super(scope, id, { folder: 'query', store, timeout: Duration.seconds(29) });
    letQuery(this, store);
  }
}

/** Questions a second, and at once: a hundred investigators; a walk of the graph takes up to seconds of a function each. */
const THROTTLE = { rateLimit: 50, burstLimit: 100 };

/** Who asked what, as API Gateway has it: signatures by the ARN, tokens by their subject. Queries hold what is searched for, and stay out. */
const ACCESS_LOG = AccessLogFormat.custom(
  JSON.stringify({
    ...{ requestId: '$context.requestId', time: '$context.requestTime', ip: '$context.identity.sourceIp' },
    ...{ caller: '$context.identity.userArn', subject: '$context.authorizer.claims.sub', path: '$context.path' },
    ...{ status: '$context.status', bytes: '$context.responseLength', refused: '$context.authorizer.error' },
  }),
);

/**
 * The query function over HTTP: for signed requests by default, throttled, every access logged. No CORS: no web site may ask in the
 * name of who looks at it.
 */
export class QueryApi extends HttpApi {
  constructor(
    scope: Construct,
    id: string,
    query: LambdaFunction,
    { retentionDays, removalPolicy }: AlastorSettings,
    authorizer: IHttpRouteAuthorizer = new HttpIamAuthorizer(),
  ) {
    super(scope, id, { description: 'Alastor: query API', createDefaultStage: false });
    const logGroup = new LogGroup(this, 'AccessLog', { retention: logRetention(retentionDays), removalPolicy });
    this.addStage('Stage', {
      ...{ stageName: '$default', autoDeploy: true, throttle: THROTTLE },
      accessLogSettings: { destination: new LogGroupLogDestination(logGroup), format: ACCESS_LOG },
    });
    this.addRoutes({
      path: '/{proxy+}',
      methods: [HttpMethod.ANY],
      integration: new HttpLambdaIntegration('QueryIntegration', query),
      authorizer,
    });
  }
}

/** The shortest retention that CloudWatch offers which is not shorter than that of evidence. */
function logRetention(days: number): RetentionDays {
  const offered = Object.values(RetentionDays).filter((one): one is number => typeof one === 'number');
  return offered.filter((one) => one >= days).sort((a, b) => a - b)[0] ?? RetentionDays.TEN_YEARS;
}
