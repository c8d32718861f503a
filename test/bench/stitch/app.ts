/** CDK app of the benchmark: the audited sample shop, whose evidence the account itself may read, as an auditor. */
import { App } from 'aws-cdk-lib';
import { AccountRootPrincipal } from 'aws-cdk-lib/aws-iam';
import { Alastor } from '../../../cdk/index.ts';
import { HelloRetail } from '../../../examples/hello-retail/stack.ts';

const app = new App({ analyticsReporting: false });
const shop = new HelloRetail(app, 'HelloRetail');
const alastor = new Alastor(shop, 'Alastor', { auditors: [new AccountRootPrincipal()] });
alastor.auditAll(shop);
// Says of each segment when it is stitched.
alastor.stitcher.addEnvironment('POWERTOOLS_LOG_LEVEL', 'DEBUG');
app.synth();
