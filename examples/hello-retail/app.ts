/**
 * CDK app of the sample: `npx cdk deploy`, `npx cdk synth`. With `ALASTOR=off` in the environment, or `-c ALASTOR=off`, the shop
 * is synthesised alone; nothing of its own differs.
 */
import { App } from 'aws-cdk-lib';
import { Alastor } from '../../cdk/index.ts';
import { HelloRetail } from './stack.ts';

const app = new App({ analyticsReporting: false });
const partnerUrl = process.env.PARTNER_URL;
const shop = new HelloRetail(app, 'HelloRetail', partnerUrl ? { partnerUrl } : {});

if ((app.node.tryGetContext('ALASTOR') ?? process.env.ALASTOR) !== 'off') {
  new Alastor(shop, 'Alastor').auditAll(shop);
}

app.synth();
