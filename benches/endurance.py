#!/usr/bin/env python3
"""Large bodies and many connections through `ancm`, and what they cost in memory.

    python3 benches/endurance.py [--ancm target/release/ancm] [--gib 10] [--connections 10000]

Everything is on the loopback and ends by itself. Exits with 1 where a byte is missing, a connection fails, or a body of
any size takes more than 32 MiB. Linux only.
"""

import argparse
import asyncio
import re
import resource
import socket
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


async def tunnels_app(reader, writer):
    """Upgrades, then echoes; or answers, and waits for the next request."""
    try:
        while True:
            head = await reader.readuntil(b"\r\n\r\n")
            if b"upgrade: websocket" not in head.lower():
                writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
                continue
            writer.write(
                b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n"
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


async def many(address, pid, count):
    gate = asyncio.Semaphore(100)
    fine = True
    upgrade = b"GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n"
    for what, request, status in [
        ("idle connections", b"GET / HTTP/1.1\r\nHost: a\r\n\r\n", b" 200 "),
        ("WebSockets", upgrade, b" 101 "),
    ]:
        before = memory_mib(pid)
        opened = await asyncio.gather(
            *(open_one(address, request, gate) for _ in range(count)), return_exceptions=True
        )
        good = [one for one in opened if not isinstance(one, Exception) and status in one[2]]
        after = memory_mib(pid)
        echoed = 0
        if status == b" 101 ":
            for _, writer, _ in good:
                writer.write(b"hello")
            for reader, _, _ in good:
                echoed += await asyncio.wait_for(reader.readexactly(5), 60) == b"hello"
        alive = sum(not reader.at_eof() for reader, _, _ in good)
        per = (after - before) * 1024 / max(len(good), 1)
        print(
            f"{count} {what}: {len(good)} open, {alive} alive, "
            + (f"{echoed} echoed, " if echoed else "")
            + f"{after - before:.0f} MiB, {per:.1f} KiB each"
        )
        fine &= alive == count and (status != b" 101 " or echoed == count)
        for _, writer, _ in good:
            writer.close()
        del opened, good
        await asyncio.sleep(1)
    return fine


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


async def connections(options):
    server = await asyncio.start_server(tunnels_app, "127.0.0.1", 0, backlog=1024)
    port = server.sockets[0].getsockname()[1]
    with Module(options.ancm, port, "--max-connections", str(options.connections + 100)) as module:
        return await many(module.address, module.process.pid, options.connections)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--ancm", default="target/release/ancm")
    parser.add_argument("--gib", type=int, default=10)
    parser.add_argument("--connections", type=int, default=10_000)
    options = parser.parse_args()
    # A tunnel has two ends here and two at ancm, each of them a file descriptor.
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = 2 * options.connections + 1000
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (max(hard, wanted), max(hard, wanted)))
    except ValueError:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
        options.connections = min(options.connections, (hard - 1000) // 2)
        print(f"only {hard} file descriptors: {options.connections} connections")

    listener = socket.create_server(("127.0.0.1", 0), backlog=64)
    threading.Thread(target=echo_bodies, args=(listener,), daemon=True).start()
    with Module(options.ancm, listener.getsockname()[1]) as module:
        fine = body(module.address, module.process.pid, options.gib)
    fine &= asyncio.run(connections(options))
    sys.exit(0 if fine else 1)


if __name__ == "__main__":
    main()
