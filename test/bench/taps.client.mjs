// Makes requests when it is told to, with the client that its first argument names; answers with the time of each, in ms.
import http from 'node:http';
import https from 'node:https';
import { createInterface } from 'node:readline';

const [url, client] = process.argv.slice(2);
const module = url.startsWith('https') ? https : http;
const agent = new module.Agent({ keepAlive: true, maxSockets: 1 });
const body = JSON.stringify({ item: 'x'.repeat(600) });

const clients = {
  request: () =>
    new Promise((resolve, reject) => {
      const request = module.request(url, { method: 'POST', agent }, (response) => response.resume().on('end', resolve));
      request.on('error', reject).end(body);
    }),
  fetch: async () => (await fetch(url, { method: 'POST', body })).text(),
};
for await (const line of createInterface({ input: process.stdin })) {
  const times = [];
  const cpu = process.cpuUsage();
  for (let i = 0; i < Number(line); i++) {
    const begun = performance.now();
    await clients[client]();
    times.push(performance.now() - begun);
  }
  const { user, system } = process.cpuUsage(cpu);
  console.log(JSON.stringify({ times, cpu: (user + system) / 1000 }));
}
agent.destroy();
process.exit();
