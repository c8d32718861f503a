import type { Context } from './conditions.ts';
import { type Decision, decide, type Principal } from './evaluate.ts';
import { managedDocument, managedPolicy } from './managed.ts';
import { type Policy, readPolicy } from './policy.ts';
import { PolicyError } from './policy-error.ts';

/** Who calls a service, with what their own policies allow. */
export interface Caller {
  readonly principal: Principal;
  readonly policies: readonly Policy[];
  /** False: whoever runs the engine. Keys stop only functions, for nothing is really encrypted. */
  readonly isRole: boolean;
  /** As errors name them, e.g. `arn:aws:sts::123456789012:assumed-role/role/function`. */
  readonly name: string;
}

/** What is asked for: an action on a resource, with the resource's own policy. */
export interface Wanted {
  readonly action: string;
  readonly resource: string;
  readonly context?: Context;
  readonly policy: Policy | null;
  /** False for KMS keys: their policy decides. */
  readonly open: boolean;
}

/** A role as IAM tells of it. */
export interface DescribedRole {
  readonly arn: string;
  readonly boundary: string | undefined;
  /** Names of policies of its own. */
  readonly names: readonly string[];
  /** ARNs of those attached to it. */
  readonly attached: readonly string[];
}

/** What PutRolePolicy, GetRolePolicy and DeleteRolePolicy do. Documents are JSON. */
export interface OwnPolicies {
  /** @throws PolicyError for a policy that is not understood */
  put(name: string, document: string): void;
  get(name: string): string | undefined;
  remove(name: string): void;
}

interface Role {
  readonly arn: string;
  readonly policies: Policy[];
  /** Told, and not applied. */
  readonly boundary: string | undefined;
  /** Those of the template, by name. */
  readonly documents: Map<string, string>;
  readonly attached: string[];
  /** Given to it by PutRolePolicy, by name. */
  readonly own: Map<string, { readonly document: string; readonly policy: Policy }>;
  /** Has a policy whose content is not known here: nothing is refused. */
  unlimited: boolean;
}

const EVERYTHING: Policy = readPolicy({ Statement: { Effect: 'Allow', Action: '*', Resource: '*' } }, 'the account');

/**
 * Roles and keys of the account, and who calls with which access key. Functions call with their role; whoever else signs a
 * request is the account's administrator, and who does not sign is nobody.
 */
export class Iam {
  readonly #accountId: string;
  readonly #region: string;
  readonly #log: (line: string) => void;
  readonly #roles = new Map<string, Role>();
  readonly #managed = new Map<string, Policy>();
  readonly #sessions = new Map<string, { readonly role: Role; readonly session: string }>();
  readonly #keys = new Map<string, { readonly document: unknown; readonly policy: Policy }>();
  readonly #documents = new Map<string, unknown>();

  constructor(accountId: string, region: string, log: (line: string) => void) {
    this.#accountId = accountId;
    this.#region = region;
    this.#log = log;
  }

  roleArn(name: string): string {
    return `arn:aws:iam::${this.#accountId}:role/${name}`;
  }

  addRole(name: string, boundary?: string): void {
    const arn = this.roleArn(name);
    const empty = { policies: [], own: new Map(), documents: new Map(), attached: [], unlimited: false };
    this.#roles.set(arn, { arn, boundary, ...empty });
  }

  describe(roleName: string): DescribedRole | undefined {
    const role = this.#roles.get(this.roleArn(roleName));
    if (role === undefined) return undefined;
    const { arn, boundary, attached } = role;
    return { arn, boundary, attached, names: [...new Set([...role.documents.keys(), ...role.own.keys()])] };
  }

  /** Of a managed policy, or of a key; undefined when there is none, or its words are not known here. */
  documentOf(arn: string): unknown {
    return this.#documents.get(arn) ?? this.#keys.get(arn)?.document ?? managedDocument(arn);
  }

  /** A policy written into, or attached to, a role of the template; a role that is not is none of ours to limit. */
  attach(roleName: string, document: unknown, name: string): void {
    const role = this.#roles.get(this.roleArn(roleName));
    if (role === undefined) return;
    role.documents.set(name, JSON.stringify(document));
    try {
      role.policies.push(readPolicy(document, `${roleName}, ${name}`));
    } catch (cause) {
      if (!(cause instanceof PolicyError)) throw cause;
      this.#unlimited(role, cause.message);
    }
  }

  /** The role's policies of its own, as PutRolePolicy and its like have them; undefined when there is no such role. */
  ownPolicies(roleName: string): OwnPolicies | undefined {
    const role = this.#roles.get(this.roleArn(roleName));
    if (role === undefined) return undefined;
    return {
      put: (name, document) => {
        role.own.set(name, { document, policy: readPolicy(JSON.parse(document), `${roleName}, ${name}`) });
      },
      get: (name) => role.own.get(name)?.document ?? role.documents.get(name),
      remove: (name) => role.own.delete(name),
    };
  }

  addManaged(arn: string, document: unknown, of: string): void {
    this.#documents.set(arn, document);
    this.#managed.set(arn, readPolicy(document, of));
  }

  attachManaged(roleName: string, arn: string): void {
    const role = this.#roles.get(this.roleArn(roleName));
    if (role === undefined) return;
    role.attached.push(arn);
    const policy = this.#managed.get(arn) ?? managedPolicy(arn);
    if (policy === null) this.#unlimited(role, `what ${arn} allows is not known here`);
    else role.policies.push(policy);
  }

  /** From now on, who signs with this access key has this role. */
  open(accessKey: string, roleArn: string, session: string): void {
    const role = this.#roles.get(roleArn);
    if (role !== undefined) this.#sessions.set(accessKey, { role, session });
  }

  /** @throws PolicyError for a policy that is not understood */
  setKeyPolicy(keyArn: string, document: unknown, of: string): void {
    this.#keys.set(keyArn, { document, policy: readPolicy(document, of) });
  }

  /** @param accessKey null: the request is not signed */
  caller(accessKey: string | null): Caller {
    if (accessKey === null)
      return { principal: { arn: 'anonymous', accountId: '' }, policies: [], isRole: false, name: 'anonymous' };
    const found = this.#sessions.get(accessKey);
    if (found === undefined) {
      const arn = `arn:aws:iam::${this.#accountId}:root`;
      return { principal: { arn, accountId: this.#accountId }, policies: [EVERYTHING], isRole: false, name: arn };
    }
    const { role, session } = found;
    const roleName = role.arn.slice(role.arn.lastIndexOf('/') + 1);
    return {
      principal: { arn: role.arn, accountId: this.#accountId },
      policies: role.unlimited ? [EVERYTHING] : [...role.policies, ...[...role.own.values()].map(({ policy }) => policy)],
      isRole: true,
      name: `arn:aws:sts::${this.#accountId}:assumed-role/${roleName}/${session}`,
    };
  }

  /** Why AWS would refuse it, in its words; null when it would not. */
  refusal({ principal, policies, name }: Caller, wanted: Wanted): string | null {
    const { action, resource, policy, open } = wanted;
    const context = { ...this.#contextOf(principal), ...wanted.context };
    const decision: Decision = decide(
      { principal, action, resource, context },
      { identity: policies, resource: policy, owner: this.#accountId, open },
    );
    if (decision === 'allowed') return null;
    const why = decision === 'denied' ? 'with an explicit deny in a policy' : `because no policy allows the ${action} action`;
    return `User: ${name} is not authorized to perform: ${action} on resource: "${resource}" ${why}`;
  }

  /** The same for the use of a KMS key that S3 makes for the caller. */
  keyRefusal(caller: Caller, action: 'kms:GenerateDataKey' | 'kms:Decrypt', keyArn: string): string | null {
    const context = { 'kms:viaservice': `s3.${this.#region}.amazonaws.com`, 'kms:calleraccount': caller.principal.accountId };
    return this.refusal(caller, {
      action,
      resource: keyArn,
      context,
      policy: this.#keys.get(keyArn)?.policy ?? null,
      open: false,
    });
  }

  #contextOf({ arn, accountId }: Principal): Context {
    return {
      'aws:principalarn': arn,
      'aws:principalaccount': accountId,
      'aws:principalisawsservice': 'false',
      'aws:requestedregion': this.#region,
      'aws:resourceaccount': this.#accountId,
      // The endpoint speaks HTTP on the loopback interface, in place of TLS.
      'aws:securetransport': 'true',
    };
  }

  #unlimited(role: Role, why: string): void {
    role.unlimited = true;
    this.#log(`IAM: ${role.arn} may do everything here: ${why}`);
  }
}
