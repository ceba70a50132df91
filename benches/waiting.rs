//! What it costs to wait for an app's start: `cargo bench --bench waiting`, or, in a minute less,
//! `cargo test --bench waiting`. Prints figures; nothing here passes or fails.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "a program that measures may panic, and says what it measured"
)]

use std::{
    env, fs,
    io::{BufRead, BufReader, Read, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    num::NonZeroUsize,
    path::Path,
    process::{self, Child, Command, Stdio},
    thread,
    time::{Duration, SystemTime},
};

use ancm::{Host, config::Config, front::Front};

/// The file to which the app, which is this very program, writes when it listened; it waits for `<file>.go` to go.
const APP: &str = "ANCM_BENCH_APP";
const STARTS: usize = 30;
/// As many as may wait, but for the one that waits first.
const WAITING: usize = 999;
const REQUEST: &[u8] = b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n";

fn main() {
    if let Ok(file) = env::var(APP) {
        return app(Path::new(&file));
    }
    first_bytes();
    memory();
}

/// An HTTP server without anything that takes time.
fn app(file: &Path) {
    let port: u16 = env::var("ASPNETCORE_PORT").unwrap().parse().unwrap();
    while file.with_extension("go").exists() {
        thread::yield_now();
    }
    let listener = TcpListener::bind(("127.0.0.1", port)).unwrap();
    fs::write(file, now().as_nanos().to_string()).unwrap();
    for stream in listener.incoming() {
        thread::spawn(|| answer(stream.unwrap()));
    }
}

fn answer(mut stream: TcpStream) {
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    let mut head = String::new();
    while reader.read_line(&mut head).unwrap_or(0) > 0 {
        if head.contains("/iisintegration") {
            process::exit(0);
        }
        if head.ends_with("\r\n\r\n") {
            head.clear();
            let answer = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
            if stream.write_all(answer).is_err() {
                return;
            }
        }
    }
}

/// By the clock that all processes share.
fn now() -> Duration {
    SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)
        .unwrap()
}

fn ask(stream: &mut TcpStream) -> Duration {
    stream.write_all(REQUEST).unwrap();
    stream.read_exact(&mut [0]).unwrap();
    let first_byte = now();
    let mut rest = [0; 4096];
    let _ = stream.read(&mut rest).unwrap();
    first_byte
}

/// From the moment the app listens to the first byte of the answer to a request that waited, and what of it a request
/// that finds the app ready has too.
fn first_bytes() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let (mut waited, mut later) = (Vec::new(), Vec::new());
    for _ in 0..STARTS {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("listening");
        let _entered = runtime.enter();
        let config = Config::builder(folder.path())
            .program(env::current_exe().unwrap())
            .environment(APP, file.to_str().unwrap());
        let host = Host::new(config.build().unwrap()).unwrap();
        let threads = NonZeroUsize::new(2).unwrap();
        let bound = Front::new().threads(threads);
        let bound = bound.bind(&["127.0.0.1:0".parse().unwrap()]).unwrap();
        let address = *bound.local_addresses().first().unwrap();
        let made = host.clone();
        let make = move |connection| made.for_connection(connection);
        let served = runtime.spawn(bound.serve(make, std::future::pending()));
        let mut stream = TcpStream::connect(address).unwrap();
        stream.set_nodelay(true).unwrap();
        let first_byte = ask(&mut stream);
        let listening: u64 = fs::read_to_string(&file).unwrap().parse().unwrap();
        waited.push(first_byte - Duration::from_nanos(listening));
        for _ in 0..20 {
            let begin = now();
            later.push(ask(&mut stream) - begin);
        }
        runtime.block_on(host.shutdown());
        served.abort();
    }
    let (waited, later) = (spread(waited), spread(later));
    println!("listening to first answered byte, {STARTS} starts: {waited:?}");
    println!("an exchange with the ready app:                  {later:?}");
    println!(
        "so the first request that waited had, in the median, {:?} more",
        waited.1.saturating_sub(later.1)
    );
}

/// Least, median, most.
fn spread(mut times: Vec<Duration>) -> (Duration, Duration, Duration) {
    times.sort();
    let at = |index: usize| times.get(index).copied().unwrap_or_default();
    (at(0), at(times.len() / 2), at(times.len() - 1))
}

/// How much the program grows while requests wait in it, each on a connection of its own.
fn memory() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("listening");
    fs::write(file.with_extension("go"), "").unwrap();
    let mut module = Command::new(env!("CARGO_BIN_EXE_ancm"))
        .args([
            "run",
            "--listen",
            "127.0.0.1:0",
            "--log-format",
            "json",
            "--",
        ])
        .arg(env::current_exe().unwrap())
        .env(APP, &file)
        .env("RUST_LOG", "info")
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let address = listening(&mut module);
    let connect = || TcpStream::connect(address).unwrap();
    // What comes with the first request alone is not counted.
    let mut clients = vec![connect()];
    clients.first_mut().unwrap().write_all(REQUEST).unwrap();
    settled(module.id());
    let before = resident(module.id());
    clients.extend((0..WAITING).map(|_| connect()));
    let connected = settled(module.id());
    for client in clients.iter_mut().skip(1) {
        client.write_all(REQUEST).unwrap();
    }
    let waiting = settled(module.id());
    let (idle, all) = (connected - before, waiting - before);
    println!(
        "{WAITING} connections without a request: {idle} KiB; each with a request that waits: {all} KiB"
    );
    fs::remove_file(file.with_extension("go")).unwrap();
    // Not one of them is lost.
    let answered = clients.iter_mut().filter_map(|client| {
        let mut status = [0; 12];
        client.read_exact(&mut status).ok()?;
        status.ends_with(b"200").then_some(())
    });
    println!(
        "of {} requests, {} were answered with 200",
        WAITING + 1,
        answered.count()
    );
    module.kill().unwrap();
    module.wait().unwrap();
}

fn listening(module: &mut Child) -> SocketAddr {
    let mut log = BufReader::new(module.stderr.take().unwrap());
    let mut line = String::new();
    let address = loop {
        line.clear();
        assert_ne!(log.read_line(&mut line).unwrap(), 0, "it ended");
        let event: serde_json::Value = serde_json::from_str(&line).unwrap();
        let fields = &event["fields"];
        if fields["message"] == "Listening" {
            break fields["address"].as_str().unwrap().parse().unwrap();
        }
    };
    thread::spawn(move || std::io::copy(&mut log, &mut std::io::sink()));
    address
}

/// What a process holds once it stops growing.
fn settled(pid: u32) -> u64 {
    let mut last = resident(pid);
    loop {
        rest();
        let now = resident(pid);
        if now == last {
            return now;
        }
        last = now;
    }
}

#[allow(clippy::disallowed_methods, reason = "it watches what nobody tells")]
fn rest() {
    thread::sleep(Duration::from_millis(300));
}

/// Anonymous resident memory, in KiB; 0 where the system is not Linux.
fn resident(pid: u32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let line = status.lines().find(|line| line.starts_with("RssAnon:"));
    let size = line.and_then(|line| line.split_whitespace().nth(1));
    size.map_or(0, |size| size.parse().unwrap())
}
