/** The API as an OpenAPI 3.1 document, made from the schemas that check its questions and describe its answers. */
import { z } from 'zod';
import { problem } from './answers.ts';
import { contract } from './contract.ts';

type Json = { readonly [key: string]: unknown };

/** Schemas of OpenAPI 3.1 are those of JSON Schema 2020-12, which is said once for the whole document. */
function schemaOf(type: z.ZodType, io: 'input' | 'output'): Json {
  const { $schema: _, ...schema } = z.toJSONSchema(type, { target: 'draft-2020-12', io }) as unknown as Json;
  return schema;
}

export function openApi(): Json {
  const paths = Object.entries(contract).map(([path, { summary, query, answer }]) => {
    const inPath = [...path.matchAll(/\{(\w+)\}/g)].map(([, name]) => {
      return { name, in: 'path', required: true, schema: { type: 'string' } };
    });
    const { properties = {}, required = [] } = schemaOf(query, 'input') as { properties?: Json; required?: readonly string[] };
    const inQuery = Object.entries(properties).map(([name, schema]) => {
      return { name, in: 'query', required: required.includes(name), schema };
    });
    const get = {
      ...{
        operationId: path
          .slice('/v1/'.length)
          .replace(/[^A-Za-z0-9]+/g, '-')
          .replace(/-$/, ''),
        summary,
      },
      parameters: [...inPath, ...inQuery],
      responses: {
        200: { description: summary, content: { 'application/json': { schema: schemaOf(answer, 'output') } } },
        default: {
          description: 'A problem (RFC 9457)',
          content: { 'application/problem+json': { schema: { $ref: '#/components/schemas/Problem' } } },
        },
      },
    };
    return [path, { get }];
  });
  return {
    openapi: '3.1.1',
    info: {
      title: 'Alastor query API',
      version: '1',
      description:
        'Times are µs since 1970 in answers, and those or ISO 8601 in questions. Ids are opaque. Every answer says in `cut` what it left out.',
    },
    paths: Object.fromEntries(paths),
    components: { schemas: { Problem: schemaOf(problem, 'output') } },
  };
}
