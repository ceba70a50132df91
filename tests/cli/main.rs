//! The built `ancm` program: what it prints, what it serves, how it ends.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "helpers of tests fail by panicking, as tests do"
)]

mod arguments;
mod check;
#[cfg(target_os = "linux")]
mod crowds;
mod demo;
#[cfg(target_os = "linux")]
mod ending;
mod examples;
mod run;
mod users;

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    path::Path,
    process::{Child, Command, Output, Stdio},
    sync::mpsc::{self, Receiver},
    thread,
    time::Duration,
};

use serde_json::Value;

/// Far more than anything here takes; only a failure waits so long.
const PATIENCE: Duration = Duration::from_secs(30);

const ANCM: &str = env!("CARGO_BIN_EXE_ancm");

/// The program, prepared to run in `dir` with nothing of this test's environment that it reads.
fn ancm(dir: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(ANCM);
    command
        .args(arguments)
        .current_dir(dir)
        .stdin(Stdio::null())
        .env("TMPDIR", dir)
        .env("XDG_RUNTIME_DIR", dir)
        .env_remove("RUST_LOG")
        .env_remove("ASPNETCORE_PORT")
        .env_remove("ASPNETCORE_TOKEN");
    command
}

/// Runs to its end; the exit status, stdout, stderr.
fn output(dir: &Path, arguments: &[&str]) -> (i32, String, String) {
    texts(ancm(dir, arguments).output().unwrap())
}

fn texts(output: Output) -> (i32, String, String) {
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (
        output.status.code().unwrap(),
        text(output.stdout),
        text(output.stderr),
    )
}

/// A running program, killed when the test ends.
struct Running {
    child: Child,
    log: Receiver<String>,
    /// What was logged so far, for the message of a failing test.
    seen: Vec<String>,
}

impl Running {
    fn start(dir: &Path, arguments: &[&str]) -> Self {
        let arguments = [&["--log-format", "json"], arguments].concat();
        Self::of(ancm(dir, &arguments))
    }

    /// `ancm run` with `options`, on a port of its own, and where that is.
    fn run(dir: &Path, options: &[&str]) -> (Self, SocketAddr) {
        let listen = ["run", "--listen", "127.0.0.1:0"];
        let mut run = Self::start(dir, &[&listen[..], options].concat());
        let address = run.listening();
        (run, address)
    }

    /// The same in front of an app that is the test.
    fn before_an_app(dir: &Path, options: &[&str]) -> (TcpListener, Self, SocketAddr) {
        let app = TcpListener::bind("127.0.0.1:0").unwrap();
        let to = app.local_addr().unwrap().to_string();
        let (run, address) = Self::run(dir, &[&["--to", &to], options].concat());
        (app, run, address)
    }

    /// `command` is, or becomes, the program with its log in JSON.
    fn of(mut command: Command) -> Self {
        let mut child = command
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let (lines, log) = mpsc::channel();
        let stderr = BufReader::new(child.stderr.take().unwrap());
        thread::spawn(move || {
            for line in stderr.lines().map_while(Result::ok) {
                if lines.send(line).is_err() {
                    return;
                }
            }
        });
        Self {
            child,
            log,
            seen: Vec::new(),
        }
    }

    /// The fields of the next line in the log that says `message`.
    fn logged(&mut self, message: &str) -> Value {
        while let Ok(line) = self.log.recv_timeout(PATIENCE) {
            self.seen.push(line.clone());
            let parsed: Value = serde_json::from_str(&line).unwrap_or_default();
            if parsed["fields"]["message"] == message {
                return parsed["fields"].clone();
            }
        }
        panic!("`{message}` was not logged:\n{}", self.seen.join("\n"));
    }

    /// Where it listens.
    fn listening(&mut self) -> SocketAddr {
        let fields = self.logged("Listening");
        fields["address"].as_str().unwrap().parse().unwrap()
    }

    #[cfg(target_os = "linux")]
    fn signal(&self, signal: rustix::process::Signal) {
        let pid = rustix::process::Pid::from_child(&self.child);
        rustix::process::kill_process(pid, signal).unwrap();
    }

    #[cfg(target_os = "linux")]
    fn is_running(&mut self) -> bool {
        self.child.try_wait().unwrap().is_none()
    }

    /// Waits for its end.
    #[cfg(target_os = "linux")]
    fn ended(&mut self) -> std::process::ExitStatus {
        loop {
            match self.log.recv_timeout(PATIENCE) {
                Ok(line) => self.seen.push(line),
                Err(mpsc::RecvTimeoutError::Disconnected) => return self.child.wait().unwrap(),
                Err(mpsc::RecvTimeoutError::Timeout) => {
                    panic!("it did not end:\n{}", self.seen.join("\n"))
                }
            }
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Sends one request and reads all of the answer: its status, and its head and body as text.
fn ask(address: SocketAddr, line: &str, accept: &str) -> (u16, String) {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    write!(
        stream,
        "{line} HTTP/1.1\r\nHost: demo.test\r\nAccept: {accept}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
    )
    .unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let status = answer
        .split(' ')
        .nth(1)
        .unwrap_or_else(|| panic!("{answer:?}"));
    (status.parse().unwrap(), answer)
}

/// Reads to the end of a request's head.
fn head(stream: &mut TcpStream) -> String {
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let mut lines = BufReader::new(stream).lines().map(Result::unwrap);
    let lines: Vec<_> = lines.by_ref().take_while(|line| !line.is_empty()).collect();
    lines.join("\r\n")
}

/// What the demo's page says of `name`.
#[cfg(target_os = "linux")]
fn fact(address: SocketAddr, name: &str) -> String {
    let (status, page) = ask(address, "GET /", "*/*");
    assert_eq!(status, 200, "{page}");
    value(&page, name).to_owned()
}

/// The value of `name` in what the demo's app says as text.
fn value<'a>(page: &'a str, name: &str) -> &'a str {
    let mut lines = page.lines().map(str::trim);
    let value = lines.find_map(|line| line.strip_prefix(name));
    value.unwrap_or_else(|| panic!("{name} in {page}")).trim()
}

#[cfg(target_os = "linux")]
fn pid(address: SocketAddr) -> u32 {
    fact(address, "process id").parse().unwrap()
}
