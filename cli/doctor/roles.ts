/** Roles as IAM has them: their policies, taken apart, and their boundaries. Reads only. */
import {
  GetPolicyCommand,
  GetPolicyVersionCommand,
  GetRoleCommand,
  GetRolePolicyCommand,
  type IAMClient,
  ListAttachedRolePoliciesCommand,
  ListRolePoliciesCommand,
} from '@aws-sdk/client-iam';
import { type Policy, readPolicy } from '../../cdk/local/iam/policy.ts';
import { PolicyError } from '../../cdk/local/iam/policy-error.ts';
import { notUnderstood } from '../../cdk/local/iam/simulate.ts';

export interface Role {
  readonly arn: string;
  readonly accountId: string;
  readonly policies: readonly { readonly name: string; readonly policy: Policy }[];
  readonly boundary: Policy | null;
  readonly tags: Readonly<Record<string, string>>;
  /** Policies that could not be taken apart: they may allow or refuse anything. */
  readonly odd: readonly string[];
}

/** IAM lets a role have 20 attached policies at most, and 10,240 characters of its own. */
const MOST_POLICIES = 100;

export class Roles {
  readonly #iam: IAMClient;
  readonly #roles = new Map<string, Promise<Role>>();
  readonly #managed = new Map<string, Promise<unknown>>();

  constructor(iam: IAMClient) {
    this.#iam = iam;
  }

  /** @throws Error of AWS */
  of(arn: string): Promise<Role> {
    let found = this.#roles.get(arn);
    if (found === undefined) {
      found = this.#read(arn);
      this.#roles.set(arn, found);
    }
    return found;
  }

  async #read(arn: string): Promise<Role> {
    const RoleName = arn.slice(arn.lastIndexOf('/') + 1);
    const { Role: told } = await this.#iam.send(new GetRoleCommand({ RoleName }));
    const documents: { readonly name: string; readonly document: unknown }[] = [];
    for (const PolicyName of await this.#own(RoleName)) {
      const { PolicyDocument } = await this.#iam.send(new GetRolePolicyCommand({ RoleName, PolicyName }));
      documents.push({ name: PolicyName, document: parsed(PolicyDocument) });
    }
    for (const policy of await this.#attached(RoleName))
      documents.push({ name: policy.slice(policy.lastIndexOf('/') + 1), document: await this.#document(policy) });
    const odd: string[] = [];
    const taken = (name: string, document: unknown): Policy => {
      try {
        return readPolicy(document, name);
      } catch (cause) {
        if (!(cause instanceof PolicyError)) throw cause;
        odd.push(cause.message);
        return notUnderstood;
      }
    };
    const limit = told?.PermissionsBoundary?.PermissionsBoundaryArn;
    return {
      ...{ arn, accountId: arn.split(':')[4] ?? '' },
      policies: documents.map(({ name, document }) => ({ name, policy: taken(name, document) })),
      boundary: limit === undefined ? null : taken(limit, await this.#document(limit)),
      tags: Object.fromEntries((told?.Tags ?? []).map(({ Key = '', Value = '' }) => [Key, Value])),
      odd,
    };
  }

  async #own(RoleName: string): Promise<readonly string[]> {
    const names: string[] = [];
    let Marker: string | undefined;
    do {
      const page = await this.#iam.send(new ListRolePoliciesCommand({ RoleName, Marker }));
      names.push(...(page.PolicyNames ?? []));
      Marker = page.IsTruncated ? page.Marker : undefined;
    } while (Marker !== undefined && names.length < MOST_POLICIES);
    return names;
  }

  async #attached(RoleName: string): Promise<readonly string[]> {
    const arns: string[] = [];
    let Marker: string | undefined;
    do {
      const page = await this.#iam.send(new ListAttachedRolePoliciesCommand({ RoleName, Marker }));
      arns.push(...(page.AttachedPolicies ?? []).flatMap(({ PolicyArn }) => PolicyArn ?? []));
      Marker = page.IsTruncated ? page.Marker : undefined;
    } while (Marker !== undefined && arns.length < MOST_POLICIES);
    return arns;
  }

  /** Of a managed policy, as it is in force. Many roles have the same. */
  #document(PolicyArn: string): Promise<unknown> {
    let found = this.#managed.get(PolicyArn);
    if (found === undefined) {
      found = (async () => {
        const { Policy: about } = await this.#iam.send(new GetPolicyCommand({ PolicyArn }));
        const VersionId = about?.DefaultVersionId;
        const { PolicyVersion } = await this.#iam.send(new GetPolicyVersionCommand({ PolicyArn, VersionId }));
        return parsed(PolicyVersion?.Document);
      })();
      this.#managed.set(PolicyArn, found);
    }
    return found;
  }
}

/** Documents come percent-encoded (RFC 3986). What is none is left as text, which is not understood. */
function parsed(document: string | undefined): unknown {
  try {
    return JSON.parse(decodeURIComponent(document ?? ''));
  } catch {
    return document;
  }
}
