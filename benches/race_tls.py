#!/usr/bin/env python3
"""`race.py` by TLS: CPU time for each request, and for each full handshake, of ancm, nginx and HAProxy.

    cargo build --release --features cli
    benches/race_tls.py                           # about two minutes

All have the same keys, ECDSA P-256 and then RSA 2048, TLS 1.3 and the curve X25519, and meet a client that chooses the same
cipher with each. A handshake is without a session to resume, and one request is a part of it. Needs what `race.py` needs but
for the peers that are built, and openssl.
"""

import argparse
import re
import shutil
import subprocess

from proxies import ancm, course, free_port, haproxy, nginx_proxy, nothing, rounds, running, wrk

LOADS = {"13 bytes": ("/13", 64), "1 KiB": ("/1k", 16), "1 MiB": ("/1m", 8)}  # path, connections
KEYS = {"ECDSA": ["ec", "-pkeyopt", "ec_paramgen_curve:P-256"], "RSA": ["rsa:2048"]}


def shake(port, seconds):
    """Connects anew for each request, one after the other, and tells how often."""
    command = ["taskset", "-c", "0", "openssl", "s_time", "-connect", f"127.0.0.1:{port}", "-new", "-time", str(seconds), "-www", "/13"]
    said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    return int(re.search(r"(\d+) connections in \d+ real seconds", said)[1]) or nothing()


def certificate(folder, kind):
    """Files of a certificate, of its key, and of both."""
    chain, key, both = (folder / f"{kind}.{what}" for what in ("pem", "key", "both"))
    command = ["openssl", "req", "-x509", "-nodes", "-newkey", *KEYS[kind], "-subj", "/CN=race", "-addext", "subjectAltName=IP:127.0.0.1"]
    subprocess.run([*command, "-keyout", key, "-out", chain], check=True, capture_output=True)
    key.chmod(0o600)
    both.write_text(chain.read_text() + key.read_text())
    return chain, key, both


def commands(folder, app, ports, program, kind):
    """How each proxy is started, to speak TLS with a key of a kind."""
    chain, key, both = certificate(folder, kind)
    tls = f" ssl; ssl_certificate {chain}; ssl_certificate_key {key}; ssl_protocols TLSv1.3; ssl_ecdh_curve X25519"
    yield "nginx", nginx_proxy(folder, app, ports["nginx"], tls)
    keys = ["--tls-cert", str(chain), "--tls-key", str(key)]
    yield "ancm", ancm(program, app, f"https://127.0.0.1:{ports['ancm']}", *keys)
    if shutil.which("haproxy"):
        yield "haproxy", haproxy(folder, app, ports["haproxy"], f" ssl crt {both} ssl-min-ver TLSv1.3 curves X25519")


def compete(folder, app, chosen, kind):
    """All loads, for all proxies."""
    ports = {peer: free_port() for peer in ("nginx", "haproxy", "ancm")}
    with running(dict(commands(folder, app, ports, chosen.program, kind)), ports) as peers:
        # The bytes that pass do not know which key was used.
        for name, (path, connections) in LOADS.items() if kind == "ECDSA" else ():
            url = f"https://127.0.0.1:%d{path}"
            once = lambda port, url=url, connections=connections: (wrk(url % port, connections, chosen.seconds), None)
            rounds(name, peers, once, chosen.rounds)
        rounds(f"{kind} handshakes", peers, lambda port: (shake(port, chosen.seconds), None), chosen.rounds)


def main():
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("program", nargs="?", default="target/release/ancm")
    arguments.add_argument("--rounds", type=int, default=7)
    arguments.add_argument("--seconds", type=int, default=1)
    chosen = arguments.parse_args()
    with course() as (folder, app):
        for kind in KEYS:
            compete(folder, f"127.0.0.1:{app}", chosen, kind)


if __name__ == "__main__":
    main()
