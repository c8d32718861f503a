/** An event-driven function that only computes: reads an order event, totals and sorts it, answers with JSON. */
export const handler = async (event) => {
  const { lines } = JSON.parse(event.body);
  const sorted = [...lines].sort((a, b) => a.sku.localeCompare(b.sku));
  const total = sorted.reduce((sum, { price, quantity }) => sum + price * quantity, 0);
  return { statusCode: 200, body: JSON.stringify({ total, lines: sorted }) };
};
