import { exactly, literally, type Step, type StepMatch } from '../../../examples/hello-retail/attack/ground-truth.ts';
import type { ShopAnswer } from '../../../examples/hello-retail/attack/shop.ts';
import { Story } from '../../../examples/hello-retail/attack/steps.ts';

/** Name under which the ground truth of a scenario keeps its steps: here there is one story of each. */
export const WHOLE = 'whole';

type Entry = Pick<ShopAnswer, 'requestId'>;

/** The steps of an attack on the desk. */
export class Truth extends Story {
  constructor() {
    super([WHOLE]);
  }

  /** A client's request, and the function that serves it. */
  asks(what: string, fn: string, entry: Entry, agent: string): this {
    return this.attack(`${what}: the client`, { kind: 'client', label: literally(agent) }).serves(what, fn, entry);
  }

  /** A function that a request reached, at once or later. */
  serves(what: string, fn: string, { requestId }: Entry, role: Step['role'] = 'attack'): this {
    return this.runs(`${what}: ${fn}`, named(fn), requestId, role);
  }

  /** Programs that the attacker had run during the request, by the beginnings of their command lines. */
  programs(fn: string, { requestId }: Entry, ...lines: readonly string[]): this {
    for (const line of lines)
      this.attack(`the program ${line}`, {
        ...{ kind: 'process', label: `^(/\\S*/)?${literally(line)}`, function: named(fn), entry: requestId },
      });
    return this;
  }

  /** A call of the attacker's making; `line` is the beginning of what the graph calls it. */
  call(fn: string, { requestId }: Entry, line: string): this {
    return this.attack(`the call ${line}`, {
      ...{ kind: 'exchange', label: `^${literally(line)}`, function: named(fn), entry: requestId },
    });
  }

  endpoint(host: string): this {
    return this.attack(`the host ${host}`, { kind: 'endpoint', label: exactly(host) });
  }

  file(fn: string, path: string, role: Step['role'] = 'attack'): this {
    return this[role](`the file ${path}`, { kind: 'file', label: exactly(path), function: named(fn) });
  }

  /** What `convert` does for everybody: it looks the customer up, keeps a list of its last conversions and counts words. */
  converts({ requestId }: Entry): this {
    const at = { function: named('convert'), entry: requestId } as const;
    return this.context('the customer is looked up', { kind: 'exchange', label: '^dynamodb:GetItem', ...at })
      .context('the customer', customers)
      .context('the text', { kind: 'file', label: '^/tmp/convert/[0-9a-f-]{36}.txt$', function: named('convert') })
      .context('the words are counted', { kind: 'process', label: '^(wc|/usr/bin/dash|process|/bin/sh -c printf)', ...at })
      .file('convert', '/tmp/convert/recent.json', 'context');
  }
}

export const named = (fn: string): string => `desk-${fn}`;
export const customers: StepMatch = { kind: 'resource', label: '^ddb:desk-customers' };

/** A line of a shell that calls an AWS service as the function itself would, with curl. */
export function signedCall(service: string, parts: string): string {
  return (
    `curl -s --aws-sigv4 aws:amz:$AWS_REGION:${service} --user "$AWS_ACCESS_KEY_ID:$AWS_SECRET_ACCESS_KEY" ` +
    `-H "x-amz-security-token: $AWS_SESSION_TOKEN" ${parts}`
  );
}

/** All customers into a file. Quotes are such that it can stand between single ones, not between double ones. */
export function scanCustomers(file: string): string {
  return signedCall(
    'dynamodb',
    `-H "x-amz-target: DynamoDB_20120810.Scan" -H "content-type: application/x-amz-json-1.0" ` +
      `-d "{\\"TableName\\":\\"desk-customers\\"}" -o ${file} $AWS_ENDPOINT_URL/`,
  );
}
