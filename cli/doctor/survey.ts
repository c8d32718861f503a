import { type FunctionConfiguration, type LambdaClient, ListFunctionsCommand } from '@aws-sdk/client-lambda';
import { environment } from '../../functions/store/schema.ts';
import { serviceVariable } from '../../functions/telemetry/catalogue.ts';
import { UsageError } from '../usage.ts';

/** Alastor as it is deployed in a region, told by what its functions have in their environment. */
export interface Installation {
  /** `<stack>-<id>`. */
  readonly name: string;
  readonly bucket: string;
  readonly shards: string;
  readonly links: string;
  /** Its own functions, by their folder in `functions/`: `stitcher`, `query`, … */
  readonly parts: ReadonlyMap<string, FunctionConfiguration>;
}

export interface Survey {
  readonly installations: readonly Installation[];
  /** Functions that are none of Alastor's own. */
  readonly functions: readonly FunctionConfiguration[];
  /** How far the clock of this machine is ahead of AWS's, ms; undefined when the answers bore no date. */
  readonly clockAheadMs: number | undefined;
}

/** A page has 50; an account starts with room for some thousands. */
const MOST_PAGES = 400;

export async function survey(lambda: LambdaClient): Promise<Survey> {
  let clockAheadMs: number | undefined;
  lambda.middlewareStack.add(
    (next) => async (args) => {
      const answer = await next(args);
      const { headers } = answer.response as { readonly headers?: Readonly<Record<string, string>> };
      const date = Date.parse(headers?.date ?? '');
      if (!Number.isNaN(date)) clockAheadMs = Date.now() - date;
      return answer;
    },
    { step: 'deserialize', name: 'alastorClock' },
  );
  const all: FunctionConfiguration[] = [];
  let Marker: string | undefined;
  for (let page = 0; page < MOST_PAGES; page++) {
    const found = await lambda.send(new ListFunctionsCommand({ Marker }));
    all.push(...(found.Functions ?? []));
    Marker = found.NextMarker;
    if (Marker === undefined) break;
  }
  const variables = ({ Environment }: FunctionConfiguration) => Environment?.Variables ?? {};
  const isOwn = (one: FunctionConfiguration) => variables(one)[environment.links] !== undefined;
  const byTable = Map.groupBy(all.filter(isOwn), (one) => variables(one)[environment.links] ?? '');
  const installations = [...byTable].map(([links, parts]): Installation => {
    const known = variables(parts[0] as FunctionConfiguration);
    return {
      ...{ name: known[serviceVariable] ?? links, links, shards: known[environment.shards] ?? '' },
      bucket: known[environment.bucket] ?? '',
      parts: new Map(parts.map((one) => [variables(one)[environment.part] ?? one.FunctionName ?? '', one])),
    };
  });
  return { installations, functions: all.filter((one) => !isOwn(one)), clockAheadMs };
}

/** The one that is meant. @throws UsageError when it must be said which */
export function choose(installations: readonly Installation[], wanted: string | undefined): Installation | undefined {
  const names = installations.map(({ name }) => name);
  if (wanted !== undefined) {
    const found = installations.find(({ name }) => name === wanted);
    if (found === undefined && names.length > 0)
      throw new UsageError(`--installation "${wanted}" is not here; there is ${names.join(', ')}`);
    return found;
  }
  if (installations.length > 1)
    throw new UsageError(`several are deployed here: give --installation, one of ${names.join(', ')}`);
  return installations[0];
}
