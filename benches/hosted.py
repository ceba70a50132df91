#!/usr/bin/env python3
"""CPU time for each request of the stock ASP.NET Core app: served by Kestrel itself, in process, and behind `ancm`.

    tests/aspnetcore/publish.sh && hosting/build.sh
    cargo build --release --features cli
    . $ANCM_TEST_CACHE/env && benches/hosted.py   # about five minutes

The three are loaded by wrk in turn, round after round, so that what else the machine does meets all alike. What counts is the
CPU time that the kernel says all processes of a server took, by the requests that were answered, as a ratio to Kestrel's of
the same round; the median over the rounds, and their range, are printed, and at the end what memory each has. More builds are
compared by `--also NAME=PROGRAM,HOSTING_ASSEMBLY`. All is on loopback, and only what was started here is stopped. Needs Linux,
wrk and Python 3.9.
"""

import argparse
import contextlib
import os
import pathlib
import re
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request

MIB = 1 << 20
UPLOAD = f'wrk.method = "POST"; wrk.body = string.rep("x", {MIB})'
LOADS = {  # path, connections, script
    "empty": ("/status/200", 32, None),
    "headers": ("/headers", 32, None),
    "1 MiB down": (f"/download?bytes={MIB}", 8, None),
    "1 MiB up": ("/upload", 8, UPLOAD),
}
TICK = os.sysconf("SC_CLK_TCK")


def fields_of(pid):
    return pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()


def tree(root):
    """The processes below `root`, and itself."""
    parents = {}
    for entry in pathlib.Path("/proc").iterdir():
        if entry.name.isdigit():
            with contextlib.suppress(OSError, IndexError):
                parents[int(entry.name)] = int(fields_of(entry.name)[1])
    found = {root}
    while more := {pid for pid, parent in parents.items() if parent in found} - found:
        found |= more
    return found


def cpu_seconds(root):
    ticks = 0
    for pid in tree(root):
        with contextlib.suppress(OSError, IndexError):
            fields = fields_of(pid)
            ticks += int(fields[11]) + int(fields[12])
    return ticks / TICK


def memory(root):
    """In MiB; what processes share counts once."""
    kib = 0
    for pid in tree(root):
        with contextlib.suppress(OSError):
            kib += int(re.search(r"Pss:\s+(\d+)", pathlib.Path(f"/proc/{pid}/smaps_rollup").read_text())[1])
    return kib / 1024


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Server:
    def __init__(self, name, command, folder, environment, port):
        self.port = port
        self.process = subprocess.Popen(
            command, cwd=folder, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        begun = time.monotonic()
        while True:
            with contextlib.suppress(OSError, urllib.error.URLError):
                urllib.request.urlopen(f"http://127.0.0.1:{port}/status/200", timeout=60).close()
                break
            if time.monotonic() > begun + 60 or self.process.poll() is not None:
                sys.exit(f"{name} does not answer")
            time.sleep(0.005)
        self.first = time.monotonic() - begun

    def load(self, path, connections, script, seconds):
        """The CPU time of each request, in microseconds."""
        command = ["wrk", "-t1", f"-c{connections}", f"-d{seconds}s", f"http://127.0.0.1:{self.port}{path}"]
        with tempfile.NamedTemporaryFile("w", suffix=".lua") as file:
            if script:
                file.write(script)
                file.flush()
                command[1:1] = ["-s", file.name]
            before = cpu_seconds(self.process.pid)
            said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
            after = cpu_seconds(self.process.pid)
        if "Non-2xx" in said or "Socket errors" in said:
            sys.exit(said)
        return (after - before) / int(re.search(r"(\d+) requests in", said)[1]) * 1e6


def start(name, program, assembly, apps, folder):
    environment = {key: value for key, value in os.environ.items() if not key.startswith("ASPNETCORE_")}
    environment["Logging__LogLevel__Default"] = "None"
    port = free_port()
    published = "outofprocess" if name == "out of process" else "inprocess"
    shutil.copytree(apps / published, folder)
    if name == "Kestrel":
        environment["ASPNETCORE_URLS"] = f"http://127.0.0.1:{port}"
        return Server(name, ["dotnet", "StockApp.dll"], folder, environment, port)
    environment["ANCM_HOSTING_ASSEMBLY"] = str(assembly)
    command = [program, "run", str(folder), "--no-control", "--listen", f"127.0.0.1:{port}"]
    return Server(name, command, folder, environment, port)


def median(values):
    return statistics.median(values)


def measure(servers, name, chosen):
    path, connections, script = LOADS[name]
    costs = {server: [] for server in servers}
    for server in servers.values():
        server.load(path, connections, script, 2)
    for _ in range(chosen.rounds):
        for key, server in servers.items():
            costs[key].append(server.load(path, connections, script, chosen.seconds))
    print(f"{name}: Kestrel {median(costs['Kestrel']):.1f} µs")
    for key in servers:
        ratios = [own / other for own, other in zip(costs[key], costs["Kestrel"])]
        if key != "Kestrel":
            print(f"  {key:16} {median(costs[key]):.1f} µs: {median(ratios):.3f} ({min(ratios):.2f} to {max(ratios):.2f})")
    if {"in process", "out of process"} <= servers.keys():
        ratios = [own / other for own, other in zip(costs["in process"], costs["out of process"])]
        print(f"  in process by out of process: {median(ratios):.3f}")
    sys.stdout.flush()


def main():
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("program", nargs="?", default="target/release/ancm")
    arguments.add_argument("--assembly", default="hosting/out/Ancm.Hosting.dll")
    arguments.add_argument("--apps", help="what tests/aspnetcore/publish.sh made; by default it is asked")
    arguments.add_argument("--also", action="append", default=[], metavar="NAME=PROGRAM,ASSEMBLY")
    arguments.add_argument("--without", action="append", default=[], metavar="SERVER")
    arguments.add_argument("--load", action="append", choices=LOADS)
    arguments.add_argument("--rounds", type=int, default=6)
    arguments.add_argument("--seconds", type=int, default=2)
    chosen = arguments.parse_args()
    # Its last line: each version of the apps has a folder of its own.
    apps = chosen.apps or subprocess.check_output("tests/aspnetcore/publish.sh", text=True).splitlines()[-1]
    wanted = {name: (chosen.program, chosen.assembly) for name in ("Kestrel", "in process", "out of process")}
    wanted.update((name, other.split(",")) for name, _, other in (also.partition("=") for also in chosen.also))
    servers = {}
    with tempfile.TemporaryDirectory() as folder:
        try:
            for number, (name, (program, assembly)) in enumerate(wanted.items()):
                if name not in chosen.without:
                    place = pathlib.Path(folder, str(number))
                    found = pathlib.Path(program).absolute(), pathlib.Path(assembly).absolute()
                    servers[name] = start(name, *found, pathlib.Path(apps), place)
            print("first answer:", ", ".join(f"{name} {server.first * 1e3:.0f} ms" for name, server in servers.items()))
            for name in chosen.load or LOADS:
                measure(servers, name, chosen)
            print("memory:", ", ".join(f"{name} {memory(server.process.pid):.0f} MiB" for name, server in servers.items()))
        finally:
            for server in servers.values():
                server.process.send_signal(signal.SIGTERM)
            for server in servers.values():
                server.process.wait(30)


if __name__ == "__main__":
    main()
