import type { PriceAnswer, PriceQuery } from '../shared/messages.ts';
import { findPrice } from '../shared/prices.ts';

/** Called by purchase: the price of one product. */
export async function handler(query: PriceQuery): Promise<PriceAnswer> {
  return findPrice(query.product);
}
