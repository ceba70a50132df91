//! The child of these tests: this very test binary, told by its environment what to be.
//!
//! A server in 40 lines of `std`, so that what is tested is the host and not a framework.

use std::{
    env,
    io::{Read, Write},
    net::{TcpListener, TcpStream},
    path::Path,
    process::{self, Command},
    thread,
    time::Duration,
};

use ancm::config::{Builder, Config};

/// The variable that says which part the child plays.
const ROLE: &str = "ANCM_TEST_ROLE";

/// A configuration whose app is this binary, in the part of `role`.
pub(crate) fn config(root: &Path, role: &str) -> Builder {
    Config::builder(root)
        .program(env::current_exe().unwrap())
        .arguments([
            "child::plays_its_part",
            "--exact",
            "--ignored",
            "--nocapture",
        ])
        .environment(ROLE, role)
}

#[test]
#[ignore = "the child of the other tests"]
fn plays_its_part() {
    let role = env::var(ROLE).expect("only started by the tests of this file");
    let (part, detail) = role.split_once(':').unwrap_or((&role, ""));
    match part {
        "serve" => serve(&listen()),
        "late" => {
            rest(detail.parse().unwrap());
            serve(&listen());
        }
        "exit" => {
            eprintln!("the child gives up: \u{1b}[31mred\u{1b}[0m <b>bold</b>");
            process::exit(detail.parse().unwrap());
        }
        "never" => loop {
            rest(60_000);
        },
        "elsewhere" => serve(&TcpListener::bind("127.0.0.1:0").unwrap()),
        "launcher" => launch(detail),
        other => panic!("no such part: {other}"),
    }
}

#[allow(clippy::disallowed_methods, reason = "a child that takes its time")]
fn rest(milliseconds: u64) {
    thread::sleep(Duration::from_millis(milliseconds));
}

fn listen() -> TcpListener {
    let port: u16 = env::var("ASPNETCORE_PORT").unwrap().parse().unwrap();
    TcpListener::bind(("127.0.0.1", port)).unwrap()
}

/// Starts another child that serves, writes its pid where `file` says, and waits for it.
fn launch(file: &str) {
    let mut child = Command::new(env::current_exe().unwrap())
        .args(env::args().skip(1))
        .env(ROLE, "serve")
        .spawn()
        .unwrap();
    if !file.is_empty() {
        std::fs::write(file, child.id().to_string()).unwrap();
    }
    child.wait().unwrap();
}

fn serve(listener: &TcpListener) {
    for stream in listener.incoming() {
        thread::spawn(|| answer(stream.unwrap()));
    }
}

/// Answers one request, says `Connection: close`, and knows three paths.
fn answer(mut stream: TcpStream) {
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") {
        if stream.read(&mut byte).unwrap_or(0) == 0 {
            return;
        }
        head.extend(byte);
    }
    let head = String::from_utf8_lossy(&head).into_owned();
    let path = head.split(' ').nth(1).unwrap_or_default();
    let body = match path {
        "/exit" => process::exit(3),
        "/iisintegration" => process::exit(0),
        "/slow" => {
            rest(1_000);
            "slow".to_owned()
        }
        "/head" => head.clone(),
        _ => process::id().to_string(),
    };
    let _ = write!(
        stream,
        "HTTP/1.1 200 OK\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
        body.len()
    );
}
