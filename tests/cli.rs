//! The built `ancm` program: what it prints, what it serves, how it ends.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "helpers of tests fail by panicking, as tests do"
)]

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

// ---- The command line

#[test]
fn a_wrong_command_line_ends_with_2_and_says_why() {
    let dir = tempfile::tempdir().unwrap();
    for (arguments, why) in [
        (&[][..], "Usage: ancm"),
        (&["fly"], "unrecognized subcommand 'fly'"),
        (&["run", "--listen", "8080"], "expected IP:PORT"),
        (
            &["run", "--path-base", "shop"],
            "expected `/` or whole segments",
        ),
        (&["run", "--threads", "0"], "--threads"),
        (&["run", "--to", ":80", "."], "cannot be used with"),
        (&["run", "--to", ":80", "--", "node"], "cannot be used with"),
        (&["run", "no-such-folder"], "the folder `no-such-folder`"),
        (&["check", "no-such-folder"], "the folder `no-such-folder`"),
        (
            &["run", "--", "no-such-program"],
            "`no-such-program` was not found",
        ),
        (
            &["run", "--log-format", "xml"],
            "[possible values: text, json]",
        ),
    ] {
        let (status, stdout, stderr) = output(dir.path(), arguments);
        assert_eq!((status, &*stdout), (2, ""), "{arguments:?}: {stderr}");
        assert!(stderr.contains(why), "{arguments:?}: {stderr}");
    }
}

#[test]
fn a_wrong_filter_of_the_log_is_a_usage_error_too() {
    let dir = tempfile::tempdir().unwrap();
    let mut command = ancm(dir.path(), &["run"]);
    let (status, _, stderr) = texts(command.env("RUST_LOG", "ancm=loudly").output().unwrap());
    assert_eq!(status, 2);
    assert!(stderr.starts_with("error: RUST_LOG: expected"), "{stderr}");
}

#[test]
fn help_and_version_end_with_0() {
    let dir = tempfile::tempdir().unwrap();
    for (argument, want) in [("--help", "Exit status:"), ("--version", "ancm ")] {
        let (status, stdout, _) = output(dir.path(), &[argument]);
        assert_eq!(status, 0);
        assert!(stdout.contains(want), "{stdout}");
        assert!(!stdout.contains("demo-app"), "{stdout}");
    }
}

#[test]
fn a_port_in_use_ends_with_1_and_names_it() {
    let dir = tempfile::tempdir().unwrap();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let arguments = ["run", "--to", ":9", "--listen", &address];
    let (status, _, stderr) = output(dir.path(), &arguments);
    assert_eq!(status, 1, "{stderr}");
    assert!(
        stderr.contains(&format!("can't listen on {address}")),
        "{stderr}"
    );
    assert!(stderr.contains("another program listens there"), "{stderr}");
}

// ---- check

/// What `dotnet publish` writes.
const PUBLISHED: &str = r#"<?xml version="1.0" encoding="utf-8"?>
<configuration>
  <location path="." inheritInChildApplications="false">
    <system.webServer>
      <handlers>
        <add name="aspNetCore" path="*" verb="*" modules="AspNetCoreModuleV2" resourceType="Unspecified" />
      </handlers>
      <aspNetCore processPath="dotnet" arguments=".\App.dll" stdoutLogEnabled="false" stdoutLogFile=".\logs\stdout" hostingModel="inprocess">
        <environmentVariables>
          <environmentVariable name="Colour" value="blue" />
          <environmentVariable name="ConnectionStrings__Shop" value="hunter2" />
        </environmentVariables>
      </aspNetCore>
    </system.webServer>
  </location>
</configuration>
"#;

#[cfg(unix)]
#[test]
fn check_says_what_was_understood_of_a_published_app() {
    use std::{fs, os::unix::fs::PermissionsExt};

    let dir = tempfile::tempdir().unwrap();
    let (app, bin) = (dir.path().join("app"), dir.path().join("bin"));
    fs::create_dir(&app).unwrap();
    fs::create_dir(&bin).unwrap();
    fs::write(app.join("web.config"), PUBLISHED).unwrap();
    fs::write(app.join("App.dll"), "").unwrap();
    fs::write(bin.join("dotnet"), "#!/bin/sh\n").unwrap();
    fs::set_permissions(bin.join("dotnet"), fs::Permissions::from_mode(0o755)).unwrap();

    let mut check = ancm(&app, &["check", "--path-base", "/shop", "--threads", "2"]);
    check.args(["--max-connections", "7", "--trusted-proxy", "::1"]);
    let (status, stdout, stderr) = texts(
        check
            .env("PATH", &bin)
            .env_remove("ANCM_HOSTING_ASSEMBLY")
            .output()
            .unwrap(),
    );
    assert_eq!((status, &*stderr), (0, ""));
    let stdout = stdout.replace(dir.path().to_str().unwrap(), "<dir>");
    let rows: Vec<(&str, &str)> = stdout
        .lines()
        .map(|row| row.split_at(26))
        .map(|(name, value)| (name.trim(), value))
        .collect();
    for want in [
        ("configuration", "<dir>/app/web.config"),
        ("command", "<dir>/bin/dotnet ./App.dll"),
        ("working directory", "<dir>/app"),
        ("path base", "/shop"),
        ("startupTimeLimit", "120 s"),
        ("stdout log", "off"),
        ("environment", "Colour=blue"),
        ("", "ConnectionStrings__Shop=***"),
        ("listens on", "127.0.0.1:8080"),
        ("threads", "2"),
        ("front maxConnections", "7"),
        ("trustedProxies", "::1/128"),
        ("forwarded headers", "For append, Proto append"),
    ] {
        assert!(rows.contains(&want), "{want:?} in\n{stdout}");
    }
    // Nothing beside the test's program can host it.
    let hosted = |(name, value): &(&str, &str)| {
        *name == "hosted" && value.contains("out of process, though")
    };
    assert!(rows.iter().any(hosted), "{stdout}");
    assert!(!stdout.contains("hunter2"), "{stdout}");
}

#[test]
fn check_of_a_broken_web_config_ends_with_2_and_says_where() {
    let dir = tempfile::tempdir().unwrap();
    let broken = PUBLISHED.replace("inprocess\"", "sideways\" startupTimeLimit=\"soon\"");
    std::fs::write(dir.path().join("web.config"), broken).unwrap();
    let (status, stdout, stderr) = output(dir.path(), &["check"]);
    assert_eq!((status, &*stdout), (2, ""), "{stderr}");
    for want in [
        "web.config:8:",
        "hostingModel",
        "sideways",
        "startupTimeLimit",
        "soon",
    ] {
        assert!(stderr.contains(want), "{want} in\n{stderr}");
    }
    // The same of `run`, which then listens nowhere.
    let (status, _, of_run) = output(dir.path(), &["run", "--listen", ":0"]);
    assert_eq!((status, of_run), (2, stderr));
}

#[test]
fn an_empty_folder_is_a_configuration_error() {
    let dir = tempfile::tempdir().unwrap();
    let (status, _, stderr) = output(dir.path(), &["run", "--listen", ":0"]);
    assert_eq!(status, 2, "{stderr}");
    assert!(stderr.contains("no web.config"), "{stderr}");
}

#[test]
fn check_of_a_command_or_an_address_needs_no_file() {
    let dir = tempfile::tempdir().unwrap();
    for (arguments, want) in [
        (&["check", "--", ANCM, "demo-app"][..], "demo-app"),
        (&["check", "--to", ":5000"], "127.0.0.1:5000"),
    ] {
        let (status, stdout, stderr) = output(dir.path(), arguments);
        assert_eq!(status, 0, "{stderr}");
        assert!(stdout.contains(want), "{stdout}");
    }
}

// ---- run

#[test]
fn run_serves_a_command_under_its_path_base() {
    let dir = tempfile::tempdir().unwrap();
    let command = ["--path-base", "/shop", "--", ANCM, "demo-app"];
    let (_run, address) = Running::run(dir.path(), &command);
    let (status, page) = ask(address, "GET /shop/a%2fb?c=d", "text/html");
    assert_eq!(status, 200, "{page}");
    assert!(page.contains("<td>/shop</td>"), "{page}");
    assert!(page.contains("<td>/shop/a%2fb?c=d</td>"), "{page}");
    assert!(page.contains("<td>demo.test</td>"), "{page}");
    assert!(
        !page.to_lowercase().contains("ms-aspnetcore-token"),
        "{page}"
    );
}

/// What is said of the front in the file, and before it on the command line.
#[test]
fn the_limits_of_the_front_are_those_of_the_file_or_the_command_line() {
    let dir = tempfile::tempdir().unwrap();
    let toml = format!(
        "processPath = '{}'\narguments = ['demo-app']\n[front]\nmaxHeaders = 3\n",
        env!("CARGO_BIN_EXE_ancm")
    );
    std::fs::write(dir.path().join("ancm.toml"), toml).unwrap();
    // Four lines.
    let (_server, address) = Running::run(dir.path(), &["--no-control"]);
    assert_eq!(ask(address, "GET /", "*/*").0, 431);
    let typed = ["--no-control", "--max-headers", "4"];
    let (_server, address) = Running::run(dir.path(), &typed);
    assert_eq!(ask(address, "GET /", "*/*").0, 200);
}

/// An app that answers every request with `name`, until this program ends; where it listens.
fn answering(name: &'static str) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            thread::spawn(move || {
                let mut stream = stream;
                head(&mut stream);
                let length = name.len();
                let head =
                    format!("HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: {length}");
                let _ = write!(stream, "{head}\r\n\r\n{name}");
            });
        }
    });
    address
}

/// An address that nobody else can take, and at which nobody listens.
fn refusing() -> (tokio::net::TcpSocket, String) {
    let socket = tokio::net::TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let address = socket.local_addr().unwrap().to_string();
    (socket, address)
}

#[cfg(unix)]
#[test]
fn run_forwards_to_several_addresses_and_status_tells_of_each() {
    let dir = tempfile::tempdir().unwrap();
    let (one, two) = (answering("one"), answering("two"));
    let (_held, gone) = refusing();
    let to = ["--to", &*one, "--to", &two, "--to", &gone];
    let options = [&to[..], &["--control", "socket"]].concat();
    let (mut run, address) = Running::run(dir.path(), &options);
    let mut seen = std::collections::BTreeSet::new();
    for _ in 0..40 {
        let (status, text) = ask(address, "GET /", "*/*");
        assert_eq!(status, 200, "{text}");
        seen.insert(text.lines().last().unwrap().to_owned());
    }
    assert_eq!(seen, ["one".to_owned(), "two".to_owned()].into());
    let down = run.logged("Address is down");
    assert_eq!(down["backend.addr"], *gone);
    let (status, text, stderr) = output(dir.path(), &["status", "--control", "socket"]);
    assert_eq!(status, 0, "{stderr}");
    assert!(text.starts_with("state         ready\n"), "{text}");
    let row = |address: &str| {
        let mut rows = text.lines().filter(|row| row.starts_with(address));
        rows.next().unwrap_or_else(|| panic!("{address}: {text}"))
    };
    assert!(row(&one).contains("  up  "), "{text}");
    assert!(row(&two).contains("  up  "), "{text}");
    assert!(row(&gone).contains("  down  "), "{text}");
    assert!(row(&gone).contains("efused"), "{text}");
    let json = ["status", "--control", "socket", "--json"];
    let report: Value = serde_json::from_str(&output(dir.path(), &json).1).unwrap();
    let backends = report["backends"].as_array().unwrap();
    let total = backends.iter().map(|one| one["requests"].as_u64().unwrap());
    assert!(total.sum::<u64>() >= 40, "{report}");
    assert!(backends.iter().all(|one| one["in_flight"] == 0), "{report}");
    for command in ["restart", "stop", "offline", "online"] {
        let (status, _, stderr) = output(dir.path(), &[command, "--control", "socket"]);
        assert_eq!(status, 1, "{stderr}");
        assert!(stderr.contains("somebody else runs this app"), "{stderr}");
    }
}

#[test]
fn where_no_address_is_up_run_says_so_and_goes_on() {
    let dir = tempfile::tempdir().unwrap();
    let (_held, gone) = refusing();
    let options = ["--to", &gone, "--health-path", "/"];
    let (mut run, address) = Running::run(dir.path(), &options);
    // The first one finds it out, unless a check was first.
    assert!([502, 503].contains(&ask(address, "GET /", "*/*").0));
    run.logged("Address is down");
    run.logged("No address of the app is up: requests get 503 until one is");
    let (status, text) = ask(address, "GET /", "*/*");
    assert_eq!(status, 503, "{text}");
    assert!(text.to_ascii_lowercase().contains("retry-after:"), "{text}");
    loop {
        let failed = run.logged("Request failed");
        if failed["http.status"] == 503 {
            assert_eq!(failed["error"], "no address of the app is up");
            assert!(
                failed["cause"].as_str().unwrap().contains(&gone),
                "{failed}"
            );
            return;
        }
    }
}

#[test]
fn run_reads_addresses_from_a_file() {
    let dir = tempfile::tempdir().unwrap();
    let (one, two) = (answering("one"), answering("two"));
    let name = two.replace("127.0.0.1", "localhost");
    let file = format!("[backends]\nto = [\"{one}\", \"{name}\"]\n[proxy]\nvia = \"front-1\"\n");
    std::fs::write(dir.path().join("ancm.toml"), file).unwrap();
    let (status, text, stderr) = output(dir.path(), &["check"]);
    assert_eq!(status, 0, "{stderr}");
    assert!(
        text.contains(&format!("forwards to               {one}, {two}")),
        "{text}"
    );
    assert!(!text.contains("hosted  "), "{text}");
    let (_run, address) = Running::run(dir.path(), &["--no-control"]);
    for _ in 0..10 {
        let (status, text) = ask(address, "GET /", "*/*");
        assert_eq!(status, 200, "{text}");
        assert!(
            text.to_ascii_lowercase().contains("via: 1.1 front-1"),
            "{text}"
        );
    }
}

#[test]
fn an_app_of_http_1_that_is_spoken_to_in_http_2_is_told_what_to_do() {
    let dir = tempfile::tempdir().unwrap();
    let options = ["--protocol", "h2c"];
    let (app, mut run, address) = Running::before_an_app(dir.path(), &options);
    let client = thread::spawn(move || ask(address, "GET /", "*/*"));
    let (mut stream, _) = app.accept().unwrap();
    assert!(head(&mut stream).starts_with("PRI * HTTP/2.0"));
    write!(
        stream,
        "HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n"
    )
    .unwrap();
    drop(stream);
    assert_eq!(client.join().unwrap().0, 502);
    let failed = run.logged("Request failed");
    let cause = failed["cause"].as_str().unwrap();
    assert!(
        cause.contains("it speaks HTTP/1.1 where HTTP/2 without TLS was expected"),
        "{cause}"
    );
    assert!(cause.contains("set `protocol` to \"http/1.1\""), "{cause}");
}

#[test]
fn run_forwards_to_an_address_and_starts_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let another = ["--listen", "127.0.0.1:0"];
    let (app, mut run, first) = Running::before_an_app(dir.path(), &another);
    let second = run.listening();
    assert_ne!(first, second);
    for address in [first, second] {
        let client = thread::spawn(move || ask(address, "GET /x?y", "*/*"));
        let (mut stream, _) = app.accept().unwrap();
        let head = head(&mut stream);
        write!(
            stream,
            "HTTP/1.1 299 Fine\r\nConnection: close\r\n\r\nhello"
        )
        .unwrap();
        drop(stream);
        assert!(head.starts_with("GET /x?y HTTP/1.1\r\n"), "{head}");
        assert!(!head.to_lowercase().contains("ms-aspnetcore"), "{head}");
        let (status, answer) = client.join().unwrap();
        assert_eq!(status, 299);
        assert!(answer.contains("hello"), "{answer}");
    }
}

/// Reads to the end of a request's head.
fn head(stream: &mut TcpStream) -> String {
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let mut lines = BufReader::new(stream).lines().map(Result::unwrap);
    let lines: Vec<_> = lines.by_ref().take_while(|line| !line.is_empty()).collect();
    lines.join("\r\n")
}

// ---- demo

#[cfg(target_os = "linux")]
#[test]
fn the_demo_shows_what_the_app_sees_and_replaces_a_killed_process() {
    let dir = tempfile::tempdir().unwrap();
    let mut demo = Running::start(dir.path(), &["demo", "--listen", "127.0.0.1:0"]);
    let address = demo.listening();
    let (status, page) = ask(address, "GET /", "text/html");
    assert_eq!(status, 200, "{page}");
    let first = pid(address);
    for want in [
        "It works.",
        &format!("kill {first}"),
        "127.0.0.1:",
        "<td>http</td>",
    ] {
        assert!(page.contains(want), "{want} in {page}");
    }
    assert_eq!(fact(address, "generation"), "1");

    linux::kill(first);
    demo.logged("Process ended by itself");
    demo.logged("Process is ready");
    let second = pid(address);
    assert_ne!(first, second);
    assert_eq!(fact(address, "generation"), "2");
    let (_, page) = ask(address, "GET /", "text/html");
    assert!(page.contains(&format!("Before it: {first}.")), "{page}");
}

#[test]
fn the_demo_goes_offline_with_the_file_that_its_page_names() {
    let dir = tempfile::tempdir().unwrap();
    let mut demo = Running::start(dir.path(), &["demo", "--listen", "127.0.0.1:0"]);
    let address = demo.listening();
    let (_, page) = ask(address, "GET /", "*/*");
    let file = value(&page, "echo Back soon >").trim_matches('"');
    std::fs::write(file, "Back soon").unwrap();
    demo.logged("Process stopped");
    let (status, page) = ask(address, "GET /", "*/*");
    assert_eq!(status, 503, "{page}");
    assert!(page.ends_with("Back soon"), "{page}");
    std::fs::remove_file(file).unwrap();
    demo.logged("App back online");
    assert_eq!(ask(address, "GET /", "*/*").0, 200);
}

#[test]
fn the_button_of_the_demo_ends_its_process() {
    let dir = tempfile::tempdir().unwrap();
    let arguments = ["demo", "--listen", "127.0.0.1:0", "--path-base", "/d"];
    let mut demo = Running::start(dir.path(), &arguments);
    let address = demo.listening();
    let (status, page) = ask(address, "POST /d/end", "text/html");
    assert_eq!(status, 200, "{page}");
    assert!(page.contains("ends now"), "{page}");
    assert!(page.to_lowercase().contains("refresh: 1; url=/d"), "{page}");
}

// ---- The end

#[cfg(target_os = "linux")]
mod linux {

    use rustix::{
        event::{PollFd, PollFlags, Timespec, poll},
        process::{Pid, PidfdFlags, Signal, kill_process, pidfd_open},
    };

    use super::*;

    pub(super) fn pidfd(pid: u32) -> rustix::fd::OwnedFd {
        let pid = Pid::from_raw(i32::try_from(pid).unwrap()).unwrap();
        pidfd_open(pid, PidfdFlags::empty()).unwrap()
    }

    /// Waits until the process of `pidfd` has ended.
    pub(super) fn gone(pidfd: &rustix::fd::OwnedFd) {
        let patience = Timespec::try_from(PATIENCE).unwrap();
        let mut fds = [PollFd::new(pidfd, PollFlags::IN)];
        assert_eq!(poll(&mut fds, Some(&patience)).unwrap(), 1, "it still runs");
    }

    /// Kills a process and waits until it has ended.
    pub(super) fn kill(pid: u32) {
        let fd = pidfd(pid);
        let pid = Pid::from_raw(i32::try_from(pid).unwrap()).unwrap();
        kill_process(pid, Signal::KILL).unwrap();
        gone(&fd);
    }

    /// A shell or a service manager may allow as few as 1024.
    #[test]
    fn as_many_files_may_be_open_as_connections_need() {
        let dir = tempfile::tempdir().unwrap();
        let script = r#"ulimit -Sn 64 && exec "$0" --log-format json run --listen 127.0.0.1:0 --to 127.0.0.1:9"#;
        let mut shell = Command::new("sh");
        shell.args(["-c", script, ANCM]).current_dir(dir.path());
        let mut run = Running::of(shell);
        run.listening();
        let limits = std::fs::read_to_string(format!("/proc/{}/limits", run.child.id())).unwrap();
        let line = limits
            .lines()
            .find(|line| line.starts_with("Max open files"));
        let numbers = line.unwrap().split_ascii_whitespace().skip(3);
        let numbers: Vec<u64> = numbers.filter_map(|number| number.parse().ok()).collect();
        assert_eq!(numbers[0], numbers[1].min(65_536), "{limits}");
    }

    /// A connection that is accepted needs another one to the app: whoever finds no room waits outside.
    #[test]
    fn who_finds_no_room_waits_and_is_answered() {
        const TOGETHER: usize = 50;
        let app = TcpListener::bind("127.0.0.1:0").unwrap();
        let to = app.local_addr().unwrap().to_string();
        thread::spawn(move || {
            let mut waiting = Vec::new();
            let mut come = 0;
            for stream in app.incoming() {
                let mut stream = stream.unwrap();
                head(&mut stream);
                come += 1;
                waiting.push(stream);
                if come >= TOGETHER {
                    for mut stream in waiting.drain(..) {
                        let answer =
                            b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 0\r\n\r\n";
                        // Who waits for it is the test's to see.
                        let _ = stream.write_all(answer);
                    }
                }
            }
        });
        let dir = tempfile::tempdir().unwrap();
        let script =
            r#"ulimit -n 256 && exec "$0" --log-format json run --listen 127.0.0.1:0 --to "$1""#;
        let mut shell = Command::new("sh");
        shell
            .args(["-c", script, ANCM, &to])
            .current_dir(dir.path());
        let mut run = Running::of(shell);
        let address = run.listening();
        let clients: Vec<_> = (0..200)
            .map(|_| {
                let mut client = TcpStream::connect(address).unwrap();
                client.set_read_timeout(Some(PATIENCE)).unwrap();
                let request = b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";
                client.write_all(request).unwrap();
                client
            })
            .collect();
        for mut client in clients {
            let head = head(&mut client);
            assert!(head.starts_with("HTTP/1.1 200 "), "{head}");
        }
    }

    /// A few clients of HTTP/2 ask for more at once than there may be connections to the app: they wait for one another.
    #[test]
    fn more_streams_than_connections_are_all_answered() {
        const CLIENTS: usize = 20;
        const STREAMS: usize = 100;
        let runtime = tokio::runtime::Runtime::new().unwrap();
        let (served, to) = runtime.block_on(slow_app());
        let dir = tempfile::tempdir().unwrap();
        let script =
            r#"ulimit -n 256 && exec "$0" --log-format json run --listen 127.0.0.1:0 --to "$1""#;
        let mut shell = Command::new("sh");
        shell
            .args(["-c", script, ANCM, &to.to_string()])
            .current_dir(dir.path());
        let mut run = Running::of(shell);
        let address = run.listening();
        let statuses = runtime.block_on(async {
            let clients: Vec<_> = (0..CLIENTS)
                .map(|_| tokio::spawn(ask_at_once(address, STREAMS)))
                .collect();
            let mut statuses = Vec::new();
            for client in clients {
                let client = tokio::time::timeout(PATIENCE, client).await;
                statuses.extend(client.unwrap().unwrap());
            }
            statuses
        });
        assert_eq!(statuses, [200; CLIENTS * STREAMS]);
        let most = served.load(std::sync::atomic::Ordering::Relaxed);
        assert!(most <= 64, "a quarter of 256 files: {most}");
    }

    /// An app that takes a while for each answer, and the most connections that it had at once.
    async fn slow_app() -> (
        std::sync::Arc<std::sync::atomic::AtomicUsize>,
        std::net::SocketAddr,
    ) {
        use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
        use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};

        let (open, most) = (
            std::sync::Arc::new(AtomicUsize::new(0)),
            std::sync::Arc::new(AtomicUsize::new(0)),
        );
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let seen = most.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let open = open.clone();
                seen.fetch_max(open.fetch_add(1, Relaxed) + 1, Relaxed);
                tokio::spawn(async move {
                    let mut stream = BufReader::new(stream);
                    let mut line = String::new();
                    while matches!(stream.read_line(&mut line).await, Ok(1..)) {
                        if line == "\r\n" {
                            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
                            let answer = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";
                            if stream.write_all(answer).await.is_err() {
                                break;
                            }
                        }
                        line.clear();
                    }
                    open.fetch_sub(1, Relaxed);
                });
            }
        });
        (most, address)
    }

    /// The statuses of so many requests on one connection of HTTP/2, none of which waits for another.
    async fn ask_at_once(address: std::net::SocketAddr, many: usize) -> Vec<u16> {
        let stream = tokio::net::TcpStream::connect(address).await.unwrap();
        let (mut client, connection) = h2::client::handshake(stream).await.unwrap();
        tokio::spawn(connection);
        let mut answers = Vec::new();
        for _ in 0..many {
            let request = http::Request::get("http://a/").body(()).unwrap();
            client = client.ready().await.unwrap();
            answers.push(client.send_request(request, true).unwrap().0);
        }
        let mut statuses = Vec::new();
        for answer in answers {
            statuses.push(answer.await.unwrap().status().as_u16());
        }
        statuses
    }

    /// The terminal went away.
    #[test]
    fn hangup_stops_it_in_peace() {
        let dir = tempfile::tempdir().unwrap();
        let (mut run, _) = Running::run(dir.path(), &["--to", "127.0.0.1:9"]);
        run.signal(Signal::HUP);
        assert_eq!(run.ended().code(), Some(0), "{:?}", run.seen);
    }

    #[test]
    fn with_nohup_it_outlives_a_hangup() {
        let dir = tempfile::tempdir().unwrap();
        let script =
            r#"trap '' HUP; exec "$0" --log-format json run --listen 127.0.0.1:0 --to 127.0.0.1:9"#;
        let mut shell = Command::new("sh");
        shell.args(["-c", script, ANCM]).current_dir(dir.path());
        let mut run = Running::of(shell);
        run.listening();
        run.signal(Signal::HUP);
        run.signal(Signal::TERM);
        assert_eq!(
            run.logged("Stopping; a second signal stops at once")["signal"],
            "SIGTERM"
        );
        assert_eq!(run.ended().code(), Some(0), "{:?}", run.seen);
    }

    #[test]
    fn a_signal_stops_the_app_and_ends_with_0() {
        for signal in [Signal::TERM, Signal::INT] {
            let dir = tempfile::tempdir().unwrap();
            let mut demo = Running::start(dir.path(), &["demo", "--listen", "127.0.0.1:0"]);
            let app = pidfd(pid(demo.listening()));
            demo.signal(signal);
            assert_eq!(demo.ended().code(), Some(0), "{:?}", demo.seen);
            gone(&app);
        }
    }

    #[test]
    fn a_request_under_way_is_answered_before_the_end() {
        let dir = tempfile::tempdir().unwrap();
        let (app, mut run, address) = Running::before_an_app(dir.path(), &[]);
        let client = thread::spawn(move || ask(address, "GET /", "*/*"));
        let (mut stream, _) = app.accept().unwrap();
        head(&mut stream);
        run.signal(Signal::TERM);
        run.logged("Stopping; a second signal stops at once");
        write!(stream, "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nlate").unwrap();
        assert!(client.join().unwrap().1.ends_with("late"));
        assert_eq!(run.ended().code(), Some(0), "{:?}", run.seen);
    }

    /// As `timeout` sends it: to its command, and to the group that it is in.
    #[test]
    fn a_signal_that_comes_twice_is_one() {
        let dir = tempfile::tempdir().unwrap();
        let app = TcpListener::bind("127.0.0.1:0").unwrap();
        let to = app.local_addr().unwrap().to_string();
        let mut run = Running::start(dir.path(), &["run", "--to", &to, "--listen", "127.0.0.1:0"]);
        let address = run.listening();
        let client = thread::spawn(move || ask(address, "GET /", "*/*"));
        let (mut stream, _) = app.accept().unwrap();
        head(&mut stream);
        run.signal(Signal::TERM);
        run.signal(Signal::HUP);
        run.logged("Stopping; a second signal stops at once");
        write!(stream, "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nlate").unwrap();
        assert!(client.join().unwrap().1.ends_with("late"));
        assert_eq!(run.ended().code(), Some(0), "{:?}", run.seen);
    }

    #[test]
    fn a_second_signal_ends_at_once_with_1() {
        let dir = tempfile::tempdir().unwrap();
        let (app, mut run, address) = Running::before_an_app(dir.path(), &[]);
        let mut client = TcpStream::connect(address).unwrap();
        write!(client, "GET / HTTP/1.1\r\nHost: x\r\n\r\n").unwrap();
        let (mut never_answered, _) = app.accept().unwrap();
        head(&mut never_answered);
        run.signal(Signal::TERM);
        run.logged("Stopping; a second signal stops at once");
        // One that comes too soon is taken for the first.
        while run.is_running() {
            run.signal(Signal::TERM);
            let line = run.log.recv_timeout(Duration::from_millis(50));
            run.seen.extend(line);
        }
        assert_eq!(run.ended().code(), Some(1), "{:?}", run.seen);
    }
}

// ---- The examples that need an app to serve

#[allow(dead_code)]
#[path = "../examples/axum_gateway.rs"]
mod axum_gateway;
#[allow(dead_code)]
#[path = "../examples/hyper_front.rs"]
mod hyper_front;

/// What `ask` gets, while the runtime goes on.
async fn asked(address: SocketAddr, line: &'static str) -> (u16, String) {
    let answer = tokio::task::spawn_blocking(move || ask(address, line, "*/*"));
    answer.await.unwrap()
}

#[tokio::test]
async fn the_axum_gateway_mounts_two_apps_beside_its_own_page() {
    let dir = tempfile::tempdir().unwrap();
    let toml = format!("processPath = '{ANCM}'\narguments = ['demo-app']\n");
    std::fs::write(dir.path().join("ancm.toml"), toml).unwrap();
    let host = |path_base| axum_gateway::host(dir.path(), path_base).unwrap();
    let (shop, blog) = (host("/shop"), host("/blog"));
    let app = axum_gateway::gateway(shop.clone(), blog.clone());
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let app = app.into_make_service_with_connect_info::<SocketAddr>();
    let served = tokio::spawn(async move { axum::serve(listener, app).await });

    assert!(
        asked(address, "GET /")
            .await
            .1
            .contains("This page is the gateway's")
    );
    assert_eq!(asked(address, "GET /shopping").await.0, 404);
    let mut pids = Vec::new();
    for (line, base, target) in [
        ("GET /shop/cart?a=%2f", "/shop", "/shop/cart?a=%2f"),
        ("GET /blog/", "/blog", "/blog/"),
    ] {
        let (status, page) = asked(address, line).await;
        assert_eq!(status, 200, "{page}");
        assert_eq!(
            (value(&page, "path base"), value(&page, "target")),
            (base, target)
        );
        assert!(
            value(&page, "remote address").starts_with("127.0.0.1:"),
            "{page}"
        );
        pids.push(value(&page, "process id").to_owned());
    }
    assert_ne!(pids[0], pids[1]);
    tokio::join!(shop.shutdown(), blog.shutdown());
    served.abort();
}

#[tokio::test]
async fn the_hyper_front_serves_an_app_its_failed_start_and_its_offline_page() {
    for (argument, file, status, told) in [
        ("demo-app", "other.htm", 200, "remote address  127.0.0.1:"),
        ("--version", "other.htm", 502, "502.5"),
        ("demo-app", "app_offline.htm", 503, "Back soon"),
    ] {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join(file), "Back soon").unwrap();
        let config = ancm::config::Config::builder(dir.path())
            .program(ANCM)
            .arguments([argument])
            .build()
            .unwrap();
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
        let ask_and_stop = async {
            let answer = asked(address, "GET /x").await;
            stop.send(()).unwrap();
            answer
        };
        let stopped = async { stopped.await.unwrap() };
        let served = hyper_front::serve(listener, config, stopped);
        let (served, answer) = tokio::join!(served, ask_and_stop);
        served.unwrap();
        assert_eq!(answer.0, status, "{}", answer.1);
        assert!(answer.1.contains(told), "{}", answer.1);
    }
}

// ---- Users

#[test]
fn a_password_becomes_a_line_for_the_file_and_is_no_argument() {
    let dir = tempfile::tempdir().unwrap();
    let line = |typed: &str| {
        let mut command = ancm(dir.path(), &["password", "alice"]);
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.stderr(Stdio::piped()).spawn().unwrap();
        let mut stdin = child.stdin.take().unwrap();
        // It may have ended before it has read all of it.
        let _ = stdin.write_all(typed.as_bytes());
        drop(stdin);
        texts(child.wait_with_output().unwrap())
    };
    let (status, out, err) = line("correct horse\n");
    assert_eq!((status, &*err), (0, ""));
    assert!(out.starts_with("alice:$argon2id$"), "{out}");
    assert!(out.ends_with('\n') && !out.contains("horse"), "{out}");
    for wrong in ["", "\n", "a\tb\n"] {
        let (status, out, err) = line(wrong);
        assert_eq!((status, &*out), (2, ""), "{wrong:?}: {err}");
    }
    let (status, _, err) = output(dir.path(), &["password", "a:b"]);
    assert_eq!(status, 2, "{err}");
}

/// `NAME:HASH` of the password `correct horse`, as cheap to check as can be.
fn user(name: &str) -> String {
    use argon2::PasswordHasher as _;
    let params = argon2::Params::new(8, 1, 1, None).unwrap();
    let argon2 = argon2::Argon2::new(Default::default(), Default::default(), params);
    let hash: argon2::PasswordHash = argon2.hash_password(b"correct horse").unwrap();
    format!("{name}:{hash}\n")
}

/// A folder whose app is served to users alone, by a `web.config` or an `ancm.toml`.
fn for_users(over_cleartext: bool, toml: bool) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("users.txt"), user("alice")).unwrap();
    if toml {
        let text = format!(
            "processPath = '{ANCM}'\narguments = ['demo-app']\n[authentication]\nbasic = true\nanonymous = false\n\
             basicUsers = 'users.txt'\nbasicRealm = 'the shop'\nbasicOverCleartext = {over_cleartext}\n\
             userHeader = 'x-user'\n"
        );
        std::fs::write(dir.path().join("ancm.toml"), text).unwrap();
        return dir;
    }
    let text = format!(
        r#"<configuration><system.webServer>
          <aspNetCore processPath="{ANCM}" arguments="demo-app">
            <handlerSettings>
              <handlerSetting name="basicUsers" value=".\users.txt" />
              <handlerSetting name="basicOverCleartext" value="{over_cleartext}" />
              <handlerSetting name="userHeader" value="x-user" />
            </handlerSettings>
          </aspNetCore>
          <security><authentication>
            <basicAuthentication enabled="true" realm="the shop" />
            <anonymousAuthentication enabled="false" />
          </authentication></security>
        </system.webServer></configuration>"#
    );
    std::fs::write(dir.path().join("web.config"), text).unwrap();
    dir
}

/// `user:correct horse` and `alice:wrong`, as Basic authentication carries them.
fn basic(user: &str, password: &str) -> String {
    use base64::Engine as _;
    let text = format!("{user}:{password}");
    let encoded = base64::engine::general_purpose::STANDARD.encode(text);
    format!("*/*\r\nAuthorization: Basic {encoded}")
}

#[test]
fn users_of_a_file_come_in_by_their_passwords_and_nobody_else() {
    for toml in [false, true] {
        let dir = for_users(true, toml);
        let mut running = Running::start(dir.path(), &["run", "--listen", "127.0.0.1:0"]);
        assert_eq!(running.logged("Users loaded")["users"], 1);
        let address = running.listening();
        let (status, answer) = ask(address, "GET /", "*/*");
        assert_eq!(status, 401, "{answer}");
        let challenge = "www-authenticate: Basic realm=\"the shop\", charset=\"UTF-8\"\r\n";
        assert!(answer.contains(challenge), "{answer}");
        for (name, password) in [("alice", "wrong"), ("bob", "correct horse"), ("", "")] {
            let (status, answer) = ask(address, "GET /", &basic(name, password));
            assert_eq!(status, 401, "{name}: {answer}");
        }
        let (status, page) = ask(address, "GET /", &basic("alice", "correct horse"));
        assert_eq!(status, 200, "{page}");
        assert_eq!(value(&page, "x-user"), "alice");

        std::fs::write(dir.path().join("new"), user("bob")).unwrap();
        let file = dir.path().join("users.txt");
        std::fs::rename(dir.path().join("new"), file).unwrap();
        assert_eq!(running.logged("Users reloaded")["users"], 1);
        let (status, page) = ask(address, "GET /", &basic("bob", "correct horse"));
        assert_eq!(status, 200, "{page}");
        let (status, _) = ask(address, "GET /", &basic("alice", "correct horse"));
        assert_eq!(status, 401);
    }
}

#[test]
fn guesses_are_limited_by_address_and_keep_no_user_out() {
    const WRONG: &str = "never-to-be-seen";
    let dir = for_users(true, true);
    let file = dir.path().join("ancm.toml");
    let text = std::fs::read_to_string(&file).unwrap();
    let limits = "basicAttempts = 2\n[proxy]\ntrustedProxies = ['127.0.0.0/8']\n";
    std::fs::write(&file, text + limits).unwrap();
    let (mut running, address) = Running::run(dir.path(), &[]);
    let ask_from = move |client: String, name: &str, password: &str| {
        let from = format!("{}\r\nX-Forwarded-For: {client}", basic(name, password));
        ask(address, "GET /", &from)
    };
    let guesses: Vec<_> = (0..60)
        .map(|guess| {
            let client = format!("203.0.113.{}", guess % 6);
            let password = format!("{WRONG}-{guess}");
            std::thread::spawn(move || ask_from(client, "alice", &password))
        })
        .collect();
    let (status, page) = ask_from("198.51.100.1".to_owned(), "alice", "correct horse");
    assert_eq!(status, 200, "{page}");
    let mut refused = [0, 0];
    for guess in guesses {
        let (status, answer) = guess.join().unwrap();
        match status {
            401 => refused[0] += 1,
            429 => {
                let head = answer.to_ascii_lowercase();
                let after = head.split_once("\r\nretry-after: ").unwrap().1;
                let after: u32 = after.split_once('\r').unwrap().0.parse().unwrap();
                assert!((1..=150).contains(&after), "{answer}");
                refused[1] += 1;
            }
            _ => panic!("{answer}"),
        }
    }
    assert_eq!(refused, [12, 48], "two of each address");
    let told = running.logged("Too many wrong passwords from one address");
    let client = told["client.addr"].as_str().unwrap();
    assert!(client.starts_with("203.0.113."), "{told}");
    // She has been in, and comes in from there; from elsewhere that would tell who guesses that it was right.
    for (client, want) in [("198.51.100.1", 200), ("203.0.113.0", 429)] {
        let (status, page) = ask_from(client.to_owned(), "alice", "correct horse");
        assert_eq!(status, want, "{page}");
    }
    running.child.kill().unwrap();
    running.seen.extend(running.log.iter());
    let log = running.seen.join("\n");
    assert!(
        !log.contains(WRONG) && !log.contains("correct horse"),
        "{log}"
    );
}

#[test]
fn no_password_is_asked_for_where_everybody_could_read_it() {
    let dir = for_users(false, true);
    let (_running, address) = Running::run(dir.path(), &[]);
    for accept in ["*/*", &basic("alice", "correct horse")] {
        let (status, answer) = ask(address, "GET /", accept);
        assert_eq!(status, 401, "{answer}");
        assert!(!answer.contains("www-authenticate"), "{answer}");
    }
}

#[test]
fn a_wrong_file_of_users_is_told_before_anything_is_served() {
    let dir = for_users(true, true);
    let file = dir.path().join("users.txt");
    std::fs::write(&file, "# people\nalice:secret\n").unwrap();
    for what in ["check", "run"] {
        let (status, _, err) = output(dir.path(), &[what]);
        assert_eq!(status, 2, "{err}");
        assert!(err.contains("users.txt:2: "), "{err}");
        assert!(err.contains("`basicUsers`"), "{err}");
        assert!(!err.contains("secret"), "{err}");
    }
    std::fs::remove_file(&file).unwrap();
    let (status, _, err) = output(dir.path(), &["check"]);
    assert_eq!(status, 2, "{err}");
    assert!(
        err.contains("users.txt: the file of users can't be read"),
        "{err}"
    );
}
