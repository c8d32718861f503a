import { createHash } from 'node:crypto';
import type { Card, TillAuthorization } from '../contract/messages.ts';

/** A purchase as the client's body asks for it. */
export interface OrderForm {
  readonly idempotencyKey: string;
  readonly user: string;
  readonly product: string;
  readonly quantity: number;
  readonly card?: Card;
  readonly channel?: string;
  readonly authorization?: TillAuthorization;
  readonly notify?: string;
}

/** What is wrong with a form, in words for the client. */
export class FormError extends Error {}

/**
 * Reads the body of POST /purchase.
 * @throws FormError on anything missing or malformed.
 */
export function readOrderForm(body: string | undefined): OrderForm {
  const form = parse(body);
  const card = form.card === undefined ? undefined : readCard(form.card);
  const quantity = form.quantity ?? 1;
  if (typeof quantity !== 'number' || !Number.isInteger(quantity) || quantity < 1 || quantity > 100) {
    throw new FormError('quantity must be a whole number from 1 to 100');
  }
  return {
    idempotencyKey: text(form, 'idempotencyKey'),
    user: text(form, 'user'),
    product: text(form, 'product'),
    quantity,
    ...(card && { card }),
    ...(typeof form.channel === 'string' && { channel: form.channel }),
    ...(isTillAuthorization(form.authorization) && { authorization: form.authorization }),
    ...(typeof form.notify === 'string' && { notify: form.notify }),
  };
}

/** The same form sent twice makes the same order: its id comes from the client's idempotency key. */
export function orderIdOf(form: Pick<OrderForm, 'user' | 'idempotencyKey'>): string {
  return createHash('sha256').update(`${form.user}\n${form.idempotencyKey}`).digest('hex').slice(0, 20);
}

function parse(body: string | undefined): Record<string, unknown> {
  try {
    const form: unknown = JSON.parse(body ?? '');
    if (typeof form === 'object' && form !== null && !Array.isArray(form)) return form as Record<string, unknown>;
  } catch {
    // Answered like any other body that is not an object.
  }
  throw new FormError('the body must be a JSON object');
}

function readCard(card: unknown): Card {
  if (typeof card !== 'object' || card === null) throw new FormError('card must be an object');
  const fields = card as Record<string, unknown>;
  return { number: text(fields, 'number'), holder: text(fields, 'holder'), expiry: text(fields, 'expiry') };
}

function isTillAuthorization(value: unknown): value is TillAuthorization {
  return typeof value === 'object' && value !== null && typeof (value as { code?: unknown }).code === 'string';
}

function text(form: Record<string, unknown>, field: string): string {
  const value = form[field];
  if (typeof value !== 'string' || value === '') throw new FormError(`${field} is missing`);
  return value;
}
