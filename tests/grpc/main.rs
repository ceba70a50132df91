//! gRPC through `ancm`: a client of gRPC's own library, and behind it a server of the same library, and Kestrel.
#![cfg(unix)]
#![allow(clippy::unwrap_used, reason = "a test that can't go on panics")]

#[path = "../support/mod.rs"]
mod support;

use std::{
    io::{BufRead as _, BufReader},
    net::SocketAddr,
    path::Path,
    process::{Child, Command, Stdio},
    sync::OnceLock,
};

use support::{apps::App, log::event, module::Start};

/// What the client looks at, in this order.
const SEEN: [&str; 9] = [
    "unary",
    "large",
    "server_stream",
    "client_stream",
    "bidirectional",
    "status",
    "cancellation",
    "deadline",
    "concurrent",
];

fn here(name: &str) -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/grpc")
        .join(name)
}

/// A Python with gRPC's library.
///
/// # Panics
///
/// Where there is none: why stands above, on stderr.
fn python(script: &str) -> Command {
    static PYTHON: OnceLock<String> = OnceLock::new();
    let python = PYTHON.get_or_init(|| {
        let output = Command::new("bash")
            .arg(here("install.sh"))
            .stdin(Stdio::null())
            .stderr(Stdio::inherit())
            .output()
            .unwrap();
        assert!(
            output.status.success(),
            "gRPC's library could not be had; run `tests/grpc/install.sh` to see why"
        );
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    });
    let mut command = Command::new(python);
    command
        .arg("-W")
        .arg("error::SyntaxWarning")
        .arg(here(script));
    command
}

/// A server of gRPC's own library; it ends with its standard input.
struct Server {
    child: Child,
    port: u16,
}

impl Server {
    fn start() -> Self {
        let mut child = python("server.py")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut port = String::new();
        let output = child.stdout.take().unwrap();
        BufReader::new(output).read_line(&mut port).unwrap();
        let port = port.trim().parse().expect("it says its port");
        Self { child, port }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Has the client call the service at `address`, and see all that it looks at.
fn call(address: SocketAddr, more: &[&str]) {
    let output = python("client.py")
        .arg(address.to_string())
        .args(more)
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let seen = String::from_utf8_lossy(&output.stdout);
    assert!(
        output.status.success(),
        "after {seen:?}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    let seen: Vec<_> = seen.lines().collect();
    assert_eq!(seen.get(..SEEN.len()), Some(&SEEN[..]));
    assert_eq!(seen.len(), SEEN.len() + usize::from(!more.is_empty()));
}

const LISTEN: [&str; 4] = ["--listen", "127.0.0.1:0", "--protocol", "h2c"];

#[test]
fn a_grpc_server_is_called_in_all_four_ways() {
    let server = Server::start();
    let address = format!("127.0.0.1:{}", server.port);
    let module = Start::to([address]).listen(LISTEN).run();
    call(module.address(), &[]);
}

#[test]
fn kestrel_that_expects_http_1_is_told_of() {
    let module = Start::new(App::Stock, "/").listen(LISTEN).run();
    let answer = Command::new("curl")
        .args(["-s", "-o", "/dev/null", "-w", "%{http_code}"])
        .arg(format!("http://{}/", module.address()))
        .output()
        .expect("curl is installed");
    assert_eq!(String::from_utf8_lossy(&answer.stdout), "502");
    let limit = std::time::Duration::from_secs(20);
    let log = module.log();
    let failed = log.wait_for("the failure", limit, |line| event(line, "Request failed"));
    let failed = failed.to_string();
    assert!(failed.contains("it speaks HTTP/1.1"), "{failed}");
    assert!(
        failed.contains("have it listen for that (Kestrel"),
        "{failed}"
    );
}

#[test]
fn kestrel_is_called_in_all_four_ways() {
    for app in [App::Stock, App::Modern] {
        let module = Start::new(app, "/")
            .listen(LISTEN)
            .variable("Kestrel__EndpointDefaults__Protocols", "Http2")
            .run();
        call(module.address(), &["break"]);
    }
}

/// An error page would be an answer that is not gRPC's: no code but by guess, and nothing for people.
#[test]
fn an_error_of_ours_has_a_code_a_message_and_is_tried_again() {
    // Bound, so that nobody else has the port, and not listening.
    let nobody = tokio::net::TcpSocket::new_v4().unwrap();
    nobody.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let module = Start::to([nobody.local_addr().unwrap()])
        .listen(LISTEN)
        .run();
    let output = python("errors.py")
        .arg(module.address().to_string())
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    let why = String::from_utf8_lossy(&output.stderr);
    let lines: Vec<_> = said.lines().collect();
    let [once, details, retried] = lines[..] else {
        panic!("{said}\n{why}");
    };
    assert_eq!((once, retried), ("UNAVAILABLE", "UNAVAILABLE"));
    assert!(
        details.starts_with("HTTP Error 502 - Bad Gateway. "),
        "{details}"
    );
    let (_, id) = details.split_once("Correlation id: ").unwrap();
    let log = module.log().text();
    let failed: Vec<_> = log
        .lines()
        .filter_map(|line| event(line, "Request failed"))
        .collect();
    assert_eq!(failed.len(), 1 + 3, "one attempt, and then three: {log}");
    assert!(
        failed.iter().any(|line| line.to_string().contains(id)),
        "{log}"
    );
}
