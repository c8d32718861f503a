/** A CDK app as a user has it, for the tests of `alastor local`. */
import { App, CfnOutput, Stack } from 'aws-cdk-lib';
import * as dynamodb from 'aws-cdk-lib/aws-dynamodb';
import * as lambda from 'aws-cdk-lib/aws-lambda';

const stack = new Stack(new App(), 'FromApp');
new dynamodb.Table(stack, 'Table', { partitionKey: { name: 'id', type: dynamodb.AttributeType.STRING } });
const fn = new lambda.Function(stack, 'Fn', {
  functionName: 'fn',
  runtime: lambda.Runtime.NODEJS_22_X,
  handler: 'index.handler',
  code: lambda.Code.fromInline('exports.handler = async () => 1'),
});
new CfnOutput(stack, 'Url', { value: fn.addFunctionUrl({ authType: lambda.FunctionUrlAuthType.NONE }).url });
