/** CDK app of the benchmark: one stack per variant, each with the sample shop and the functions of the single works. */
import { join } from 'node:path';
import { App, CfnOutput, Duration, RemovalPolicy, type Stack } from 'aws-cdk-lib';
import { HttpApi, HttpMethod } from 'aws-cdk-lib/aws-apigatewayv2';
import { HttpLambdaIntegration } from 'aws-cdk-lib/aws-apigatewayv2-integrations';
import { Code, Function as LambdaFunction, LayerVersion, Runtime } from 'aws-cdk-lib/aws-lambda';
import { Bucket } from 'aws-cdk-lib/aws-s3';
import { HelloRetail } from '../../examples/hello-retail/stack.ts';
import { VARIANTS, type Variant } from './variants.ts';
import { FUNCTION_WORKS } from './works.ts';

const wanted = new Set((process.env.BENCH_VARIANTS ?? '').split(','));
const app = new App({ analyticsReporting: false });
for (const variant of VARIANTS.filter(({ name }) => wanted.has(name))) {
  const stack = new HelloRetail(app, variant.name);
  addWorks(stack);
  attach(stack, variant);
}
app.synth();

function addWorks(stack: Stack): void {
  const api = new HttpApi(stack, 'Bench');
  for (const work of FUNCTION_WORKS) {
    const fn = new LambdaFunction(stack, `Work-${work}`, {
      functionName: `bench-${work}`,
      runtime: Runtime.NODEJS_24_X,
      code: Code.fromAsset(join(import.meta.dirname, 'functions', work)),
      handler: 'index.handler',
      environment: { BENCH_PARTNER: process.env.BENCH_PARTNER ?? '' },
      timeout: Duration.minutes(2),
      memorySize: 512,
    });
    api.addRoutes({
      path: `/${work}`,
      methods: [HttpMethod.POST],
      integration: new HttpLambdaIntegration(`Integration-${work}`, fn),
    });
  }
  new CfnOutput(stack, 'BenchUrl', { value: api.apiEndpoint });
}

/** As Alastor's construct does it, but without the functions that read the evidence: here only capturing is measured. */
function attach(stack: Stack, { layer, environment, ships }: Variant): void {
  const bucket = new Bucket(stack, 'Evidence', { removalPolicy: RemovalPolicy.DESTROY });
  new CfnOutput(stack, 'EvidenceBucket', { value: bucket.bucketName });
  if (layer === undefined) return;
  const layerVersion = new LayerVersion(stack, 'Layer', { code: Code.fromAsset(layer) });
  const functions = stack.node.findAll().filter((node) => node instanceof LambdaFunction && node.functionName !== undefined);
  for (const fn of functions as LambdaFunction[]) {
    // The one Python function stores new cards; the purchases measured are paid with stored ones, so nothing ever calls it.
    if (fn.runtime !== Runtime.NODEJS_24_X) continue;
    fn.addLayers(layerVersion);
    for (const [name, value] of Object.entries(environment)) fn.addEnvironment(name, value);
    if (!ships) continue;
    fn.addEnvironment('ALASTOR_BUCKET', bucket.bucketName);
    bucket.grantPut(fn);
  }
}
