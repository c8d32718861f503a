/** Deployed functions through the AWS API. */
import { setTimeout as sleep } from 'node:timers/promises';
import { DeleteRolePolicyCommand, IAMClient, NoSuchEntityException, PutRolePolicyCommand } from '@aws-sdk/client-iam';
import {
  GetFunctionConfigurationCommand,
  type GetFunctionConfigurationCommandOutput,
  LambdaClient,
  ListTagsCommand,
  paginateListFunctions,
  TagResourceCommand,
  UntagResourceCommand,
  UpdateFunctionConfigurationCommand,
} from '@aws-sdk/client-lambda';
import { type AwsAsked, clientOf } from '../aws.ts';
import { type Configuration, type Deployed, type RolePolicy, same, TAGS, type Tags } from './plan.ts';

/** Lambda changes a configuration within seconds; one that takes longer has failed in a way of its own. */
const LONGEST_MS = 120_000;
const POLL_MS = 1000;

/** One change as it is applied: `policy` null removes it, `tags` null as well. */
export interface Applied {
  readonly configuration: Configuration;
  readonly tags: Tags | null;
  readonly policy: RolePolicy | { readonly remove: { readonly role: string; readonly name: string } } | null;
}

export class Functions {
  readonly #lambda: LambdaClient;
  readonly #iam: IAMClient;
  readonly #revisions = new Map<string, string | undefined>();

  constructor(asked: AwsAsked) {
    const options = clientOf(asked);
    this.#lambda = new LambdaClient(options);
    // IAM is one for all regions; the SDK finds it by any of them.
    this.#iam = new IAMClient(options);
  }

  /** Names of all functions of account and region. */
  async names(): Promise<readonly string[]> {
    const found: string[] = [];
    for await (const { Functions: page = [] } of paginateListFunctions({ client: this.#lambda }, {})) {
      found.push(...page.flatMap(({ FunctionName }) => FunctionName ?? []));
    }
    return found.sort();
  }

  async read(name: string): Promise<Deployed> {
    const told = await this.#lambda.send(new GetFunctionConfigurationCommand({ FunctionName: name }));
    const { FunctionArn: arn = '', FunctionName = name, Role: role = '', Runtime, PackageType } = told;
    const { Tags: tags = {} } = await this.#lambda.send(new ListTagsCommand({ Resource: arn }));
    this.#revisions.set(FunctionName, told.RevisionId);
    return {
      ...{ name: FunctionName, arn, role, tags },
      runtime: PackageType === 'Image' ? undefined : (Runtime ?? ''),
      architecture: told.Architectures?.[0] === 'arm64' ? 'arm64' : 'x64',
      layers: (told.Layers ?? []).flatMap(({ Arn }) => Arn ?? []),
      variables: told.Environment?.Variables ?? {},
      ...(told.Environment?.Error === undefined ? {} : { hidden: told.Environment.Error.Message ?? 'no reason given' }),
    };
  }

  /** Lets the function's role put its segments. */
  async allow({ role: RoleName, name: PolicyName, document: PolicyDocument }: RolePolicy): Promise<void> {
    await this.#iam.send(new PutRolePolicyCommand({ RoleName, PolicyName, PolicyDocument }));
  }

  /**
   * Makes the change. What the function may do comes before what makes it do it, and goes after; when Lambda does not take the
   * new configuration, the rest is put back. Once it has taken it, the rest stays, for the change may still come.
   * @throws Error of AWS, with nothing changed or as `alastor status` shows it
   */
  async apply(deployed: Deployed, { configuration, tags, policy }: Applied): Promise<void> {
    const undo: (() => Promise<unknown>)[] = [];
    try {
      if (policy !== null && 'document' in policy) {
        await this.allow(policy);
        undo.push(() => this.#forget(policy));
      }
      if (tags !== null) {
        await this.#lambda.send(new TagResourceCommand({ Resource: deployed.arn, Tags: { ...tags } }));
        undo.push(() => this.#untag(deployed));
        // Tags make a new revision, which says no more whether somebody else has changed something.
        const now = await this.read(deployed.name);
        if (!same(now, deployed)) throw new Error('somebody else has changed it meanwhile');
      }
      await this.#configure(deployed, configuration);
    } catch (cause) {
      // Of a function that was instrumented before, tags and policy are still needed.
      if (!TAGS.some((tag) => deployed.tags[tag] !== undefined)) await Promise.allSettled(undo.map((step) => step()));
      throw cause;
    }
    await this.#settled(deployed);
    if (tags === null) await this.#untag(deployed);
    if (policy !== null && 'remove' in policy) await this.#forget(policy.remove);
  }

  async #configure({ name, arn }: Deployed, { layers, variables }: Configuration): Promise<void> {
    const revision = this.#revisions.get(name);
    await this.#lambda.send(
      new UpdateFunctionConfigurationCommand({
        ...{ FunctionName: arn, Layers: [...layers], Environment: { Variables: { ...variables } } },
        // Nobody else may have changed it since it was read.
        ...(revision === undefined ? {} : { RevisionId: revision }),
      }),
    );
  }

  /** Waits until Lambda has made the change that it has taken. */
  async #settled({ name, arn }: Deployed): Promise<void> {
    const until = Date.now() + LONGEST_MS;
    for (;;) {
      const now: GetFunctionConfigurationCommandOutput = await this.#lambda.send(
        new GetFunctionConfigurationCommand({ FunctionName: arn }),
      );
      if (now.LastUpdateStatus === 'Failed') throw new Error(`Lambda could not change it: ${now.LastUpdateStatusReason}`);
      if (now.LastUpdateStatus !== 'InProgress') return;
      if (Date.now() > until)
        throw new Error(`Lambda has not changed it within ${LONGEST_MS / 1000} s; look with \`alastor status ${name}\``);
      await sleep(POLL_MS);
    }
  }

  #untag({ arn }: Deployed): Promise<unknown> {
    return this.#lambda.send(new UntagResourceCommand({ Resource: arn, TagKeys: [...TAGS] }));
  }

  async #forget({ role: RoleName, name: PolicyName }: { readonly role: string; readonly name: string }): Promise<void> {
    try {
      await this.#iam.send(new DeleteRolePolicyCommand({ RoleName, PolicyName }));
    } catch (cause) {
      if (!(cause instanceof NoSuchEntityException)) throw cause;
    }
  }
}
