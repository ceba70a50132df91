"""What the races have in common: the app, the proxies before it, and how what they cost is told."""

import contextlib
import glob
import pathlib
import re
import shutil
import signal
import socket
import statistics
import subprocess
import tempfile
import time

HERE = pathlib.Path(__file__).resolve().parent
# What is a library, and built as a program for the race.
BUILT = ("pingora", "axum-reverse-proxy", "tower-proxy")
ALL = ("nginx", "ancm", "haproxy", *BUILT)
# Who can forward to a Unix socket.
TO_UNIX = ("nginx", "ancm", "haproxy", "pingora")

NGINX = """
daemon off; worker_processes 1; error_log stderr crit; pid {folder}/{name}.pid;
events {{ worker_connections 2300; }}
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
server {{ listen 127.0.0.1:{port}{tls}; client_max_body_size 2m; location / {{
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
  bind 127.0.0.1:{port}{tls}
  http-request set-header X-Forwarded-Proto http
  default_backend app
backend app
  server app {app}
"""


class Failed(Exception):
    """A proxy did not do what it was asked to do."""


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def write(folder, name, text):
    path = folder / name
    path.write_text(text)
    return str(path)


def nginx(folder, name, body):
    return ["nginx", "-e", "stderr", "-c", write(folder, f"{name}.conf", NGINX.format(folder=folder, name=name, body=body))]


def nginx_proxy(folder, app, port, tls=""):
    return nginx(folder, "proxy", NGINX_PROXY.format(port=port, app=app, tls=tls))


def haproxy(folder, app, port, tls=""):
    config = HAPROXY.format(port=port, app=app.removeprefix("unix:"), tls=tls)
    return ["haproxy", "-db", "-f", write(folder, "haproxy.cfg", config)]


def ancm(program, app, listen, *more):
    return [program, "run", "--to", app, "--listen", listen, "--threads", "1", *more]


def build():
    """The folder of the proxies that are built for the race, or `None` where they can't be."""
    target = HERE.parent / ".cache" / "peers"
    command = ["cargo", "build", "--release", "--locked", "--manifest-path", HERE / "peers" / "Cargo.toml", "--target-dir", target]
    print("Building", ", ".join(BUILT), "(once)", flush=True)
    if shutil.which("cargo") and subprocess.run(command).returncode == 0:
        return target / "release"
    print("They can't be built, so they are not in it. (Is cmake there?)", flush=True)
    return None


def start(command, cpu):
    return subprocess.Popen(["taskset", "-c", str(cpu), *command], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def stop(processes):
    for process in processes:
        process.send_signal(signal.SIGTERM)
    for process in processes:
        try:
            process.wait(timeout=10)
        # Pingora waits for minutes.
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


@contextlib.contextmanager
def course():
    """A folder, and in it files that an nginx serves out of memory at the port that comes with it."""
    with tempfile.TemporaryDirectory() as temporary:
        folder = pathlib.Path(temporary)
        folder.chmod(0o755)
        (folder / "files").mkdir()
        for name, size in (("13", 13), ("1k", 1024), ("1m", 1024 * 1024)):
            (folder / "files" / name).write_bytes(b"x" * size)
        port = free_port()
        app = start(nginx(folder, "app", NGINX_APP.format(port=port, folder=folder)), 0)
        try:
            yield folder, port
        finally:
            stop([app])


@contextlib.contextmanager
def running(commands, ports):
    """The proxies of these commands, each with its port and its process, as soon as they listen; who does not is left out."""
    started = {name: start(command, 1) for name, command in commands.items()}
    try:
        out = [name for name, process in started.items() if not listens(ports[name], process)]
        if "ancm" in out:
            raise SystemExit("ancm does not listen")
        for name in out:
            print(f"{name} does not listen, and is not in it", flush=True)
        yield {name: (ports[name], process) for name, process in started.items() if name not in out}
    finally:
        stop(started.values())


def listens(port, process):
    end = time.monotonic() + 20
    while process.poll() is None and time.monotonic() < end:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            return True
        except OSError:
            time.sleep(0.05)
    return False


def descendants(pid):
    yield pid
    for children in glob.glob(f"/proc/{pid}/task/*/children"):
        for child in pathlib.Path(children).read_text().split():
            yield from descendants(int(child))


def cpu_seconds(pid):
    """What all threads of a process and its descendants have run for."""
    stats = (stat for one in descendants(pid) for stat in glob.glob(f"/proc/{one}/task/*/schedstat"))
    return sum(int(pathlib.Path(stat).read_text().split()[0]) for stat in stats) / 1e9


def memory(pid):
    """What all of a proxy's processes have in memory, in MiB."""
    status = (pathlib.Path(f"/proc/{one}/status").read_text() for one in descendants(pid))
    return sum(int(re.search(r"VmRSS:\s+(\d+)", one)[1]) for one in status) / 1024


def wrk(url, connections, seconds, *more):
    """Loads an address and tells how many requests were answered."""
    command = ["taskset", "-c", "0", "wrk", "-t1", "--timeout=30s", f"-c{connections}", f"-d{seconds}s", *more, url]
    said = subprocess.run(command, capture_output=True, text=True, check=True, timeout=seconds + 60).stdout
    if "Non-2xx" in said or "Socket errors" in said:
        raise Failed(f"not all was answered: {said}")
    done = int(re.search(r"(\d+) requests in", said)[1])
    return done if done else nothing()


def nothing():
    raise Failed("nothing was answered: the machine is too busy for so few --seconds")


def rounds(name, peers, once, count, base="nginx"):
    """Has each peer do the same in turn, round after round, and tells the CPU time for each thing done.

    `once` takes a port, and gives how much was done and, where there is more to tell, how many µs one thing took. Ratios
    are to what `base` had in the same round: their median over the rounds, and the middle half of them.
    """
    costs, times, out = {peer: [] for peer in peers}, {peer: [] for peer in peers}, {}
    for turn in range(count + 1):
        for peer, (port, process) in peers.items():
            if peer in out:
                continue
            before = cpu_seconds(process.pid)
            try:
                done, took = once(port)
            except (Failed, subprocess.SubprocessError) as failure:
                out[peer] = failure
                continue
            if turn:  # the first is for warming up
                costs[peer].append((cpu_seconds(process.pid) - before) / done * 1e6)
                times[peer].append(took)
    told = []
    for peer in (peer for peer in peers if peer not in out):
        also = f", p99 {figure(times, peer, base)}" if times[peer][0] else ""
        told.append(f"{peer} {figure(costs, peer, base)}{also}")
    print(f"{name:18}", " · ".join(told), flush=True)
    for peer, failure in out.items():
        print(f"{'':18} {peer} is not in it: {failure}", flush=True)


def figure(figures, peer, base):
    """The median in µs; in brackets the ratios to `base`."""
    told = f"{statistics.median(figures[peer]):.1f} µs"
    ratios = [one / other for one, other in zip(figures[peer], figures[base])]
    if peer == base or len(ratios) < 2:
        return told
    low, middle, high = statistics.quantiles(ratios, n=4)
    return f"{told} [{middle:.2f}, {low:.2f}–{high:.2f}]"
