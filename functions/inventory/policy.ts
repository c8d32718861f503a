/** Whom a function's resource policy lets invoke it. Shape: docs.aws.amazon.com/lambda/latest/dg/access-control-resource-based.html */
import type { ExpectedSource } from '../store/inventory.ts';
import type { Own, Service } from './triggers.ts';

type Statement = Readonly<Record<string, unknown>>;

export function readPolicy(policy: string): readonly ExpectedSource[] {
  const { Statement: statements } = JSON.parse(policy) as { readonly Statement?: Statement | readonly Statement[] };
  return [statements ?? []].flat().flatMap((statement): ExpectedSource[] => {
    if (statement.Effect !== 'Allow') return [];
    const principal = statement.Principal as string | Readonly<Record<string, string | readonly string[]>> | undefined;
    const who = typeof principal === 'string' ? [principal] : Object.values(principal ?? {}).flat();
    const source = condition(statement, 'aws:sourcearn');
    const account = condition(statement, 'aws:sourceaccount');
    const limits = { ...(source === undefined ? {} : { source }), ...(account === undefined ? {} : { account }) };
    return who.map((one) => ({ by: 'policy', who: one, ...limits }));
  });
}

/** Value of a condition, whatever compares it; names of keys have no case. */
function condition({ Condition }: Statement, wanted: string): string | undefined {
  const operators = Object.values((Condition ?? {}) as Readonly<Record<string, Readonly<Record<string, unknown>>>>);
  const found = operators.flatMap((one) => Object.entries(one)).find(([key]) => key.toLowerCase() === wanted);
  return typeof found?.[1] === 'string' ? found[1] : undefined;
}

/**
 * Marks permissions that nothing makes use of: whoever they let in was asked, and has nothing configured that leads here. An
 * event that claims to come that way has to be made up.
 * @param complete services that were read to the end; of others nothing can be said
 */
export function withIdle(
  permissions: readonly ExpectedSource[],
  direct: readonly ExpectedSource[],
  complete: ReadonlySet<Service>,
  own: Own,
): readonly ExpectedSource[] {
  return permissions.map((one) => (isIdle(one, direct, complete, own) ? { ...one, idle: true } : one));
}

function isIdle(
  { who, source, account }: ExpectedSource,
  direct: readonly ExpectedSource[],
  complete: ReadonlySet<Service>,
  own: Own,
) {
  const service = /^(\w+)\.amazonaws\.com$/.exec(who)?.[1] as Service | undefined;
  if (service === undefined || !complete.has(service) || source === undefined) return false;
  // Only what lies here was read. A bucket's ARN names no account, so that the condition has to.
  const [, , , region, owner] = source.split(':');
  if (service === 's3' ? account !== own.account : region !== own.region || owner !== own.account) return false;
  // Authorizers are no routes.
  if (source.includes('/authorizers/')) return false;
  const thing = service === 'apigateway' ? (source.split('/')[0] ?? '') : source;
  return !direct.some((one) => one.who === who && (one.source === thing || thing.includes('*')));
}
