/** Twenty HTTPS requests, one after the other, over kept-alive connections: what a function does that aggregates other services. */
export const handler = async () => {
  let bytes = 0;
  for (let i = 0; i < 20; i++) {
    const answer = await fetch(`${process.env.BENCH_PARTNER}/items/${i}`);
    bytes += (await answer.arrayBuffer()).byteLength;
  }
  return { statusCode: 200, body: JSON.stringify({ bytes }) };
};
