#!/usr/bin/env python3
"""Builds `ancm` for what it does most: guided by the profile of a run, as LLVM calls it.

    rustup component add llvm-tools
    benches/pgo.py                                # two builds; the program is target/pgo/use/<host>/release/ancm
    benches/instructions.py target/pgo/use/*/release/ancm

The run is short and bounded, on loopback, over HTTP/1.1: small requests with fields like a browser's, uploads and downloads of
1 MiB, chunked ones, WebSockets; over HTTP/2 and TLS too where h2load and openssl are there. What is not in it is built for size.
Needs Linux and Python 3.9. What it makes serves the same as the usual build, and is as portable.
"""

import argparse
import asyncio
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import tempfile

import instructions
import race
from proxies import free_port

ROOT = pathlib.Path(__file__).resolve().parent.parent
MIB = 1 << 20


def rustc(*asked):
    return subprocess.run(["rustc", *asked], capture_output=True, text=True, check=True).stdout


def host():
    return next(line.split()[1] for line in rustc("-vV").splitlines() if line.startswith("host:"))


def profdata():
    """The toolchain's own: another LLVM's may not know the format."""
    tool = pathlib.Path(rustc("--print", "sysroot").strip()) / "lib" / "rustlib" / host() / "bin" / "llvm-profdata"
    return tool if tool.exists() else sys.exit("no llvm-profdata: `rustup component add llvm-tools`")


def build(what, flags):
    """The program, built with these flags, which what builds it is not."""
    folder = ROOT / "target" / "pgo" / what
    command = ["cargo", "build", "--release", "--features", "cli", "--target", host(), "--target-dir", folder]
    subprocess.run(command, cwd=ROOT, env={**os.environ, "RUSTFLAGS": flags}, check=True)
    return folder / host() / "release" / "ancm"


async def app(reader, writer):
    """An app that takes uploads too, and answers long and in chunks where it is asked to."""
    try:
        while True:
            head = (await reader.readuntil(b"\r\n\r\n")).lower()
            if b"\r\ncontent-length: %d" % MIB in head:
                await reader.readexactly(MIB)
            if b"transfer-encoding: chunked" in head:
                await reader.readuntil(b"0\r\n\r\n")
            if b" /long " in head:
                writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % MIB + bytes(MIB))
            elif b" /chunked " in head:
                writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + b"400\r\n%b\r\n" % bytes(1024) * 16 + b"0\r\n\r\n")
            else:
                writer.write(instructions.ANSWER)
            await writer.drain()
    except (asyncio.IncompleteReadError, ConnectionError):
        writer.close()


async def ask(port, request, expected, times):
    """Asks the same again and again, and counts the bytes of the answers' bodies."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=1 << 21)
    for _ in range(times):
        writer.write(request)
        head = await reader.readuntil(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 200"), head
        await (reader.readuntil(b"0\r\n\r\n") if expected is None else reader.readexactly(expected))
    writer.close()


async def load(port, echo_port):
    """What the program is built for."""
    small, host_line = len(instructions.BODY), b" HTTP/1.1\r\nHost: a\r\n"
    await asyncio.gather(*(instructions.client(port, 1500) for _ in range(16)))
    await asyncio.gather(*(ask(port, b"GET /" + host_line + b"\r\n", small, 500) for _ in range(16)))
    await asyncio.gather(*(ask(port, b"GET /long" + host_line + b"\r\n", MIB, 50) for _ in range(4)))
    await asyncio.gather(*(ask(port, b"GET /chunked" + host_line + b"\r\n", None, 200) for _ in range(4)))
    upload = b"POST /" + host_line + b"Content-Length: %d\r\n\r\n" % MIB + bytes(MIB)
    await asyncio.gather(*(ask(port, upload, small, 50) for _ in range(4)))
    chunks = b"POST /" + host_line + b"Transfer-Encoding: chunked\r\n\r\n" + b"400\r\n%b\r\n" % bytes(1024) * 4 + b"0\r\n\r\n"
    await asyncio.gather(*(ask(port, chunks, small, 200) for _ in range(4)))
    for size in race.ECHO.values():
        await race.echo(echo_port, size, 1)


def also(url, tls_url):
    """The rest, where there is somebody who speaks it."""
    if shutil.which("h2load"):
        for target in (url, tls_url):
            command = ["h2load", "-c8", "-m8", "-n8000", f"--header=cookie: {instructions.FIELDS['Cookie']}", target]
            subprocess.run(command, stdout=subprocess.DEVNULL, timeout=300)
            subprocess.run([*command, "--h1"], stdout=subprocess.DEVNULL, timeout=300)


async def run(program, folder):
    """Runs the program with a profile, before an app and before one that echoes."""
    servers = [await asyncio.start_server(one, "127.0.0.1", 0, limit=1 << 21) for one in (app, race.echo_app)]
    apps = [server.sockets[0].getsockname()[1] for server in servers]
    ports, listens = [free_port() for _ in range(3)], []
    listens = [["--listen", f"127.0.0.1:{ports[0]}"], ["--listen", f"127.0.0.1:{ports[1]}"]]
    if shutil.which("openssl"):
        key, chain = folder / "key.pem", folder / "chain.pem"
        made = ["openssl", "req", "-x509", "-nodes", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-subj", "/CN=a"]
        subprocess.run([*made, "-keyout", key, "-out", chain], check=True, capture_output=True)
        listens[0] += ["--listen", f"https://127.0.0.1:{ports[2]}", "--tls-cert", str(chain), "--tls-key", str(key)]
    children = []
    try:
        for to, listen in zip(apps, listens):
            command = [program, "run", "--to", f"127.0.0.1:{to}", "--threads", "1", *listen]
            children.append(subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL))
        for port in ports[:2]:
            await instructions.reach(port, asyncio.get_running_loop().time() + 60)
        await load(ports[0], ports[1])
        await asyncio.to_thread(also, f"http://127.0.0.1:{ports[0]}/", f"https://127.0.0.1:{ports[2]}/")
    finally:
        for child in children:
            child.send_signal(signal.SIGTERM)
        for child in children:
            # It writes its profile as it ends.
            await asyncio.to_thread(child.wait, 60)
        for server in servers:
            server.close()


def main():
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.parse_args()
    tool, raw = profdata(), ROOT / "target" / "pgo" / "raw"
    shutil.rmtree(raw, ignore_errors=True)
    program = build("generate", f"-Cprofile-generate={raw}")
    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(run(program, pathlib.Path(folder)))
    merged = raw.parent / "ancm.profdata"
    subprocess.run([tool, "merge", "-o", merged, raw], check=True)
    print(build("use", f"-Cprofile-use={merged}"))


if __name__ == "__main__":
    main()
