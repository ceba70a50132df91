#!/usr/bin/env python3
"""CPU time for each request of ancm, nginx and HAProxy in front of one app, one thread each.

    cargo build --release --features cli
    benches/race.py                               # about five minutes
    benches/race.py --only "1 KiB,idle" --rounds 3

Each proxy is loaded by wrk in turn, round after round, so that what else the machine does meets all alike. What counts is
the CPU time that the kernel says a proxy's threads took, by the requests that were answered, as a ratio to nginx's of the
same round; the median over the rounds is printed. The app is an nginx that answers out of memory.

- `1 KiB, unix`: over a Unix socket to the app, for those that can.
- `8,000/s`: a fixed rate by h2load over 16 connections; the 99th percentile of what a request took is printed too.
- `echo`: messages over 16 WebSockets, to an app that sends the bytes back; CPU time for each message.
- `idle`: what each proxy's memory is when fresh, and what 1,000 connections add that have asked for something and are silent.

Another proxy joins by `--peer 'name=command'`, in which `{port}` stands for where it listens and `{app}` for the app's port. All
is on loopback, and only what was started here is stopped. Needs Linux, wrk, nginx and taskset, h2load for the fixed rate,
HAProxy if it is to be in it, and Python 3.9.
"""

import argparse
import asyncio
import base64
import glob
import hashlib
import pathlib
import re
import resource
import shlex
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
    "1 KiB, unix": ("/1k", 16, {"Accept-Language": "en", "Cookie": "session=9e107d9d372bb6826bd81d3542a419d6", "Priority": "u=0"}),
    "1 MiB": ("/1m", 8, {}),
    "POST 1 MiB": ("/post", 8, {"Content-Type": "application/octet-stream"}),
}
POST = 'wrk.method = "POST"; wrk.body = string.rep("x", 1048576)'
RATE = 8000
ECHO = {"echo 64 B": (64, 2000), "echo 64 KiB": (64 * 1024, 200)}  # bytes in a message, messages on each of 16 connections

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
NGINX_APP = """
server {{
  listen 127.0.0.1:{port}; listen unix:{folder}/app.sock; default_type text/plain; root {folder}/files;
  sendfile on; open_file_cache max=10; client_max_body_size 2m; client_body_buffer_size 2m;
  location /post {{ proxy_pass http://127.0.0.1:{port}/13; proxy_method GET; proxy_pass_request_body off; proxy_set_header Content-Length ""; }}
}}
"""
NGINX_PROXY = """
upstream app {{ server {app}; keepalive 128; keepalive_requests 1000000000; }}
map $http_upgrade $upgrade {{ default upgrade; '' ''; }}
server {{ listen 127.0.0.1:{port}; client_max_body_size 2m; location / {{
  proxy_pass http://app; proxy_http_version 1.1; proxy_set_header Connection $upgrade; proxy_set_header Upgrade $http_upgrade;
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
  bind 127.0.0.1:{port}
  http-request set-header X-Forwarded-Proto http
  default_backend app
backend app
  server app {app}
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


def load(folder, port, path, connections, fields, seconds):
    """Loads a port and tells how many requests were answered."""
    headers = [part for name, value in fields.items() for part in ("-H", f"{name}: {value}")]
    if path == "/post":
        headers += ["-s", write(folder, "post.lua", POST)]
    command = ["taskset", "-c", "0", "wrk", "-t1", f"-c{connections}", f"-d{seconds}s", *headers]
    said = subprocess.run([*command, f"http://127.0.0.1:{port}{path}"], capture_output=True, text=True, check=True).stdout
    if "Non-2xx" in said or "Socket errors" in said:
        raise SystemExit(f"not all was answered:\n{said}")
    return int(re.search(r"(\d+) requests in", said)[1])


def paced(folder, port, seconds):
    """Loads a port at a fixed rate; how many requests were answered, and the 99th percentile of their time, in µs."""
    log, each = folder / "paced.log", RATE // 16
    log.unlink(missing_ok=True)
    command = ["taskset", "-c", "0", "h2load", "--h1", "-t1", "-c16", "-m1", f"--rps={each}", f"-n{RATE * seconds}"]
    subprocess.run([*command, f"--log-file={log}", f"http://127.0.0.1:{port}/13"], capture_output=True, check=True)
    lines = [line.split("\t") for line in log.read_text().splitlines()]
    times = sorted(int(took) for _, status, took in lines if status == "200")
    if len(times) < RATE * seconds:
        raise SystemExit(f"not all was answered: {len(times)} of {RATE * seconds}")
    return len(times), times[len(times) * 99 // 100]


async def echo_app(reader, writer):
    """Agrees to a WebSocket and sends back whatever comes."""
    try:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        key = re.search(r"(?i)sec-websocket-key: *(\S+)", head)[1]
        agreed = base64.b64encode(hashlib.sha1((key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11").encode()).digest()).decode()
        answer = "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
        writer.write(f"{answer}Sec-WebSocket-Accept: {agreed}\r\n\r\n".encode())
        while data := await reader.read(1 << 18):
            writer.write(data)
            await writer.drain()
    except (asyncio.IncompleteReadError, ConnectionError):
        pass
    writer.close()


async def echo_client(port, size, messages):
    reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=1 << 18)
    ask = "GET /echo HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
    writer.write(f"{ask}Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n".encode())
    head = await reader.readuntil(b"\r\n\r\n")
    if not head.startswith(b"HTTP/1.1 101"):
        raise SystemExit(f"no WebSocket: {head}")
    # What a frame holds is nothing to a proxy.
    message = b"\x82" + bytes(size - 1)
    for _ in range(messages):
        writer.write(message)
        await reader.readexactly(size)
    writer.close()


async def echo(port, size, messages):
    await asyncio.gather(*(echo_client(port, size, messages) for _ in range(16)))


def memory(pid):
    """What all of a proxy's processes have in memory, in MiB."""
    status = (pathlib.Path(f"/proc/{one}/status").read_text() for one in descendants(pid))
    return sum(int(re.search(r"VmRSS:\s+(\d+)", one)[1]) for one in status) / 1024


def idle(port, process):
    """What is in memory after the start, and what 1,000 silent connections add."""
    before, connections = memory(process.pid), []
    for _ in range(1000):
        connections.append(socket.create_connection(("127.0.0.1", port)))
        connections[-1].sendall(b"GET /13 HTTP/1.1\r\nHost: a\r\n\r\n")
        connections[-1].recv(4096)
    time.sleep(1)
    after = memory(process.pid)
    for one in connections:
        one.close()
    return before, after - before


class Race:
    """Proxies that are started for a load, and stopped after it."""

    def __init__(self, folder, chosen):
        self.folder, self.chosen, self.app = folder, chosen, free_port()

    def commands(self, app, ports):
        """What each proxy is started with; `app` is where it forwards to."""
        body = NGINX_PROXY.format(port=ports["nginx"], app=app)
        to = app if app.startswith("unix:") else f"{app}"
        commands = {
            "nginx": nginx(self.folder, "proxy", body),
            "ancm": [self.chosen.program, "run", "--to", to, "--listen", f"127.0.0.1:{ports['ancm']}", "--threads", "1"],
        }
        if shutil.which("haproxy"):
            place = app.removeprefix("unix:")
            config = write(self.folder, "haproxy.cfg", HAPROXY.format(port=ports["haproxy"], app=place))
            commands["haproxy"] = ["haproxy", "-db", "-f", config]
        if not app.startswith("unix:"):
            for peer in self.chosen.peer:
                name, command = peer.split("=", 1)
                commands[name] = shlex.split(command.format(port=ports[name], app=app.rsplit(":", 1)[1]))
        return commands

    def run(self, app, what):
        """Starts the proxies, does `what` with them, stops them."""
        names = ["nginx", "ancm", "haproxy", *(peer.split("=", 1)[0] for peer in self.chosen.peer)]
        ports = {name: free_port() for name in names}
        started = {name: start(command, 1) for name, command in self.commands(app, ports).items()}
        try:
            time.sleep(1)
            what({name: (ports[name], process) for name, process in started.items()})
        finally:
            stop(started.values())

    def rounds(self, name, peers, once):
        """Tells the CPU time for each unit that `once` says it did, and what else it says."""
        costs, others = ({peer: [] for peer in peers} for _ in range(2))
        for turn in range(self.chosen.rounds + 1):
            for peer, (port, process) in peers.items():
                before = cpu_seconds(process.pid)
                done, other = once(port)
                if turn:  # the first is for warming up
                    costs[peer].append((cpu_seconds(process.pid) - before) / done * 1e6)
                    others[peer].append(other)
        told = []
        for peer, cost in costs.items():
            ratio = statistics.median(one / base for one, base in zip(cost, costs["nginx"]))
            also = f", p99 {statistics.median(others[peer]):.0f} µs" if others[peer][0] else ""
            told.append(f"{peer} {statistics.median(cost):.1f} µs [{ratio:.2f}]{also}")
        print(f"{name:12}", " · ".join(told), flush=True)

    def loads(self):
        """Each load by its name: where it goes, and what is done."""
        tcp = f"127.0.0.1:{self.app}"
        for name, (path, connections, fields) in LOADS.items():
            app = f"unix:{self.folder}/app.sock" if "unix" in name else tcp
            once = lambda port, load_=(path, connections, fields): (load(self.folder, port, *load_, self.chosen.seconds), None)
            yield name, app, lambda peers, name=name, once=once: self.rounds(name, peers, once)
        if shutil.which("h2load"):
            yield "8,000/s", tcp, lambda peers: self.rounds("8,000/s", peers, lambda port: paced(self.folder, port, self.chosen.seconds))
        yield "idle", tcp, self.idle

    def idle(self, peers):
        figures = {peer: idle(*place) for peer, place in peers.items()}
        told = (f"{peer} {fresh:.1f} MiB fresh, {more:.1f} MiB more" for peer, (fresh, more) in figures.items())
        print(f"{'idle':12}", " · ".join(told), flush=True)

    async def echoes(self, wanted):
        """The WebSockets: their app lives in this process."""
        server = await asyncio.start_server(echo_app, "127.0.0.1", 0, limit=1 << 18)
        app = "127.0.0.1:%d" % server.sockets[0].getsockname()[1]
        for name, (size, messages) in ECHO.items():
            if wanted(name):
                once = lambda port: (asyncio.run(echo(port, size, messages)), (16 * messages, None))[1]
                await asyncio.to_thread(self.run, app, lambda peers: self.rounds(name, peers, once))
        server.close()


def stop(processes):
    for process in processes:
        process.send_signal(signal.SIGTERM)
    for process in processes:
        process.wait(timeout=30)


def main():
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("program", nargs="?", default="target/release/ancm")
    arguments.add_argument("--rounds", type=int, default=7)
    arguments.add_argument("--seconds", type=int, default=1)
    arguments.add_argument("--only", help="loads whose names begin like one of these, by commas")
    arguments.add_argument("--peer", action="append", default=[], help="name=command")
    chosen = arguments.parse_args()
    resource.setrlimit(resource.RLIMIT_NOFILE, (resource.getrlimit(resource.RLIMIT_NOFILE)[1],) * 2)
    wanted = lambda name: not chosen.only or any(name.startswith(one) for one in chosen.only.split(","))
    with tempfile.TemporaryDirectory() as temporary:
        folder = pathlib.Path(temporary)
        folder.chmod(0o755)
        (folder / "files").mkdir()
        for name, size in (("13", 13), ("1k", 1024), ("1m", 1024 * 1024)):
            (folder / "files" / name).write_bytes(b"x" * size)
        race = Race(folder, chosen)
        app = start(nginx(folder, "app", NGINX_APP.format(port=race.app, folder=folder)), 0)
        try:
            for name, place, what in race.loads():
                if wanted(name):
                    race.run(place, what)
            asyncio.run(race.echoes(wanted))
        finally:
            stop([app])


if __name__ == "__main__":
    main()
