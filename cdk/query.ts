import { Duration } from 'aws-cdk-lib';
import { HttpApi, HttpMethod, type IHttpRouteAuthorizer } from 'aws-cdk-lib/aws-apigatewayv2';
import { HttpIamAuthorizer } from 'aws-cdk-lib/aws-apigatewayv2-authorizers';
import { HttpLambdaIntegration } from 'aws-cdk-lib/aws-apigatewayv2-integrations';
import type { Function as LambdaFunction } from 'aws-cdk-lib/aws-lambda';
import type { Construct } from 'constructs';
import type { EvidenceStore } from './evidence.ts';
import { OwnFunction } from './own-function.ts';
import { letQuery } from './permissions.ts';

/** Answers questions about the graph; changes nothing. */
export class QueryFunction extends OwnFunction {
  constructor(scope: Construct, id: string, store: EvidenceStore) {
    // An HTTP API waits 30 s at most.
    super(scope, id, { folder: 'query', store, timeout: Duration.seconds(29) });
    letQuery(this, store);
  }
}

/** The query function over HTTP. */
export class QueryApi extends HttpApi {
  constructor(scope: Construct, id: string, query: LambdaFunction, authorizer: IHttpRouteAuthorizer = new HttpIamAuthorizer()) {
    super(scope, id, { description: 'Alastor: query API' });
    this.addRoutes({
      path: '/{proxy+}',
      methods: [HttpMethod.ANY],
      integration: new HttpLambdaIntegration('QueryIntegration', query),
      authorizer,
    });
  }
}
