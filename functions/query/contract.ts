/** What each route takes and answers. */
import type { z } from 'zod';
import * as answers from './answers.ts';
import { baselineQuery, deviationsQuery } from './baseline.ts';
import { evidenceQuery } from './evidence.ts';
import { changesQuery, gapsQuery } from './gaps.ts';
import { instanceGraphQuery, requestGraphQuery, workflowQuery } from './graphs.ts';
import { instancesQuery, nothing, reuseQuery } from './instances.ts';
import { functionsQuery, poisonQuery, requestsQuery } from './lists.ts';
import { searchQuery } from './search.ts';
import { deviationQuery, pathQuery, questionQuery } from './stories.ts';
import { blastQuery, causesQuery, pathsQuery, traceQuery } from './traces.ts';

export interface Described {
  readonly summary: string;
  readonly query: z.ZodObject;
  readonly answer: z.ZodType;
}

/** By path, in the order of routes.ts. The document itself, `/v1/openapi.json`, is not described. */
export const contract: Readonly<Record<string, Described>> = {
  '/v1/stats': { summary: 'Counts of everything', query: nothing, answer: answers.statsAnswer },
  '/v1/functions': { summary: 'Functions by name', query: functionsQuery, answer: answers.functionsAnswer },
  '/v1/requests': { summary: 'Requests, newest first', query: requestsQuery, answer: answers.requestsAnswer },
  '/v1/requests/{reqId}/graph': {
    summary: 'Local graph of one request',
    query: requestGraphQuery,
    answer: answers.graphAnswer,
  },
  '/v1/requests/{reqId}/workflow': {
    summary: 'Global graph: everything that hand-overs connect to the request',
    query: workflowQuery,
    answer: answers.workflowAnswer,
  },
  '/v1/instances': {
    summary: 'Instances with the requests that each served, newest first',
    query: instancesQuery,
    answer: answers.instancesAnswer,
  },
  '/v1/instances/{id}': {
    summary: 'An instance: requests, segments, what is missing',
    query: nothing,
    answer: answers.instanceAnswer,
  },
  '/v1/instances/{id}/graph': {
    summary: 'All local graphs of an instance, with what lived on from one request into the next',
    query: instanceGraphQuery,
    answer: answers.instanceGraphAnswer,
  },
  '/v1/instances/{id}/reuse': {
    summary: 'Which later requests were influenced by which earlier ones, through what, and how surely',
    query: reuseQuery,
    answer: answers.reuseAnswer,
  },
  '/v1/instances/{id}/deviations': {
    summary: 'What this instance read, ran and spoke to that no other of its function version did',
    query: deviationsQuery,
    answer: answers.deviationsAnswer,
  },
  '/v1/baseline': {
    summary: 'What the cold starts of a function version have in common',
    query: baselineQuery,
    answer: answers.baselineAnswer,
  },
  '/v1/inventory': {
    summary: 'Functions of the account as configured',
    query: nothing,
    answer: answers.inventoryAnswer,
  },
  '/v1/changes': { summary: 'Who changed functions', query: changesQuery, answer: answers.changesAnswer },
  '/v1/gaps': { summary: 'What is missing, and who is not audited', query: gapsQuery, answer: answers.gapsAnswer },
  '/v1/segments/poison': {
    summary: 'Segments that could not be read, and why',
    query: poisonQuery,
    answer: answers.poisonAnswer,
  },
  '/v1/evidence': {
    summary: 'One record, and whether its segment is as it was stitched',
    query: evidenceQuery,
    answer: answers.evidenceAnswer,
  },
  '/v1/search': { summary: 'Nodes by whatever one may hold', query: searchQuery, answer: answers.searchAnswer },
  '/v1/trace': { summary: 'Everything upstream or downstream of a node', query: traceQuery, answer: answers.traceAnswer },
  '/v1/blast': { summary: 'Everything that a node may have reached, by kind', query: blastQuery, answer: answers.blastAnswer },
  '/v1/paths': {
    summary: 'Simple paths from one node to another, shortest first',
    query: pathsQuery,
    answer: answers.pathsAnswer,
  },
  '/v1/causes': { summary: 'What may have influenced both of two nodes', query: causesQuery, answer: answers.causesAnswer },
  '/v1/path': { summary: 'The story: how an attack came to a node', query: pathQuery, answer: answers.pathAnswer },
  '/v1/questions/deviation': {
    summary: "RQ1: does a request deviate from its function's normal behaviour, and in what",
    query: deviationQuery,
    answer: answers.deviationAnswer,
  },
  '/v1/questions/explanation': { summary: 'RQ2: what happened', query: questionQuery, answer: answers.explanationAnswer },
  '/v1/questions/reuse': {
    summary: 'RQ3: was a container reused for the attack',
    query: questionQuery,
    answer: answers.reuseQuestionAnswer,
  },
};
