#!/usr/bin/env python3
"""`race.py` by TLS: CPU time for each request, and for each full handshake, of ancm, nginx and HAProxy.

    cargo build --release --features cli
    benches/race_tls.py                           # about two minutes

All have the same keys, ECDSA P-256 and then RSA 2048, TLS 1.3 and the curve X25519, and meet a client that chooses the same
cipher with each. A handshake is without a session to resume, and one request is a part of it. Needs what `race.py` needs,
and openssl.
"""

import argparse
import pathlib
import re
import shutil
import statistics
import subprocess
import tempfile
import time

from race import HAPROXY, NGINX_APP, NGINX_PROXY, cpu_seconds, free_port, nginx, start, stop, write

LOADS = {"13 bytes": ("/13", 64), "1 KiB": ("/1k", 16), "1 MiB": ("/1m", 8)}  # path, connections
KEYS = {"ECDSA": ["ec", "-pkeyopt", "ec_paramgen_curve:P-256"], "RSA": ["rsa:2048"]}


def load(port, path, connections, seconds):
    """Loads a port and tells how many requests were answered."""
    command = ["taskset", "-c", "0", "wrk", "-t1", "--timeout=30s", f"-c{connections}", f"-d{seconds}s", f"https://127.0.0.1:{port}{path}"]
    said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    if "Non-2xx" in said or "Socket errors" in said:
        raise SystemExit(f"not all was answered:\n{said}")
    return int(re.search(r"(\d+) requests in", said)[1])


def shake(port, seconds):
    """Connects anew for each request, one after the other, and tells how often."""
    command = ["taskset", "-c", "0", "openssl", "s_time", "-connect", f"127.0.0.1:{port}", "-new", "-time", str(seconds), "-www", "/13"]
    said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    return int(re.search(r"(\d+) connections in \d+ real seconds", said)[1])


def race(name, work, peers, chosen):
    """Has each peer do the same in turn, and tells what it cost."""
    costs = {peer: [] for peer in peers}
    for port, _ in peers.values():
        work(port, 1)
    for _ in range(chosen.rounds):
        for peer, (port, process) in peers.items():
            before = cpu_seconds(process.pid)
            answered = work(port, chosen.seconds)
            if not answered:
                raise SystemExit("nothing was answered: the machine is too busy for so few --seconds")
            costs[peer].append((cpu_seconds(process.pid) - before) / answered * 1e6)
    told = []
    for peer, cost in costs.items():
        ratio = statistics.median(one / base for one, base in zip(cost, costs["nginx"]))
        told.append(f"{peer} {statistics.median(cost):.1f} µs [{ratio:.2f}]")
    print(f"{name:18}", " · ".join(told), flush=True)


def certificate(folder, kind):
    """Files of a certificate, of its key, and of both."""
    chain, key, both = (folder / f"{kind}.{what}" for what in ("pem", "key", "both"))
    command = ["openssl", "req", "-x509", "-nodes", "-newkey", *KEYS[kind], "-subj", "/CN=race", "-addext", "subjectAltName=IP:127.0.0.1"]
    subprocess.run([*command, "-keyout", key, "-out", chain], check=True, capture_output=True)
    key.chmod(0o600)
    both.write_text(chain.read_text() + key.read_text())
    return chain, key, both


def commands(folder, app, ports, chosen, kind):
    """How each peer is started, to speak TLS with a key of a kind."""
    chain, key, both = certificate(folder, kind)
    tls = f" ssl; ssl_certificate {chain}; ssl_certificate_key {key}; ssl_protocols TLSv1.3; ssl_ecdh_curve X25519;"
    proxy = NGINX_PROXY.format(port=ports["nginx"], app=app).replace(f":{ports['nginx']};", f":{ports['nginx']}{tls}", 1)
    listen = ["--listen", f"https://127.0.0.1:{ports['ancm']}", "--tls-cert", str(chain), "--tls-key", str(key)]
    commands = {
        "nginx": nginx(folder, "proxy", proxy),
        "ancm": [chosen.program, "run", "--to", app, "--threads", "1", *listen],
    }
    if shutil.which("haproxy"):
        bind = f"bind 127.0.0.1:{ports['haproxy']}"
        config = HAPROXY.format(port=ports["haproxy"], app=app)
        config = config.replace(bind, f"{bind} ssl crt {both} ssl-min-ver TLSv1.3 curves X25519")
        commands["haproxy"] = ["haproxy", "-db", "-f", write(folder, "haproxy.cfg", config)]
    return commands


def compete(folder, app, chosen, kind):
    """All loads, for all peers."""
    ports = {peer: free_port() for peer in ("nginx", "haproxy", "ancm")}
    started = {peer: start(command, 1) for peer, command in commands(folder, app, ports, chosen, kind).items()}
    peers = {peer: (ports[peer], process) for peer, process in started.items()}
    try:
        time.sleep(1)
        # The bytes that pass do not know which key was used.
        for name, (path, connections) in LOADS.items() if kind == "ECDSA" else ():
            race(name, lambda port, seconds: load(port, path, connections, seconds), peers, chosen)
        race(f"{kind} handshakes", shake, peers, chosen)
    finally:
        stop(started.values())


def main():
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("program", nargs="?", default="target/release/ancm")
    arguments.add_argument("--rounds", type=int, default=7)
    arguments.add_argument("--seconds", type=int, default=1)
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
            for kind in KEYS:
                compete(folder, f"127.0.0.1:{port}", chosen, kind)
        finally:
            stop([app])


if __name__ == "__main__":
    main()
