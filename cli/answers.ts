/** What the query API answers, as types: its schemas are not loaded. */
import type { z } from 'zod';
import type * as answers from '../functions/query/answers.ts';

export type Requests = z.infer<typeof answers.requestsAnswer>;
export type Functions = z.infer<typeof answers.functionsAnswer>;
export type Inventory = z.infer<typeof answers.inventoryAnswer>;
export type Instances = z.infer<typeof answers.instancesAnswer>;
export type Instance = z.infer<typeof answers.instanceAnswer>;
export type Search = z.infer<typeof answers.searchAnswer>;
export type Graph = z.infer<typeof answers.graphAnswer>;
export type InstanceGraph = z.infer<typeof answers.instanceGraphAnswer>;
export type Workflow = z.infer<typeof answers.workflowAnswer>;
export type Trace = z.infer<typeof answers.traceAnswer>;
export type Blast = z.infer<typeof answers.blastAnswer>;
export type Paths = z.infer<typeof answers.pathsAnswer>;
export type Causes = z.infer<typeof answers.causesAnswer>;
export type Explanation = z.infer<typeof answers.explanationAnswer>;
export type Deviation = z.infer<typeof answers.deviationAnswer>;
export type Reuse = z.infer<typeof answers.reuseAnswer>;
export type ReuseQuestion = z.infer<typeof answers.reuseQuestionAnswer>;
export type Evidence = z.infer<typeof answers.evidenceAnswer>;
export type Gaps = z.infer<typeof answers.gapsAnswer>;
