/** The policies of roles, simulated with those of the bucket and of its key. */
import { GetKeyPolicyCommand, type KMSClient } from '@aws-sdk/client-kms';
import type { FunctionConfiguration } from '@aws-sdk/client-lambda';
import { GetBucketEncryptionCommand, GetBucketPolicyCommand, type S3Client } from '@aws-sdk/client-s3';
import type { Context } from '../../cdk/local/iam/conditions.ts';
import { type Policy, readPolicy } from '../../cdk/local/iam/policy.ts';
import { PolicyError } from '../../cdk/local/iam/policy-error.ts';
import { notUnderstood, type Outcome, simulate } from '../../cdk/local/iam/simulate.ts';
import { plural } from '../screen.ts';
import type { Audited } from './attached.ts';
import { type Finding, ok, unknown, warning, wrong } from './finding.ts';
import { mustNotChange, mustNotRead, mustStore, type Need, needsOf, type Places } from './needs.ts';
import type { Role, Roles } from './roles.ts';
import type { Installation } from './survey.ts';

const DEPLOY = 'somebody changed it: look who (CloudTrail), then deploy the stack of Alastor again';

export class Simulation {
  readonly #roles: Roles;
  readonly #places: Places;
  /** Of the bucket and the key. */
  readonly #resources: ReadonlyMap<string, Policy>;
  readonly #region: string;
  /** Account of Alastor. */
  readonly #owner: string;

  private constructor(
    roles: Roles,
    places: Places,
    resources: ReadonlyMap<string, Policy>,
    where: { readonly region: string; readonly owner: string },
  ) {
    this.#roles = roles;
    this.#places = places;
    this.#resources = resources;
    this.#region = where.region;
    this.#owner = where.owner;
  }

  /** Reads the policies of bucket and key. @throws Error of AWS */
  static async open(
    roles: Roles,
    s3: S3Client,
    kms: KMSClient,
    { bucket: Bucket, shards, links, parts }: Installation,
    queue: string | undefined,
  ): Promise<Simulation> {
    const [fn] = parts.values();
    const [, partition = 'aws', , region = '', owner = ''] = (fn?.FunctionArn ?? '').split(':');
    const { ServerSideEncryptionConfiguration: how } = await s3.send(new GetBucketEncryptionCommand({ Bucket }));
    const named = how?.Rules?.[0]?.ApplyServerSideEncryptionByDefault?.KMSMasterKeyID;
    // It may be named by its id alone.
    const key =
      named === undefined || named.startsWith('arn:') ? named : `arn:${partition}:kms:${region}:${owner}:key/${named}`;
    const bucket = `arn:${partition}:s3:::${Bucket}`;
    const resources = new Map<string, Policy>();
    const { Policy: document } = await s3.send(new GetBucketPolicyCommand({ Bucket })).catch((error: Error) => {
      if (error.name === 'NoSuchBucketPolicy') return { Policy: undefined };
      throw error;
    });
    if (document !== undefined) resources.set(bucket, taken(document));
    if (key !== undefined) {
      const { Policy: told } = await kms.send(new GetKeyPolicyCommand({ KeyId: key, PolicyName: 'default' }));
      resources.set(key, taken(told ?? ''));
    }
    const table = (name: string) => `arn:${partition}:dynamodb:${region}:${owner}:table/${name}`;
    const throughS3 = { 'kms:viaservice': `s3.${region}.amazonaws.com` };
    const places = { bucket, shards: table(shards), links: table(links), queue, key, throughS3 };
    return new Simulation(roles, places, resources, { region, owner });
  }

  async ofPart(part: string, { Role: arn = '', FunctionArn = '' }: FunctionConfiguration): Promise<Finding> {
    const role = await this.#roles.of(arn);
    const { refused, unsure } = this.#judge(role, FunctionArn, needsOf(part, this.#places));
    const what = `role of the ${part}`;
    if (refused.length > 0) return wrong(what, `cannot do what it must: ${listed(refused)}${within(role)}`, DEPLOY);
    if (unsure.length > 0) return this.#unsure(what, role, unsure);
    return ok(what, 'can do what it must');
  }

  /** A role, with the functions that have it. */
  async ofAudited(arn: string, fns: readonly Audited[]): Promise<readonly Finding[]> {
    const role = await this.#roles.of(arn);
    const found: Finding[] = [];
    for (const { name, configuration } of fns) {
      const what = `role of ${configuration.FunctionName ?? name}`;
      const ask = (needs: readonly Need[]) => this.#judge(role, configuration.FunctionArn ?? '', needs);
      const [must, change, seen] = [mustStore, mustNotChange, mustNotRead].map((of) => ask(of(name, this.#places)));
      const read = seen && readable(seen);
      const narrow = (needs: readonly Need[]) =>
        `narrow its role${this.#givenBy(role, configuration.FunctionArn ?? '', needs)}`;
      const unsure = [...(must?.unsure ?? []), ...(change?.unsure ?? []), ...(read?.unsure ?? [])];
      if (must !== undefined && must.refused.length > 0)
        found.push(
          wrong(
            what,
            `cannot store its segments: ${listed(must.refused)}${within(role)}`,
            'deploy its app again, or `alastor instrument` it',
          ),
        );
      if (change !== undefined && change.allowed.length > 0)
        found.push(wrong(what, `could destroy or forge evidence: ${listed(change.allowed)}`, narrow(change.allowed)));
      if (read !== undefined && read.allowed.length > 0)
        found.push(warning(what, `could read evidence: ${listed(read.allowed)}`, narrow(read.allowed)));
      if (unsure.length > 0) found.push(this.#unsure(what, role, unsure));
    }
    if (fns.length > 1) {
      const names = fns.map(({ name }) => name).join(', ');
      found.push(
        warning(
          `role ${arn.slice(arn.lastIndexOf('/') + 1)}`,
          `is of ${plural(fns.length, 'audited function')}: each can write in the name of the others (${names})`,
          'give each a role of its own',
        ),
      );
    }
    return found.length > 0 ? found : [ok(`role of ${fns[0]?.name}`, 'stores its segments, and nothing else')];
  }

  #unsure(what: string, { odd }: Role, needs: readonly Need[]): Finding {
    const why = odd.length > 0 ? ` (${odd.join('; ')})` : ': a condition on what only a real request tells';
    return unknown(
      what,
      `not told for ${listed(needs)}${why}`,
      'ask `aws iam simulate-principal-policy`, or look at the policy',
    );
  }

  #judge(role: Role, functionArn: string, needs: readonly Need[]) {
    const by: Record<Outcome, Need[]> = { allowed: [], refused: [], unknown: [] };
    for (const need of needs) by[this.#ask(role, functionArn, need)].push(need);
    return { allowed: by.allowed, refused: by.refused, unsure: by.unknown };
  }

  #ask(
    { arn, accountId, policies, boundary, tags }: Role,
    functionArn: string,
    { action, resource, context = {} }: Need,
  ): Outcome {
    const bucket = resource.startsWith(this.#places.bucket) ? this.#places.bucket : undefined;
    const access = {
      ...{ principal: { arn, accountId }, action, resource },
      context: { ...this.#contextOf(arn, accountId, functionArn, tags), ...context },
    };
    const isKey = resource === this.#places.key;
    const of = { identity: policies.map(({ policy }) => policy), resource: this.#resources.get(bucket ?? resource) ?? null };
    return simulate(access, { ...of, owner: this.#owner, open: !isKey }, boundary);
  }

  #contextOf(arn: string, accountId: string, functionArn: string, tags: Readonly<Record<string, string>>): Context {
    return {
      ...{ 'aws:principalarn': arn, 'aws:principalaccount': accountId, 'aws:principaltype': 'AssumedRole' },
      ...{ 'aws:principalisawsservice': 'false', 'aws:viaawsservice': 'false', 'aws:securetransport': 'true' },
      ...{
        'aws:requestedregion': this.#region,
        'aws:resourceaccount': this.#owner,
        'kms:calleraccount': accountId,
        'kms:viaservice': undefined,
      },
      ...{ 's3:tlsversion': '1.3', 'lambda:sourcefunctionarn': functionArn },
      ...Object.fromEntries(Object.entries(tags).map(([key, value]) => [`aws:principaltag/${key.toLowerCase()}`, value])),
    };
  }

  /** Which of its policies allow it. */
  #givenBy(role: Role, functionArn: string, needs: readonly Need[]): string {
    const names = role.policies.filter(({ name }) => {
      const alone = { ...role, policies: role.policies.filter((one) => one.name === name) };
      return needs.some((need) => this.#ask(alone, functionArn, need) === 'allowed');
    });
    return names.length === 0 ? '' : `: ${names.map(({ name }) => name).join(', ')}`;
  }
}

function taken(document: string): Policy {
  try {
    return readPolicy(JSON.parse(document), 'a policy');
  } catch (cause) {
    if (cause instanceof PolicyError || cause instanceof SyntaxError) return notUnderstood;
    throw cause;
  }
}

/** What lies under a key is read only by who may decrypt. */
function readable<
  T extends { readonly allowed: readonly Need[]; readonly refused: readonly Need[]; readonly unsure: readonly Need[] },
>(of: T) {
  if (!of.refused.some(({ action }) => action === 'kms:Decrypt')) return of;
  const rest = (needs: readonly Need[]) => needs.filter(({ action }) => !action.startsWith('s3:GetObject'));
  return { ...of, allowed: rest(of.allowed), unsure: rest(of.unsure) };
}

const within = ({ boundary }: Role) => (boundary === null ? '' : ' (it has a permissions boundary)');

/** Actions that are told of one finding. */
const NAMED = 6;
function listed(needs: readonly Need[]): string {
  const all = [
    ...new Set(needs.map(({ action, resource }) => `${action} on ${resource.split(':').slice(5).join(':') || resource}`)),
  ];
  return `${all.slice(0, NAMED).join(', ')}${all.length > NAMED ? `, and ${all.length - NAMED} more` : ''}`;
}
