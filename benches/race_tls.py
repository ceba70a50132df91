#!/usr/bin/env python3
"""CPU time for each request of ancm, nginx and HAProxy in front of one app, one thread each.

    cargo build --release --features cli
    benches/race.py                               # about two minutes
    benches/race.py --tls                         # the same, and full handshakes, all by TLS

Each proxy is loaded by wrk in turn, round after round, so that what else the machine does meets all alike. What counts is
the CPU time that the kernel says a proxy's threads took, by the requests that were answered, as a ratio to nginx's of the
same round; the median over the rounds is printed. The app is an nginx that answers out of memory. All is on loopback, and
only what was started here is stopped. Needs Linux, wrk, nginx and taskset, HAProxy if it is to be in it, and Python 3.9;
openssl for TLS, where all have the same keys (ECDSA P-256, then RSA 2048) and meet a client that chooses the same cipher
and curve with each. Of a handshake without a session to resume one request is a part.
"""

import argparse
import glob
import pathlib
import re
import shutil
import signal
import socket
import statistics
import subprocess
import tempfile
import time

LOADS = {  # path, connections, header fields
    "13 bytes": ("/13", 64, {}),
    "1 KiB": ("/1k", 16, {"Accept-Language": "en", "Cookie": "session=9e107d9d372bb6826bd81d3542a419d6", "Priority": "u=0"}),
    "1 MiB": ("/1m", 8, {}),
}

NGINX = """
daemon off; worker_processes 1; error_log stderr crit; pid {folder}/{name}.pid;
events {{ worker_connections 1024; }}
http {{
  access_log off; keepalive_requests 1000000000;
  client_body_temp_path {folder}/{name}-body; proxy_temp_path {folder}/{name}-proxy;
  fastcgi_temp_path {folder}/{name}-f; uwsgi_temp_path {folder}/{name}-u; scgi_temp_path {folder}/{name}-s;
  {body}
}}
"""
NGINX_APP = 'server {{ listen 127.0.0.1:{port}; default_type text/plain; root {folder}/files; sendfile on; open_file_cache max=10; }}'
NGINX_PROXY = """
upstream app {{ server 127.0.0.1:{app}; keepalive 128; keepalive_requests 1000000000; }}
server {{ listen 127.0.0.1:{port}{tls}; location / {{
  proxy_pass http://app; proxy_http_version 1.1; proxy_set_header Connection "";
  proxy_set_header Host $host; proxy_set_header X-Forwarded-For $remote_addr; proxy_set_header X-Forwarded-Proto $scheme;
}} }}
"""
HAPROXY = """
global
  nbthread 1
defaults
  mode http
  timeout connect 5s
  timeout client 60s
  timeout server 120s
  http-reuse always
  option forwardfor
frontend front
  bind 127.0.0.1:{port}{tls}
  http-request set-header X-Forwarded-Proto http
  default_backend app
backend app
  server app 127.0.0.1:{app}
"""


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def descendants(pid):
    yield pid
    for children in glob.glob(f"/proc/{pid}/task/*/children"):
        for child in pathlib.Path(children).read_text().split():
            yield from descendants(int(child))


def cpu_seconds(pid):
    """What all threads of a process and its descendants have run for."""
    stats = (stat for one in descendants(pid) for stat in glob.glob(f"/proc/{one}/task/*/schedstat"))
    return sum(int(pathlib.Path(stat).read_text().split()[0]) for stat in stats) / 1e9


def start(command, cpu):
    return subprocess.Popen(["taskset", "-c", str(cpu), *command], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def write(folder, name, text):
    path = folder / name
    path.write_text(text)
    return str(path)


def nginx(folder, name, body):
    return ["nginx", "-e", "stderr", "-c", write(folder, f"{name}.conf", NGINX.format(folder=folder, name=name, body=body))]


def load(scheme, port, path, connections, fields, seconds):
    """Loads a port and tells how many requests were answered."""
    headers = [part for name, value in fields.items() for part in ("-H", f"{name}: {value}")]
    command = ["taskset", "-c", "0", "wrk", "-t1", f"-c{connections}", f"-d{seconds}s", *headers]
    said = subprocess.run([*command, f"{scheme}://127.0.0.1:{port}{path}"], capture_output=True, text=True, check=True).stdout
    if "Non-2xx" in said or "Socket errors" in said:
        raise SystemExit(f"not all was answered:\n{said}")
    return int(re.search(r"(\d+) requests in", said)[1])


def shake(scheme, port, path, connections, fields, seconds):
    """Connects anew for each request, one after the other, and tells how often."""
    command = ["taskset", "-c", "0", "openssl", "s_time", "-connect", f"127.0.0.1:{port}", "-new", "-time", str(seconds), "-www", path]
    said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    return int(re.search(r"(\d+) connections in \d+ real seconds", said)[1])


def race(name, cost_of, peers, chosen):
    """Has each peer do the same in turn, and tells what it cost."""
    costs = {peer: [] for peer in peers}
    for port, _ in peers.values():
        cost_of(port, 1)
    for _ in range(chosen.rounds):
        for peer, (port, process) in peers.items():
            before = cpu_seconds(process.pid)
            answered = cost_of(port, chosen.seconds)
            costs[peer].append((cpu_seconds(process.pid) - before) / answered * 1e6)
    told = []
    for peer, cost in costs.items():
        ratio = statistics.median(one / base for one, base in zip(cost, costs["nginx"]))
        told.append(f"{peer} {statistics.median(cost):.1f} µs [{ratio:.2f}]")
    print(f"{name:18}", " · ".join(told), flush=True)


KEYS = {"ECDSA": ["ec", "-pkeyopt", "ec_paramgen_curve:P-256"], "RSA": ["rsa:2048"]}


def certificate(folder, kind):
    """Files of a certificate, of its key, and of both."""
    chain, key, both = (folder / f"{kind}.{what}" for what in ("pem", "key", "both"))
    command = ["openssl", "req", "-x509", "-nodes", "-newkey", *KEYS[kind], "-subj", "/CN=race", "-addext", "subjectAltName=IP:127.0.0.1"]
    subprocess.run([*command, "-keyout", key, "-out", chain], check=True, capture_output=True)
    key.chmod(0o600)
    both.write_text(chain.read_text() + key.read_text())
    return chain, key, both


def commands_of(folder, app, ports, chosen, kind):
    """How each peer is started, to speak TLS with a key of a kind, or cleartext."""
    nginx_tls, haproxy_tls, listen, options = "", "", "", []
    if kind:
        chain, key, both = certificate(folder, kind)
        nginx_tls = f" ssl; ssl_certificate {chain}; ssl_certificate_key {key}; ssl_protocols TLSv1.3; ssl_ecdh_curve X25519"
        haproxy_tls = f" ssl crt {both} ssl-min-ver TLSv1.3 curves X25519"
        listen, options = "https://", ["--tls-cert", str(chain), "--tls-key", str(key)]
    proxy = NGINX_PROXY.format(port=ports["nginx"], folder=folder, app=app, tls=nginx_tls)
    listen = f"{listen}127.0.0.1:{ports['ancm']}"
    commands = {
        "nginx": nginx(folder, "proxy", proxy),
        "ancm": [chosen.program, "run", "--to", f"127.0.0.1:{app}", "--listen", listen, "--threads", "1", *options],
    }
    if shutil.which("haproxy"):
        config = write(folder, "haproxy.cfg", HAPROXY.format(port=ports["haproxy"], app=app, tls=haproxy_tls))
        commands["haproxy"] = ["haproxy", "-db", "-f", config]
    return commands


def stop(processes):
    for process in processes:
        process.send_signal(signal.SIGTERM)
    for process in processes:
        process.wait(timeout=30)


def compete(folder, app, chosen, kind):
    """All loads, for all peers."""
    ports = {peer: free_port() for peer in ("nginx", "haproxy", "ancm")}
    commands = commands_of(folder, app, ports, chosen, kind)
    peers = {peer: (ports[peer], start(command, 1)) for peer, command in commands.items()}
    try:
        time.sleep(1)
        scheme = "https" if kind else "http"
        for name, (path, connections, fields) in LOADS.items():
            # The bytes that pass do not know which key was used.
            if kind != "RSA":
                race(name, lambda port, seconds: load(scheme, port, path, connections, fields, seconds), peers, chosen)
        if kind:
            race(f"{kind} handshakes", lambda port, seconds: shake(scheme, port, "/13", 1, {}, seconds), peers, chosen)
    finally:
        stop([process for _, process in peers.values()])


def main():
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("program", nargs="?", default="target/release/ancm")
    arguments.add_argument("--rounds", type=int, default=7)
    arguments.add_argument("--seconds", type=int, default=1)
    arguments.add_argument("--tls", action="store_true")
    chosen = arguments.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = pathlib.Path(temporary)
        folder.chmod(0o755)
        (folder / "files").mkdir()
        for name, size in (("13", 13), ("1k", 1024), ("1m", 1024 * 1024)):
            (folder / "files" / name).write_bytes(b"x" * size)
        port = free_port()
        app = start(nginx(folder, "app", NGINX_APP.format(port=port, folder=folder)), 0)
        try:
            for kind in KEYS if chosen.tls else [None]:
                compete(folder, port, chosen, kind)
        finally:
            stop([app])


if __name__ == "__main__":
    main()
