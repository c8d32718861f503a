import type { Environment } from '../../environment.ts';
import { ServiceError } from '../../http/error.ts';
import type { Exchange } from '../../http/exchange.ts';
import type { Iam } from '../../iam/account.ts';

interface Body {
  readonly TableName?: string;
  readonly RequestItems?: Readonly<Record<string, unknown>>;
  readonly TransactItems?: readonly Readonly<Record<string, { readonly TableName?: string }>>[];
}

/** Action of each part of a transaction ("Actions, resources, and condition keys for Amazon DynamoDB"). */
const PARTS: Readonly<Record<string, string>> = {
  ...{ Put: 'PutItem', Update: 'UpdateItem', Delete: 'DeleteItem', Get: 'GetItem', ConditionCheck: 'ConditionCheckItem' },
};

/**
 * Checks a call of a function against its role. PartiQL is let through: its tables stand in the text of a statement.
 * @throws ServiceError AccessDeniedException
 */
export function authorize(iam: Iam, { region, accountId }: Environment, { scope, operation }: Exchange, body: Buffer): void {
  const caller = iam.caller(scope?.accessKey ?? 'unsigned');
  // Only functions have limits: what comes from outside is not even parsed.
  if (!caller.isRole) return;
  const { TableName, RequestItems, TransactItems } = JSON.parse(body.toString('utf8')) as Body;
  const wanted = [
    ...(TableName === undefined ? [] : [[operation ?? '', TableName]]),
    ...Object.keys(RequestItems ?? {}).map((table) => [operation ?? '', table]),
    ...(TransactItems ?? []).flatMap((item) =>
      Object.entries(item).map(([kind, { TableName: table = '' }]) => [PARTS[kind] ?? kind, table]),
    ),
  ] as [string, string][];
  for (const [name, table] of wanted) {
    const arn = table.startsWith('arn:') ? table : `arn:aws:dynamodb:${region}:${accountId}:table/${table}`;
    const refusal = iam.refusal(caller, { action: `dynamodb:${name}`, resource: arn, policy: null, open: true });
    if (refusal !== null) throw new ServiceError('AccessDeniedException', refusal, 400);
  }
}
