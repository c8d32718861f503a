/** POST /preview {url}: shows the beginning of a page. Vulnerable on purpose, for it asks every address, also those of the inside. */
export async function handler(event) {
  const { url = '' } = JSON.parse(event.body ?? '{}');
  const response = await fetch(url, { signal: AbortSignal.timeout(5000) });
  const text = await response.text();
  const request = response.headers.get('apigw-requestid') ?? '';
  return { statusCode: 200, body: JSON.stringify({ status: response.status, request, beginning: text.slice(0, 20_000) }) };
}
