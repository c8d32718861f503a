import { DynamoDBClient, GetItemCommand } from '@aws-sdk/client-dynamodb';
import { required } from '../contract/environment.ts';
import { invoke } from '../contract/invoke.ts';
import type { AuthorizationQuery, Card, StoredCard } from '../contract/messages.ts';

const dynamodb = new DynamoDBClient({});

/** The card to charge: the one given, which is stored for the next time, or the stored one of the user. */
export async function cardFor(query: AuthorizationQuery): Promise<Card | undefined> {
  if (query.card) {
    await invoke<unknown>(required('STORE_CC_FUNCTION'), { user: query.user, ...query.card } satisfies StoredCard);
    return query.card;
  }
  const { Item } = await dynamodb.send(
    new GetItemCommand({ TableName: required('CARDS_TABLE'), Key: { user: { S: query.user } } }),
  );
  if (!Item) return undefined;
  return { number: Item.number?.S ?? '', holder: Item.holder?.S ?? '', expiry: Item.expiry?.S ?? '' };
}

/** Most that the issuer lets one authorization of this card be, in cents. Derived from the number: there is no real issuer. */
export function issuerLimit(card: Card): number {
  return card.number.startsWith('5') ? 500_000 : 200_000;
}

/** Luhn's check digit. */
export function isCardNumber(number: string): boolean {
  if (!/^\d{12,19}$/.test(number)) return false;
  const sum = [...number].reverse().reduce((total, digit, place) => {
    const value = Number(digit) * (place % 2 === 0 ? 1 : 2);
    return total + (value > 9 ? value - 9 : value);
  }, 0);
  return sum % 10 === 0;
}
