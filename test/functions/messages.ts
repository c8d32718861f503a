/** What a queue hands to the stitcher: one message for each object key, delivered for the `times`-th time. */
export function messages(keys: readonly string[], times = 1) {
  return {
    Records: keys.map((key, i) => ({
      messageId: `m${i}`,
      attributes: { ApproximateReceiveCount: String(times) },
      body: JSON.stringify({ Records: [{ eventName: 'ObjectCreated:Put', s3: { object: { key: encodeURIComponent(key) } } }] }),
    })),
  };
}
