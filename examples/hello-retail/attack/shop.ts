/** The shop as a client sees it. */
export interface Purchase {
  readonly idempotencyKey: string;
  readonly user: string;
  readonly product: string;
  readonly quantity?: number;
  readonly card?: { readonly number: string; readonly holder: string; readonly expiry: string };
  readonly channel?: string;
  readonly authorization?: { readonly code: string };
  readonly notify?: string;
}

export interface ShopAnswer {
  readonly status: number;
  /** Response header `apigw-requestid`: the id of the entry request. */
  readonly requestId: string;
  readonly body: Readonly<Record<string, unknown>>;
}

export async function buy(apiUrl: string, purchase: Purchase): Promise<ShopAnswer> {
  return call(apiUrl, 'POST', '/purchase', JSON.stringify(purchase));
}

export async function lookAt(apiUrl: string, product: string): Promise<ShopAnswer> {
  return call(apiUrl, 'GET', `/product/${encodeURIComponent(product)}`);
}

/** @throws Error when the shop cannot be reached or answers with something that is not JSON. */
export async function call(apiUrl: string, method: string, path: string, body?: string): Promise<ShopAnswer> {
  const response = await fetch(`${apiUrl.replace(/\/$/, '')}${path}`, {
    method,
    ...(body !== undefined && { body, headers: { 'content-type': 'application/json' } }),
  });
  const text = await response.text();
  try {
    const requestId = response.headers.get('apigw-requestid') ?? '';
    return { status: response.status, requestId, body: JSON.parse(text) as Record<string, unknown> };
  } catch (cause) {
    throw new Error(`${method} ${path}: the shop answered ${response.status} with ${text.slice(0, 200)}`, { cause });
  }
}
