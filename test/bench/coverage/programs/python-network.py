import asyncio, http.server, socket, threading, urllib.request, xmlrpc.client, socketserver, ssl
def once(server): threading.Thread(target=server.serve_forever, daemon=True).start()
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self): self.send_response(200); self.send_header('content-length', '5'); self.end_headers(); self.wfile.write(b'hello')
    def do_POST(self): self.rfile.read(int(self.headers['content-length'])); self.do_GET()
    def log_message(self, *a): pass
s = http.server.ThreadingHTTPServer(('127.0.0.1', 0), Handler); once(s); url = f'http://127.0.0.1:{s.server_port}/'
urllib.request.urlopen(url).read(); urllib.request.urlopen(url, data=b'post').read()
try:
    import requests
    requests.get(url).content; requests.post(url, json={'a': 1}).content
except ImportError: print('requests is not there')
t = http.server.ThreadingHTTPServer(('127.0.0.1', 0), Handler)
c = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER); c.load_cert_chain('cert.pem', 'key.pem'); t.socket = c.wrap_socket(t.socket, server_side=True); once(t)
x = ssl.create_default_context(); x.check_hostname = False; x.verify_mode = ssl.CERT_NONE
urllib.request.urlopen(f'https://127.0.0.1:{t.server_port}/', context=x).read()
a, b = socket.socketpair(); a.send(b'pair'); b.recv(4); a.close(); b.close()
u = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); u.bind(('127.0.0.1', 0))
v = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); v.sendto(b'datagram', u.getsockname()); data, who = u.recvfrom(100); u.sendto(b'back', who); v.recvfrom(100)
l = socket.socket(socket.AF_UNIX); l.bind('sock'); l.listen(); k = socket.socket(socket.AF_UNIX); k.connect('sock'); n, _ = l.accept(); k.sendall(b'abc'); n.recv(3); n.close(); k.close()
g = socket.socket(socket.AF_UNIX); g.bind('\0abstract-name'); g.listen(); k = socket.socket(socket.AF_UNIX); k.connect('\0abstract-name'); k.close()
async def main():
    async def serve(r, w): w.write(await r.read(4)); await w.drain(); w.close()
    srv = await asyncio.start_server(serve, '127.0.0.1', 0); port = srv.sockets[0].getsockname()[1]
    r, w = await asyncio.open_connection('127.0.0.1', port); w.write(b'ping'); await r.read(); w.close()
    p = await asyncio.create_subprocess_exec('cat', stdin=-1, stdout=-1); await p.communicate(b'sub')
    srv.close()
asyncio.run(main())
socket.getaddrinfo('localhost', 80)
try: socket.create_connection(('127.0.0.1', 1))
except OSError: pass
s.shutdown(); s.server_close(); t.socket.close()
