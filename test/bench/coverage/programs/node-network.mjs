import dgram from 'node:dgram';
import dns from 'node:dns';
import { once } from 'node:events';
import fs from 'node:fs';
import http from 'node:http';
import http2 from 'node:http2';
import https from 'node:https';
import net from 'node:net';

const listening = async (server, where = { port: 0, host: '127.0.0.1' }) => {
  server.listen(where);
  await once(server, 'listening');
  return server.address();
};
const read = async (stream) => {
  let size = 0;
  for await (const part of stream) size += part.length;
  return size;
};
const agent = { agent: false };

const echo = net.createServer((s) => s.pipe(s));
const { port } = await listening(echo);
const plain = net.connect(port, '127.0.0.1');
plain.end('x'.repeat(100_000));
await read(plain);
echo.close();

const six = net.createServer((s) => s.end('six'));
await listening(six, { port: 0, host: '::1' });
await read(net.connect(six.address().port, '::1'));
six.close();

const local = net.createServer((s) => s.end('local'));
await listening(local, { path: 'socket' });
await read(net.connect('socket'));
local.close();

const web = http.createServer((q, a) => q.resume().on('end', () => a.end('answer')));
const { port: webPort } = await listening(web);
const post = http.request({ port: webPort, host: '127.0.0.1', method: 'POST', ...agent });
post.end('body');
await read((await once(post, 'response'))[0]);
await read((await fetch(`http://127.0.0.1:${webPort}/fetch`, { headers: { connection: 'close' } })).body);
web.close();
web.closeAllConnections();

const files = { key: fs.readFileSync('key.pem'), cert: fs.readFileSync('cert.pem') };
const secure = https.createServer(files, (_, a) => a.end('secret'));
const { port: securePort } = await listening(secure);
const get = https.get({ port: securePort, host: '127.0.0.1', rejectUnauthorized: false, ...agent });
await read((await once(get, 'response'))[0]);
secure.close();
secure.closeAllConnections();

const two = http2.createSecureServer(files, (_, a) => a.end('two'));
const { port: twoPort } = await listening(two);
const session = http2.connect(`https://127.0.0.1:${twoPort}`, { rejectUnauthorized: false });
await read(session.request({ ':path': '/' }));
session.close();
two.close();

const server = dgram.createSocket('udp4');
server.bind(0, '127.0.0.1');
await once(server, 'listening');
server.on('message', (m, from) => server.send(`re: ${m}`, from.port, from.address));
const client = dgram.createSocket('udp4');
client.send('ping', server.address().port, '127.0.0.1');
await once(client, 'message');
client.connect(server.address().port, '127.0.0.1');
await once(client, 'connect');
client.send('pong');
await once(client, 'message');
client.close();
server.close();

await dns.promises.lookup('localhost');
const names = dgram.createSocket('udp4');
names.bind(0, '127.0.0.1');
await once(names, 'listening');
names.on('message', (q, from) => {
  const answer = Buffer.concat([q, Buffer.from('c00c00010001000000010004' + '7f000009', 'hex')]);
  answer.writeUInt16BE(0x8180, 2);
  answer.writeUInt16BE(1, 6);
  answer.writeUInt16BE(0, 10);
  names.send(answer, from.port, from.address);
});
const resolver = new dns.promises.Resolver();
resolver.setServers([`127.0.0.1:${names.address().port}`]);
await resolver.resolve4('host.example').catch((e) => console.error(e.code));
names.close();
await once(net.connect(1, '127.0.0.1'), 'error').catch(() => {});
