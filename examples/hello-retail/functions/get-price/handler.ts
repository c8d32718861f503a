import type { PriceAnswer, PriceQuery } from '../contract/messages.ts';
import { findPrice } from '../contract/prices.ts';

/** Called by purchase: the price of one product. */
export async function handler(query: PriceQuery): Promise<PriceAnswer> {
  return findPrice(query.product);
}
