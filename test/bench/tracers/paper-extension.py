#!/usr/bin/python3
"""The network half of the paper's collector as an extension: mitmproxy for all traffic in and out, ss for pid to port."""
import http.client
import json
import os
import socket
import subprocess
import time

HOME = "/tmp/paper"
MITMDUMP = "import sys; sys.path.insert(0, '/opt/paper/python'); from mitmproxy.tools.main import mitmdump; mitmdump()"
API = os.environ["AWS_LAMBDA_RUNTIME_API"]


def free_ports(count):
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [each.getsockname()[1] for each in sockets]
    for each in sockets:
        each.close()
    return ports


def wait_for(port):
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            return
        except OSError:
            time.sleep(0.01)


os.makedirs(HOME, exist_ok=True)
runtime, services, proxy = free_ports(3)
endpoint = os.environ["AWS_ENDPOINT_URL"]
modes = [f"reverse:http://{API}@127.0.0.1:{runtime}", f"reverse:{endpoint}@127.0.0.1:{services}", f"regular@127.0.0.1:{proxy}"]
command = ["/usr/bin/python3", "-c", MITMDUMP, "-q", "-w", f"{HOME}/flows"]
for mode in modes:
    command += ["--mode", mode]
options = {"confdir": HOME, "ssl_verify_upstream_trusted_ca": "/etc/ssl/certs/ca-certificates.crt", "keep_host_header": "true"}
for name, value in options.items():
    command += ["--set", f"{name}={value}"]
subprocess.Popen(command)
for port in (runtime, services, proxy):
    wait_for(port)
with open(f"{HOME}/ca.pem", "w") as bundle:
    for name in ("/etc/ssl/certs/ca-certificates.crt", f"{HOME}/mitmproxy-ca-cert.pem"):
        with open(name) as certificates:
            bundle.write(certificates.read() + "\n")
with open(f"{HOME}/ports", "w") as ports:
    ports.write(f"RUNTIME_PORT={runtime}\nSERVICES_PORT={services}\nPROXY_PORT={proxy}\n")
# The paper does not say how often; five times a second misses most connections of short requests, more would cost more.
subprocess.Popen(["/bin/sh", "-c", f"while :; do ss -tnpH; sleep 0.2; done >>{HOME}/ss.log"])


def call(method, path, headers, body=None):
    host, port = API.rsplit(":", 1)
    connection = http.client.HTTPConnection(host, int(port))
    connection.request(method, f"/2020-01-01/extension{path}", body, headers)
    answer = connection.getresponse()
    return answer.headers, answer.read()


headers, _ = call("POST", "/register", {"Lambda-Extension-Name": "paper"}, json.dumps({"events": ["SHUTDOWN"]}))
call("GET", "/event/next", {"Lambda-Extension-Identifier": headers["Lambda-Extension-Identifier"]})
