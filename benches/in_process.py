#!/usr/bin/env python3
"""CPU time for each request of one axum app: in process behind `ancm::front`, and served by `axum::serve`.

    cargo build --release --example twin --features axum,front,serve
    benches/in_process.py                         # about a minute

The two are loaded by wrk in turn, round after round, on one core each time, so that what else the machine does meets both
alike. What counts is the CPU time that the kernel says a server's threads took, by the requests that were answered, as a
ratio to `axum::serve`'s of the same round; the median over the rounds is printed, and the middle half of them. All is on loopback, and
only what was started here is stopped. Needs Linux, wrk, taskset and Python 3.9.
"""

import argparse
import json
import os
import signal
import subprocess

from proxies import rounds
from race import load

LOADS = {  # path, connections, header fields
    "small": ("/status/200", 64, {}),
    "8 fields": (
        "/headers",
        16,
        {"Accept-Language": "en", "Cookie": "session=9e107d9d372bb6826bd81d3542a419d6", "Priority": "u=0"},
    ),
    "1 MiB": ("/download?bytes=1048576&length=true", 8, {}),
}


def start(program, server):
    environment = {**os.environ, "TWIN_LISTEN": "127.0.0.1:0", "TWIN_SERVER": server, "TWIN_THREADS": "1"}
    process = subprocess.Popen(["taskset", "-c", "1", program], env=environment, stderr=subprocess.PIPE, text=True)
    address = json.loads(process.stderr.readline())["fields"]["address"]
    return int(address.rpartition(":")[2]), process


def main():
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("program", nargs="?", default="target/release/examples/twin")
    arguments.add_argument("--rounds", type=int, default=8)
    arguments.add_argument("--seconds", type=int, default=1)
    chosen = arguments.parse_args()
    servers = {}
    try:
        for server in ("axum", "ancm"):
            servers[server] = start(chosen.program, server)
        for name, one in LOADS.items():
            once = lambda port, one=one: (load(None, port, *one, chosen.seconds), None)
            rounds(name, servers, once, chosen.rounds, base="axum")
    finally:
        for _, process in servers.values():
            process.send_signal(signal.SIGTERM)
        for _, process in servers.values():
            process.wait(30)


if __name__ == "__main__":
    main()
