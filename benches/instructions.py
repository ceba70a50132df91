#!/usr/bin/env python3
"""User instructions and heap allocations for each request that `ancm run --to` forwards, by valgrind.

They repeat within 1 %, on any machine and under any load, so they can be a gate where time can't:

    cargo build --release --features cli
    benches/instructions.py                       # tells both
    benches/instructions.py --gate                # exits with 1 where a request costs more than the limit beside it

The limit is what the last change that was measured cost; up to 2 % above it pass, for another compiler or C library.

Two runs of different length are compared, so that the start does not count. A request is a GET with 11 header fields, its
answer 1 KiB; 8 connections take turns. Needs Linux, valgrind and Python 3.9.
"""

import argparse
import asyncio
import pathlib
import re
import signal
import socket
import subprocess
import sys
import time

FIELDS = {
    "Host": "localhost",
    "User-Agent": "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0",
    "Accept": "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8",
    "Accept-Language": "en-GB,en;q=0.7",
    "Accept-Encoding": "gzip, deflate, br, zstd",
    "Referer": "http://localhost/orders?page=2",
    "Cookie": "session=9e107d9d372bb6826bd81d3542a419d6; theme=dark",
    "Sec-Fetch-Dest": "document",
    "Sec-Fetch-Mode": "navigate",
    "Sec-Fetch-Site": "same-origin",
    "Priority": "u=0, i",
}
REQUEST = b"GET /orders/17 HTTP/1.1\r\n" + b"".join(f"{n}: {v}\r\n".encode() for n, v in FIELDS.items()) + b"\r\n"
BODY = b"x" * 1024
ANSWER = (
    b"HTTP/1.1 200 OK\r\nDate: Thu, 01 Jan 2026 00:00:00 GMT\r\nServer: Kestrel\r\n"
    b"Content-Type: text/plain; charset=utf-8\r\nContent-Length: %d\r\n\r\n" % len(BODY)
) + BODY
CONNECTIONS = 8
LIMIT = pathlib.Path(__file__).with_name("instructions.limit")
SLACK = 1.02


async def app(reader, writer):
    """Answers each head with the same answer."""
    try:
        while True:
            await reader.readuntil(b"\r\n\r\n")
            writer.write(ANSWER)
    except (asyncio.IncompleteReadError, ConnectionError):
        writer.close()


async def client(port, requests):
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    for _ in range(requests):
        writer.write(REQUEST)
        head = await reader.readuntil(b"\r\n\r\n")
        body = await reader.readexactly(len(BODY))
        assert head.startswith(b"HTTP/1.1 200") and body == BODY, head
    writer.close()


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


async def reach(port, until):
    while time.monotonic() < until:
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", port)
            return writer.close()
        except OSError:
            await asyncio.sleep(0.1)
    sys.exit("the program does not listen")


async def count(program, tool, pattern, requests):
    """What `tool` counts of a run that serves so many requests."""
    server = await asyncio.start_server(app, "127.0.0.1", 0)
    to, port = server.sockets[0].getsockname()[1], free_port()
    command = ["valgrind", f"--tool={tool}", program, "run", "--to", f"127.0.0.1:{to}"]
    command += ["--listen", f"127.0.0.1:{port}", "--threads", "1"]
    if tool == "callgrind":
        command.insert(2, "--callgrind-out-file=/dev/null")
    child = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    try:
        await reach(port, time.monotonic() + 60)
        await asyncio.gather(*(client(port, requests // CONNECTIONS) for _ in range(CONNECTIONS)))
    finally:
        child.send_signal(signal.SIGTERM)
        _, said = await asyncio.to_thread(child.communicate)
        server.close()
    found = re.search(pattern, said)
    return int(found[1].replace(",", "")) if found else sys.exit(said)


def per_request(program, tool, pattern, few=400, many=2000):
    runs = [asyncio.run(count(program, tool, pattern, requests)) for requests in (few, many)]
    return (runs[1] - runs[0]) / (many - few)


def main():
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("program", nargs="?", default="target/release/ancm")
    arguments.add_argument("--gate", action="store_true", help=f"hold it to the limit in {LIMIT.name}; counts no allocations")
    chosen = arguments.parse_args()
    instructions = per_request(chosen.program, "callgrind", r"Collected : (\d+)")
    if chosen.gate:
        return judge(instructions, int(LIMIT.read_text()))
    allocations = per_request(chosen.program, "memcheck", r"total heap usage: ([\d,]+) allocs")
    print(f"{instructions:.0f} user instructions, {allocations:.2f} allocations a request")


def judge(instructions, limit):
    print(f"{instructions:.0f} user instructions a request, {limit} are the limit")
    if instructions > limit * SLACK:
        sys.exit(f"a request costs more than it may: say why in {LIMIT.name}'s next change, or find where it goes")
    if instructions < limit / SLACK:
        print(f"it costs less now: {LIMIT.name} can be lowered")


if __name__ == "__main__":
    main()
