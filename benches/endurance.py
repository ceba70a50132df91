#!/usr/bin/env python3
"""Large bodies and many connections through `ancm`, and what they cost in memory.

    python3 benches/endurance.py [--ancm target/release/ancm] [--gib 10] [--connections 10000]

Clients, `ancm` and the app are three processes, so that each has its own file descriptors. Everything is on the loopback and
ends by itself. Exits with 1 where a byte is missing, a connection fails, or a body of
any size takes more than 32 MiB. Linux only.
"""

import argparse
import asyncio
import base64
import contextlib
import hashlib
import multiprocessing
import re
import resource
import socket
import struct
import subprocess
import sys
import threading
import time

BLOCK = 256 * 1024
LIMIT_MIB = 32


def memory_mib(pid):
    with open(f"/proc/{pid}/status") as status:
        for line in status:
            if line.startswith("VmRSS:"):
                return int(line.split()[1]) / 1024
    return 0.0


def head_of(stream):
    head = b""
    while not head.endswith(b"\r\n\r\n"):
        byte = stream.recv(1)
        if not byte:
            raise EOFError("it ended within its head")
        head += byte
    return head


def length_of(head):
    return int(re.search(rb"content-length: (\d+)", head.lower()).group(1))


class Watch:
    """The most memory that a process had while something went on."""

    def __init__(self, pid):
        self.pid, self.most, self.over = pid, memory_mib(pid), threading.Event()
        self.thread = threading.Thread(target=self.watch)

    def watch(self):
        while not self.over.wait(0.1):
            self.most = max(self.most, memory_mib(self.pid))

    def __enter__(self):
        self.before = memory_mib(self.pid)
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.over.set()
        self.thread.join()


def echo_bodies(listener):
    """An app that sends every body back while it comes."""

    def serve(stream):
        head = head_of(stream)
        left = length_of(head)
        stream.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % left)
        block = bytearray(BLOCK)
        while left:
            read = stream.recv_into(block)
            if not read:
                return
            stream.sendall(memoryview(block)[:read])
            left -= read

    while True:
        stream, _ = listener.accept()
        threading.Thread(target=serve, args=(stream,), daemon=True).start()


def body(address, pid, gib):
    """Sends so many GiB and takes them back, both at the same time."""
    size = gib * 1024**3
    stream = socket.create_connection(address)
    stream.sendall(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n" % size)

    def send():
        block, left = memoryview(bytes(BLOCK)), size
        while left:
            left -= stream.send(block[: min(left, BLOCK)])

    with Watch(pid) as watch:
        began = time.monotonic()
        sending = threading.Thread(target=send)
        sending.start()
        left = length_of(head_of(stream))
        block = bytearray(BLOCK)
        while left:
            read = stream.recv_into(block)
            if not read:
                break
            left -= read
        sending.join()
    took = time.monotonic() - began
    grew = watch.most - watch.before
    print(f"{gib} GiB both ways: {took:.0f} s, {grew:.1f} MiB more memory, {left} bytes missing")
    return left == 0 and grew < LIMIT_MIB


# What every answer to a key is made with (RFC 6455, 1.3).
GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"


async def tunnels_app(reader, writer):
    """Upgrades, then echoes; or answers, and waits for the next request."""
    try:
        while True:
            head = await reader.readuntil(b"\r\n\r\n")
            if b"upgrade: websocket" not in head.lower():
                writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
                continue
            found = re.search(rb"(?i)sec-websocket-key: *(\S+)", head)
            proof = base64.b64encode(hashlib.sha1((found[1] if found else b"") + GUID).digest())
            writer.write(
                b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
                b"Sec-WebSocket-Accept: " + proof + b"\r\n\r\n"
            )
            while data := await reader.read(1024):
                writer.write(data)
            return
    except (asyncio.IncompleteReadError, asyncio.CancelledError, ConnectionError):
        pass
    finally:
        writer.close()


async def open_one(address, request, gate):
    async with gate:
        reader, writer = await asyncio.open_connection(*address)
        writer.write(request)
        head = await reader.readuntil(b"\r\n\r\n")
        return reader, writer, head


def use_descriptors():
    """As many as this process may have; how many that are."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return hard


def run_app(port):
    """The app, in a process of its own: its descriptors are not the clients'."""
    use_descriptors()

    async def serve():
        server = await asyncio.start_server(tunnels_app, "127.0.0.1", 0, backlog=4096)
        port.put(server.sockets[0].getsockname()[1])
        await server.serve_forever()

    asyncio.run(serve())


@contextlib.contextmanager
def app_elsewhere():
    port = multiprocessing.Queue()
    process = multiprocessing.Process(target=run_app, args=(port,), daemon=True)
    process.start()
    try:
        yield port.get(timeout=30)
    finally:
        process.terminate()
        process.join()


async def one_after_the_other(address, count, request, status):
    """So many connections of HTTP/1.1, each with one request; those that were answered so."""
    gate = asyncio.Semaphore(100)
    opened = await asyncio.gather(
        *(open_one(address, request, gate) for _ in range(count)), return_exceptions=True
    )
    return [one for one in opened if not isinstance(one, Exception) and status in one[2]]


async def echoes(sockets):
    """How many of the tunnels give back what they are given."""
    for _, writer, _ in sockets:
        writer.write(b"hello")
    echoed = 0
    for reader, _, _ in sockets:
        echoed += await asyncio.wait_for(reader.readexactly(5), 60) == b"hello"
    return echoed


def tell(what, count, alive, grown, per, echoed=None):
    said = "" if echoed is None else f"{echoed} echoed, "
    print(f"{count} {what}: {alive} open, {said}{grown:.0f} MiB, {per:.1f} KiB each", flush=True)
    return alive == count and echoed in (None, count)


async def many(address, pid, count, what, request, status):
    before = memory_mib(pid)
    sockets = await one_after_the_other(address, count, request, status)
    grown = memory_mib(pid) - before
    echoed = await echoes(sockets) if status == b" 101 " else None
    alive = sum(not reader.at_eof() for reader, _, _ in sockets)
    for _, writer, _ in sockets:
        writer.close()
    await asyncio.sleep(1)
    return tell(what, count, alive, grown, grown * 1024 / max(alive, 1), echoed)


# HTTP/2 (RFC 9113), as far as an extended CONNECT (RFC 8441) needs it: fields are never indexed, and of what comes only the
# status's own index and the bodies are read.
DATA, HEADERS, SETTINGS, PING = 0, 1, 4, 6
ACK, END_HEADERS = 1, 4
STATUS_200 = 0x88
STREAMS = 100


def frame(kind, flags, stream, payload=b""):
    return struct.pack(">I", len(payload))[1:] + struct.pack(">BBI", kind, flags, stream) + payload


def field(name, value):
    return b"\x10" + bytes([len(name)]) + name + bytes([len(value)]) + value


CONNECT = b"".join(
    field(name, value)
    for name, value in [
        (b":method", b"CONNECT"),
        (b":protocol", b"websocket"),
        (b":scheme", b"http"),
        (b":authority", b"a"),
        (b":path", b"/"),
        (b"sec-websocket-version", b"13"),
    ]
)


async def streams(address, count):
    """A connection with so many tunnels; how many opened, and a way to see how many of them echo."""
    reader, writer = await asyncio.open_connection(*address)
    writer.write(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + frame(SETTINGS, 0, 0))
    ids = range(1, 2 * count, 2)
    for stream in ids:
        writer.write(frame(HEADERS, END_HEADERS, stream, CONNECT))

    async def until(kind, good):
        found = set()
        while len(found) < count:
            head = await asyncio.wait_for(reader.readexactly(9), 120)
            length, sort = int.from_bytes(head[:3], "big"), head[3]
            stream = int.from_bytes(head[5:], "big")
            payload = await reader.readexactly(length)
            if sort == SETTINGS and not head[4] & ACK:
                writer.write(frame(SETTINGS, ACK, 0))
            elif sort == PING and not head[4] & ACK:
                writer.write(frame(PING, ACK, 0, payload))
            elif sort == kind:
                assert good(payload), (stream, payload)
                found.add(stream)
        return len(found)

    opened = await until(HEADERS, lambda block: block[0] == STATUS_200)

    async def echo():
        for stream in ids:
            writer.write(frame(DATA, 0, stream, b"hello"))
        return await until(DATA, lambda data: data == b"hello")

    return opened, echo, writer


async def many_streams(address, pid, count):
    before = memory_mib(pid)
    opened = []
    for _ in range(count // STREAMS):
        opened.append(await streams(address, STREAMS))
    grown = memory_mib(pid) - before
    alive = sum(one for one, _, _ in opened)
    echoed = sum([await echo() for _, echo, _ in opened])
    for _, _, writer in opened:
        writer.close()
    what = f"WebSockets on {len(opened)} connections of HTTP/2"
    return tell(what, count, alive, grown, grown * 1024 / max(alive, 1), echoed)


class Module:
    """A front before `port`."""

    def __init__(self, ancm, port, *options):
        self.process = subprocess.Popen(
            [ancm, "run", "--to", f"127.0.0.1:{port}", "--listen", "127.0.0.1:0", *options],
            stderr=subprocess.PIPE,
            text=True,
        )
        for line in self.process.stderr:
            if found := re.search(r"Listening.*?127\.0\.0\.1:(\d+)", line):
                self.address = ("127.0.0.1", int(found.group(1)))
                break
        threading.Thread(target=self.process.stderr.read, daemon=True).start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait(30)


async def connections(ancm, port, count):
    idle = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"
    upgrade = b"GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n"
    # ancm takes no more connections than it has descriptors for, with one to the app for each, and keeps a few for itself.
    limit = use_descriptors()
    single = min(count, (limit - 128) // 2)
    if single < count:
        print(f"{limit} file descriptors are enough for {single} connections")
    fine = True
    for attempt in [
        lambda at, pid: many(at, pid, single, "idle connections", idle, b" 200 "),
        lambda at, pid: many(at, pid, single, "WebSockets", upgrade, b" 101 "),
        lambda at, pid: many_streams(at, pid, count),
    ]:
        # Each with a fresh one, so that none has the memory of another.
        with Module(ancm, port, "--max-connections", str(count + 100)) as module:
            fine &= await attempt(module.address, module.process.pid)
    return fine


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--ancm", default="target/release/ancm")
    parser.add_argument("--gib", type=int, default=10)
    parser.add_argument("--connections", type=int, default=10_000)
    options = parser.parse_args()
    fine = True
    if options.gib:
        listener = socket.create_server(("127.0.0.1", 0), backlog=64)
        threading.Thread(target=echo_bodies, args=(listener,), daemon=True).start()
        with Module(options.ancm, listener.getsockname()[1]) as module:
            fine &= body(module.address, module.process.pid, options.gib)
    if options.connections:
        with app_elsewhere() as port:
            fine &= asyncio.run(connections(options.ancm, port, options.connections))
    sys.exit(0 if fine else 1)


if __name__ == "__main__":
    main()
