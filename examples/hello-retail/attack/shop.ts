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
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Readonly<Record<string, unknown>>;
}

/** A customer with a browser, when nothing else is said. */
export const browser = 'Mozilla/5.0 (X11; Linux x86_64) HelloRetail-Customer';

export async function buy(apiUrl: string, purchase: Purchase, userAgent = browser): Promise<ShopAnswer> {
  return call(apiUrl, 'POST', '/purchase', { body: JSON.stringify(purchase), userAgent });
}

export async function lookAt(apiUrl: string, product: string, userAgent = browser): Promise<ShopAnswer> {
  return call(apiUrl, 'GET', `/product/${encodeURIComponent(product)}`, { userAgent });
}

interface CallOptions {
  readonly body?: string;
  readonly userAgent?: string;
}

/** @throws Error when the shop cannot be reached or answers with something that is not JSON. */
export async function call(apiUrl: string, method: string, path: string, options: CallOptions = {}): Promise<ShopAnswer> {
  const { body, userAgent = browser } = options;
  const response = await fetch(`${apiUrl.replace(/\/$/, '')}${path}`, {
    method,
    headers: { 'user-agent': userAgent, ...(body !== undefined && { 'content-type': 'application/json' }) },
    ...(body !== undefined && { body }),
  });
  const text = await response.text();
  try {
    const requestId = response.headers.get('apigw-requestid') ?? '';
    const headers = Object.fromEntries(response.headers);
    return { status: response.status, requestId, headers, body: JSON.parse(text) as Record<string, unknown> };
  } catch (cause) {
    throw new Error(`${method} ${path}: the shop answered ${response.status} with ${text.slice(0, 200)}`, { cause });
  }
}
