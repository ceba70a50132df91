//! The program: what its options do, and what it says of those that are wrong.

use std::{
    fs,
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::{SocketAddr, TcpListener, TcpStream},
    path::Path,
    process::{Child, Command, Stdio},
    sync::{
        Arc,
        mpsc::{self, Receiver},
    },
};

use rustls::{ClientConfig, ClientConnection, StreamOwned, pki_types::ServerName};

use crate::support::{Ca, TOO_LONG};

/// The program in front of an app that answers with what it was sent.
pub(super) struct Program {
    child: Child,
    /// Where it listens, in the order of the command line.
    pub(super) addresses: Vec<String>,
    /// What it logs from then on.
    log: Receiver<String>,
}

impl Program {
    /// The fields of the next line in the log that says `message`.
    pub(super) fn logged(&self, message: &str) -> serde_json::Value {
        let mut seen = String::new();
        while let Ok(line) = self.log.recv_timeout(TOO_LONG) {
            let parsed: serde_json::Value = serde_json::from_str(&line).unwrap_or_default();
            if parsed["fields"]["message"] == message {
                return parsed["fields"].clone();
            }
            seen.push_str(&line);
        }
        panic!("`{message}` was not logged:\n{seen}");
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

pub(super) fn ancm() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_ancm"));
    command.stdin(Stdio::null()).stderr(Stdio::piped());
    command
}

/// `command` becomes the program, which listens in so many places.
pub(super) fn started(mut command: Command, places: usize) -> Program {
    let mut child = command.spawn().unwrap();
    let mut log = BufReader::new(child.stderr.take().unwrap());
    let mut addresses = Vec::new();
    let mut seen = String::new();
    while addresses.len() < places {
        let mut line = String::new();
        assert!(log.read_line(&mut line).unwrap() > 0, "it ended:\n{seen}");
        let parsed: serde_json::Value = serde_json::from_str(&line).unwrap_or_default();
        if parsed["fields"]["message"] == "Listening" {
            addresses.push(parsed["fields"]["address"].as_str().unwrap().to_owned());
        }
        seen.push_str(&line);
    }
    // So that it never waits for somebody to read its log.
    let (lines, rest) = mpsc::channel();
    std::thread::spawn(move || {
        for line in log.lines().map_while(Result::ok) {
            let _ = lines.send(line);
        }
    });
    Program {
        child,
        addresses,
        log: rest,
    }
}

fn run(options: &[&str], places: usize) -> Program {
    let app = app();
    let mut command = ancm();
    command.args(["--log-format", "json", "run", "--to", &app.to_string()]);
    command.args(options);
    started(command, places)
}

/// An app that answers each request with its head.
fn app() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            std::thread::spawn(move || {
                let mut reader = BufReader::new(stream);
                let mut head = String::new();
                while !head.ends_with("\r\n\r\n") && reader.read_line(&mut head).unwrap_or(0) > 0 {}
                let answer = format!(
                    "HTTP/1.1 200 OK\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{head}",
                    head.len()
                );
                let _ = reader.into_inner().write_all(answer.as_bytes());
            });
        }
    });
    address
}

pub(super) fn ask(mut stream: impl std::io::Read + std::io::Write, target: &str) -> String {
    write!(
        stream,
        "GET {target} HTTP/1.1\r\nhost: a.test:80\r\nconnection: close\r\n\r\n"
    )
    .unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

pub(super) fn tcp(address: &str) -> TcpStream {
    let stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(TOO_LONG)).unwrap();
    stream
}

pub(super) fn tls(address: &str, config: ClientConfig) -> StreamOwned<ClientConnection, TcpStream> {
    let name = ServerName::try_from("a.test").unwrap();
    let connection = ClientConnection::new(Arc::new(config), name).unwrap();
    StreamOwned::new(connection, tcp(address))
}

pub(super) fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

#[test]
fn clients_of_cleartext_are_sent_to_tls_and_told_to_stay() {
    let ca = Ca::new();
    let site = ca.site("site", &["a.test"]);
    let program = run(
        &[
            "--listen",
            "http://127.0.0.1:0",
            "--listen",
            "https://127.0.0.1:0",
            "--tls-cert",
            text(&site.chain),
            "--tls-key",
            text(&site.key),
            "--https-redirect",
            "--hsts=60",
        ],
        2,
    );
    let [plain, secure] = &program.addresses[..] else {
        panic!()
    };
    let answer = ask(tcp(plain), "/a%2Fb?c");
    assert!(answer.starts_with("HTTP/1.1 308"), "{answer}");
    let port = secure.rsplit_once(':').unwrap().1;
    let location = format!("location: https://a.test:{port}/a%2Fb?c\r\n");
    assert!(answer.contains(&location), "{answer}");
    assert!(!answer.contains("strict-transport-security"), "{answer}");

    let answer = ask(tls(secure, ca.trusting()), "/");
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    assert!(
        answer.contains("strict-transport-security: max-age=60\r\n"),
        "{answer}"
    );
    assert!(
        answer
            .to_ascii_lowercase()
            .contains("x-forwarded-proto: https\r\n"),
        "{answer}"
    );
}

#[test]
fn each_listener_asks_for_certificates_as_it_is_told() {
    let ca = Ca::new();
    let site = ca.site("site", &["a.test"]);
    let client = ca.client("client");
    let program = run(
        &[
            "--listen",
            "https://127.0.0.1:0,client-cert=off",
            "--listen",
            "https://127.0.0.1:0",
            "--tls-cert",
            text(&site.chain),
            "--tls-key",
            text(&site.key),
            "--client-cert",
            "required",
            "--client-ca",
            text(&ca.pem()),
        ],
        2,
    );
    let [open, closed] = &program.addresses[..] else {
        panic!()
    };
    let sent = |answer: &str| {
        answer
            .to_ascii_lowercase()
            .contains("ms-aspnetcore-clientcert:")
    };
    assert!(!sent(&ask(tls(open, ca.showing(&client)), "/")));
    assert!(sent(&ask(tls(closed, ca.showing(&client)), "/")));
    let mut refused = tls(closed, ca.trusting());
    let mut answer = Vec::new();
    let asked = refused.write_all(b"GET / HTTP/1.0\r\n\r\n");
    assert!(
        asked.is_err() || refused.read_to_end(&mut answer).is_err(),
        "{answer:?}"
    );
}

#[test]
fn what_is_wrong_with_tls_is_said_and_is_a_usage_error() {
    let ca = Ca::new();
    let site = ca.site("site", &["a.test"]);
    let (chain, key, other) = (
        text(&site.chain),
        text(&site.key),
        ca.site("other", &["b.test"]),
    );
    let bad = ca.path("bad.pem");
    fs::write(&bad, "\n\n-----BEGIN CERTIFICATE-----\n").unwrap();
    for (options, want) in [
        (
            &["--listen", "https://:0"][..],
            "https:// needs a certificate",
        ),
        (
            &["--tls-cert", chain],
            "is of no use without a place to listen",
        ),
        (
            &["--https-redirect"],
            "needs a place to listen that begins with https://",
        ),
        (
            &[
                "--listen",
                "https://:0",
                "--tls-cert",
                chain,
                "--tls-cert",
                chain,
                "--tls-key",
                key,
            ],
            "expected a --tls-key for each --tls-cert, got 1 for 2",
        ),
        (
            &[
                "--listen",
                "https://:0",
                "--tls-cert",
                chain,
                "--tls-key",
                key,
                "--client-ca",
                chain,
            ],
            "is of no use without --client-cert",
        ),
        (
            &[
                "--listen",
                "https://:0",
                "--tls-cert",
                chain,
                "--tls-key",
                text(&other.key),
            ],
            "other.key:1: the private key is another certificate's",
        ),
        (
            &[
                "--listen",
                "https://:0",
                "--tls-cert",
                text(&bad),
                "--tls-key",
                key,
            ],
            "bad.pem:3: a section begins here and does not end",
        ),
    ] {
        for what in ["run", "check"] {
            let output = ancm()
                .args([what, "--to", "127.0.0.1:9"])
                .args(options)
                .output()
                .unwrap();
            let stderr = String::from_utf8_lossy(&output.stderr);
            assert_eq!(
                output.status.code(),
                Some(2),
                "{what} {options:?}: {stderr}"
            );
            assert!(stderr.contains(want), "{what} {options:?}: {stderr}");
        }
    }
}

#[cfg(unix)]
mod unix {
    use std::os::unix::{fs::PermissionsExt as _, net::UnixStream};

    use super::*;

    #[test]
    fn serves_a_unix_socket() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("socket");
        let place = format!("unix:{},mode=600", path.display());
        let program = run(&["--listen", &place], 1);
        assert_eq!(program.addresses, [format!("unix:{}", path.display())]);
        assert_eq!(
            fs::metadata(&path).unwrap().permissions().mode() & 0o777,
            0o600
        );
        let answer = ask(UnixStream::connect(&path).unwrap(), "/");
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    }

    #[test]
    fn a_key_that_everybody_may_read_is_talked_of() {
        let ca = Ca::new();
        let site = ca.site("site", &["a.test"]);
        for (mode, warned) in [(0o600, false), (0o644, true)] {
            fs::set_permissions(&site.key, fs::Permissions::from_mode(mode)).unwrap();
            let options = ["--listen", "https://:0", "--tls-cert", text(&site.chain)];
            let output = ancm()
                .args(["check", "--to", ":9"])
                .args(options)
                .args(["--tls-key", text(&site.key)])
                .output()
                .unwrap();
            let log = String::from_utf8_lossy(&output.stderr);
            assert!(output.status.success(), "{log}");
            let said = log.contains("Private key can be read by every user");
            assert_eq!(said, warned, "{mode:o}: {log}");
        }
    }

    /// Opens sockets and becomes its arguments, as a service manager does.
    const MANAGER: &str = r#"
import os, socket, sys
sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(2)]
for place, taken in enumerate(sockets):
    # First out of the way, as they may be in each other's.
    sockets[place] = os.dup2(taken.fileno(), 100 + place)
for place, taken in enumerate(sockets):
    os.dup2(taken, 3 + place, inheritable=True)
    os.close(taken)
os.environ.update(LISTEN_PID=str(os.getpid()), LISTEN_FDS="2", LISTEN_FDNAMES="web:admin")
os.execv(sys.argv[1], sys.argv[1:])
"#;

    fn managed(options: &[&str]) -> Option<Command> {
        if Command::new("python3").arg("--version").output().is_err() {
            eprintln!("NOT TESTED: there is no `python3` on this machine");
            return None;
        }
        let mut command = Command::new("python3");
        command.args(["-c", MANAGER, env!("CARGO_BIN_EXE_ancm")]);
        command.args(["--log-format", "json", "run", "--to", &app().to_string()]);
        command
            .args(options)
            .stdin(Stdio::null())
            .stderr(Stdio::piped());
        Some(command)
    }

    #[test]
    fn takes_the_sockets_of_a_service_manager() {
        let ca = Ca::new();
        let site = ca.site("site", &["a.test"]);
        let options = [
            "--listen",
            "https://inherited:web",
            "--listen",
            "inherited",
            "--tls-cert",
            text(&site.chain),
            "--tls-key",
            text(&site.key),
        ];
        let Some(command) = managed(&options) else {
            return;
        };
        let program = started(command, 2);
        let answer = ask(tls(&program.addresses[0], ca.trusting()), "/");
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
        let answer = ask(tcp(&program.addresses[1]), "/");
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    }

    #[test]
    fn a_socket_that_was_not_handed_over_is_missed() {
        let Some(mut command) = managed(&["--listen", "inherited:other"]) else {
            return;
        };
        let output = command.output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(
            said.contains("no socket with the name `other` was handed over"),
            "{said}"
        );
        let output = ancm()
            .args(["run", "--to", ":9", "--listen", "inherited"])
            .output();
        let output = output.unwrap();
        assert_eq!(output.status.code(), Some(2));
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(said.contains("no socket was handed over"), "{said}");
    }
}
