#!/usr/bin/env python3
"""CPU time for each request of ancm, nginx, HAProxy, Pingora, axum-reverse-proxy and tower-proxy before one app, one thread each.

    cargo build --release --features cli
    benches/race.py                               # about eight minutes, and at first ten to build the peers
    benches/race.py --peers ancm,nginx --only "1 KiB,idle" --rounds 3

Each proxy is loaded by wrk in turn, round after round, so that what else the machine does meets all alike. What counts is
the CPU time that the kernel says a proxy's threads took, by the requests that were answered, as a ratio to nginx's of the
same round; the median over the rounds is printed, and the middle half of them. The app is an nginx that answers out of memory.

- `1 KiB, unix`: over a Unix socket to the app, for those that can.
- `8,000/s`: a fixed rate by h2load over 16 connections; the 99th percentile of what a request took is printed too.
- `echo`: messages over 16 WebSockets, to an app that sends the bytes back; CPU time for each message.
- `idle`: what each proxy's memory is when fresh, and what 1,000 connections add that have asked for something and are silent,
  come one after the other; `burst`: the same, come all at once.
- `syscalls`: of a request of 1 KiB, 16 connections, by `strace -c -f`.

The peers that are libraries lie in `benches/peers` and are built into `.cache`. Another proxy joins by `--peer
'name=command'`, in which `{port}` stands for where it listens and `{app}` for the app's port. All is on loopback, and only
what was started here is stopped. Needs Linux, two cores, wrk, nginx, taskset and Python 3.9; h2load for the fixed rate,
strace for the syscalls, cargo and cmake for the peers, HAProxy if it is to be in it.
"""

import argparse
import asyncio
import base64
import hashlib
import re
import resource
import shlex
import shutil
import signal
import socket
import subprocess
import time

from proxies import ALL, BUILT, TO_UNIX, Failed, ancm, build, course, descendants, free_port, haproxy, memory, nginx_proxy, rounds, running, write, wrk

BROWSER = {"Accept-Language": "en", "Cookie": "session=9e107d9d372bb6826bd81d3542a419d6", "Priority": "u=0"}
LOADS = {  # path, connections, header fields
    "13 bytes": ("/13", 64, {}),
    "1 KiB": ("/1k", 16, BROWSER),
    "1 KiB, unix": ("/1k", 16, BROWSER),
    "1 MiB": ("/1m", 8, {}),
    "POST 1 MiB": ("/post", 8, {"Content-Type": "application/octet-stream"}),
}
POST = 'wrk.method = "POST"; wrk.body = string.rep("x", 1048576)'
RATE = 8000
ECHO = {"echo 64 B": 64, "echo 64 KiB": 64 * 1024}  # bytes in a message


def load(folder, port, path, connections, fields, seconds):
    """Loads a port and tells how many requests were answered."""
    more = [part for name, value in fields.items() for part in ("-H", f"{name}: {value}")]
    if path == "/post":
        more += ["-s", write(folder, "post.lua", POST)]
    return wrk(f"http://127.0.0.1:{port}{path}", connections, seconds, *more)


def paced(folder, port, seconds):
    """Loads a port at a fixed rate; how many requests were answered, and the 99th percentile of their time, in µs."""
    log, each = folder / "paced.log", RATE // 16
    log.unlink(missing_ok=True)
    command = ["taskset", "-c", "0", "h2load", "--h1", "-t1", "-c16", "-m1", f"--rps={each}", f"-n{RATE * seconds}"]
    subprocess.run([*command, f"--log-file={log}", f"http://127.0.0.1:{port}/13"], capture_output=True, check=True, timeout=seconds + 60)
    lines = [line.split("\t") for line in log.read_text().splitlines()]
    times = sorted(int(took) for _, status, took in lines if status == "200")
    if len(times) < RATE * seconds:
        raise Failed(f"not all was answered: {len(times)} of {RATE * seconds}")
    return len(times), times[len(times) * 99 // 100]


def frame(size, masked):
    """A WebSocket's message of so many zeros; masked as a client has to, by zeros too."""
    length = bytes([size]) if size < 126 else b"\x7f" + size.to_bytes(8, "big")
    if masked:
        length = bytes([length[0] | 0x80]) + length[1:] + bytes(4)
    return b"\x82" + length + bytes(size)


async def echo_app(reader, writer):
    """Agrees to a WebSocket, and answers each message with one like it."""
    try:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        key = re.search(r"(?i)sec-websocket-key: *(\S+)", head)[1]
        agreed = base64.b64encode(hashlib.sha1((key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11").encode()).digest()).decode()
        answer = "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
        writer.write(f"{answer}Sec-WebSocket-Accept: {agreed}\r\n\r\n".encode())
        size = (await reader.readexactly(2))[1] & 0x7F
        rest = size + 4
        if size == 127:
            size = int.from_bytes(await reader.readexactly(8), "big")
            rest = size + 4
        # All messages of a connection are alike, so that none has to be looked at but the first.
        answer, whole = frame(size, False), len(frame(size, True))
        await reader.readexactly(rest)
        while True:
            writer.write(answer)
            await writer.drain()
            await reader.readexactly(whole)
    except (asyncio.IncompleteReadError, ConnectionError):
        pass
    writer.close()


async def echo_client(port, size, end):
    """How many messages came back before the end."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=1 << 18)
    ask = f"GET /echo HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
    writer.write(f"{ask}Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n".encode())
    head = await reader.readuntil(b"\r\n\r\n")
    if not head.startswith(b"HTTP/1.1 101"):
        raise Failed(f"no WebSocket: {head}")
    message, answer, done = frame(size, True), len(frame(size, False)), 0
    while time.monotonic() < end:
        writer.write(message)
        await reader.readexactly(answer)
        done += 1
    writer.close()
    return done


async def echo(port, size, seconds):
    """How many messages came back to 16 clients."""
    end = time.monotonic() + seconds
    try:
        return sum(await asyncio.wait_for(asyncio.gather(*(echo_client(port, size, end) for _ in range(16))), seconds + 20))
    except (OSError, asyncio.IncompleteReadError, asyncio.TimeoutError) as error:
        raise Failed(f"the WebSockets: {error!r}") from error


def idle(port, process, at_once):
    """What is in memory after the start, and what 1,000 silent connections add, in MiB."""
    before = memory(process.pid)
    ask = lambda one: one.sendall(b"GET /13 HTTP/1.1\r\nHost: a\r\n\r\n")
    connections = []
    for _ in range(1000):
        connections.append(socket.create_connection(("127.0.0.1", port), 20))
        if not at_once:
            ask(connections[-1])
            connections[-1].recv(4096)
    for one in connections if at_once else ():
        ask(one)
    for one in connections if at_once else ():
        one.recv(4096)
    time.sleep(1)
    after = memory(process.pid)
    for one in connections:
        one.close()
    return f"{before:.1f} MiB fresh, {after - before:.1f} MiB more"


def syscalls(folder, port, process, seconds):
    """Of a request, all and the most frequent ones."""
    once = lambda: load(folder, port, *LOADS["1 KiB"], seconds)
    once()
    pids = [part for pid in descendants(process.pid) for part in ("-p", str(pid))]
    command = ["taskset", "-c", "1", "strace", "-c", "-f", "-o", folder / "calls", *pids]
    tracer = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    time.sleep(0.5)
    done = once()
    tracer.send_signal(signal.SIGINT)
    tracer.wait(timeout=20)
    rows = [row.split() for row in (folder / "calls").read_text().splitlines()]
    counts = {row[-1]: int(row[3]) / done for row in rows if len(row) > 4 and row[3].isdigit()}
    usual = {name: count for name, count in counts.items() if name != "total" and count > 0.02}
    return f"{counts['total']:.2f} ({', '.join(f'{name} {count:.2f}' for name, count in usual.items())})"


class Race:
    """Proxies that are started for a load, and stopped after it."""

    def __init__(self, folder, app, chosen):
        self.folder, self.chosen, self.app = folder, chosen, f"127.0.0.1:{app}"
        named = chosen.peers.split(",")
        self.joined = dict(peer.split("=", 1) for peer in chosen.peer)
        self.names = [name for name in ALL if name in named and (name != "haproxy" or shutil.which(name))]
        self.built = build() if any(name in BUILT for name in self.names) else None

    def commands(self, app, ports):
        """What each proxy is started with; `app` is where it forwards to."""
        for name in self.names:
            listen = f"127.0.0.1:{ports[name]}"
            if app.startswith("unix:") and name not in TO_UNIX:
                continue
            if name == "nginx":
                yield name, nginx_proxy(self.folder, app, ports[name])
            elif name == "haproxy":
                yield name, haproxy(self.folder, app, ports[name])
            elif name == "ancm":
                yield name, ancm(self.chosen.program, app, listen)
            elif self.built:
                yield name, [str(self.built / name), listen, app]
        for name, command in self.joined.items():
            if not app.startswith("unix:"):
                yield name, shlex.split(command.format(port=ports[name], app=app.rsplit(":", 1)[1]))

    def run(self, app, what):
        """Starts the proxies, does `what` with them, stops them."""
        ports = {name: free_port() for name in (*self.names, *self.joined)}
        with running(dict(self.commands(app, ports)), ports) as peers:
            what(peers)

    def rounds(self, name, app, once):
        base = "nginx" if "nginx" in self.names else self.names[0]
        self.run(app, lambda peers: rounds(name, peers, once, self.chosen.rounds, base))

    def tell(self, name, each):
        """Asks something of each proxy by itself, once."""

        def all_of(peers):
            told = {}
            for peer, place in peers.items():
                try:
                    told[peer] = each(*place)
                except (Failed, OSError, subprocess.SubprocessError) as failure:
                    told[peer] = f"– ({failure})"
            print(f"{name:18}", " · ".join(f"{peer} {what}" for peer, what in told.items()), flush=True)

        self.run(self.app, all_of)

    def loads(self):
        """Each load by its name, and what is to be called for it."""
        seconds, folder = self.chosen.seconds, self.folder
        for name, one in LOADS.items():
            app = f"unix:{folder}/app.sock" if "unix" in name else self.app
            once = lambda port, one=one: (load(folder, port, *one, seconds), None)
            yield name, lambda name=name, app=app, once=once: self.rounds(name, app, once)
        if shutil.which("h2load"):
            yield "8,000/s", lambda: self.rounds("8,000/s", self.app, lambda port: paced(folder, port, seconds))
        yield from ((name, lambda name=name: asyncio.run(self.echo(name))) for name in ECHO)
        yield "idle", lambda: self.tell("idle", lambda port, process: idle(port, process, False))
        yield "burst", lambda: self.tell("burst", lambda port, process: idle(port, process, True))
        if shutil.which("strace"):
            yield "syscalls", lambda: self.tell("syscalls", lambda *place: syscalls(folder, *place, seconds))

    async def echo(self, name):
        """The WebSockets: their app lives in this process."""
        server = await asyncio.start_server(echo_app, "127.0.0.1", 0, limit=1 << 18)
        app = "127.0.0.1:%d" % server.sockets[0].getsockname()[1]
        once = lambda port: (asyncio.run(echo(port, ECHO[name], self.chosen.seconds)), None)
        await asyncio.to_thread(self.rounds, name, app, once)
        server.close()


def main():
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("program", nargs="?", default="target/release/ancm")
    arguments.add_argument("--rounds", type=int, default=7)
    arguments.add_argument("--seconds", type=int, default=1)
    arguments.add_argument("--only", help="loads whose names begin like one of these, by commas")
    arguments.add_argument("--peers", default=",".join(ALL), help="who is in it, by commas; ratios are to nginx, or else to the first")
    arguments.add_argument("--peer", action="append", default=[], help="name=command")
    chosen = arguments.parse_args()
    resource.setrlimit(resource.RLIMIT_NOFILE, (resource.getrlimit(resource.RLIMIT_NOFILE)[1],) * 2)
    wanted = lambda name: not chosen.only or any(name.startswith(one) for one in chosen.only.split(","))
    with course() as (folder, app):
        for name, run in Race(folder, app, chosen).loads():
            if wanted(name):
                run()


if __name__ == "__main__":
    main()
