import type { Order } from '../contract/messages.ts';

/** Page of the product of an order. */
export function productPage(order: Order): string {
  const name = escapeHtml(order.productName);
  const price = (order.total / order.quantity / 100).toFixed(2);
  return `<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><title>${name}</title></head>
<body><h1>${name}</h1><p>$ ${price}</p></body>
</html>
`;
}

export function escapeHtml(text: string): string {
  return text.replace(/[&<>"]/g, (sign) => `&#${sign.charCodeAt(0)};`);
}
