/** CDK app of the desk with Alastor. COLLECTOR: see `DeskProps.collector`. */
import { App } from 'aws-cdk-lib';
import { Alastor } from '../../../cdk/index.ts';
import { Desk } from './stack.ts';

const app = new App({ analyticsReporting: false });
const collector = process.env.COLLECTOR;
const desk = new Desk(app, 'Desk', collector === undefined ? {} : { collector });
new Alastor(desk, 'Alastor').auditAll(desk);
app.synth();
