/** What the functions say to each other. Money is in cents. */

export interface Card {
  readonly number: string;
  readonly holder: string;
  /** `MM/YY` */
  readonly expiry: string;
}

/** A card as the Cards table keeps it, one per user. */
export interface StoredCard extends Card {
  readonly user: string;
}

export interface PriceQuery {
  readonly product: string;
}
export type PriceAnswer =
  | { readonly found: true; readonly product: string; readonly name: string; readonly price: number }
  | { readonly found: false };

export interface AuthorizationQuery {
  readonly orderId: string;
  readonly user: string;
  readonly amount: number;
  /** Absent: the stored card of the user is charged. */
  readonly card?: Card;
}
export type AuthorizationAnswer =
  | { readonly approved: true; readonly code: string; readonly charged: number }
  | { readonly approved: false; readonly reason: string };

/** An authorization that a till has obtained itself, before the order reached us. */
export interface TillAuthorization {
  readonly code: string;
}

export interface Order {
  readonly orderId: string;
  readonly user: string;
  readonly product: string;
  readonly productName: string;
  readonly quantity: number;
  readonly total: number;
  readonly charged: number;
  readonly authorization: string;
}

export interface Announcement {
  readonly type: string;
  readonly detail: Readonly<Record<string, unknown>>;
  /** Address (https) that is told as well: a marketplace seller's. The merchant's own partner is told in any case. */
  readonly notify?: string;
}
