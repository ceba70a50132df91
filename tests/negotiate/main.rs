//! Windows authentication: the `ancm` program in a Kerberos realm, with `curl` and tickets of real users, in front of a
//! stock ASP.NET Core app and of the same app in Rust.
#![cfg(unix)]
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test may panic"
)]
#![allow(
    clippy::disallowed_methods,
    reason = "programs and tickets have clocks of their own: there is none to pause"
)]

#[path = "../support/mod.rs"]
mod support;

mod hosted;
mod realm;

use std::{
    fs,
    io::{Read, Write},
    net::TcpStream,
    path::Path,
    sync::OnceLock,
    time::Duration,
};

use serde_json::Value;
use tempfile::TempDir;

use crate::{
    realm::{Realm, Tickets},
    support::{
        apps::{App, own_copy, twin},
        module::{Module, Start},
    },
};

/// One for all tests of this program: its KDC ends with it.
fn realm() -> &'static Realm {
    static REALM: OnceLock<Realm> = OnceLock::new();
    REALM.get_or_init(Realm::new)
}

/// What the app offers besides Windows authentication.
#[derive(Clone, Copy)]
struct Offer {
    anonymous: bool,
    keep_user: bool,
}

const WINDOWS_ALONE: Offer = Offer {
    anonymous: false,
    keep_user: false,
};

/// `ancm` in front of an app, and the folder that it serves.
struct Site {
    module: Module,
    _folder: TempDir,
}

impl Site {
    fn new(app: App, offer: Offer) -> Self {
        let folder = match app {
            App::Stock | App::Modern => own_copy(),
            App::Twin | App::InProcess => TempDir::new().unwrap(),
        };
        configure(folder.path(), app, offer);
        Self::start(Start::new(app, "/"), folder)
    }

    /// As part of the realm, in front of the app of `folder`.
    fn start(start: Start, folder: TempDir) -> Self {
        let mut start = start.folder(folder.path());
        for (name, value) in realm().variables() {
            start = start.variable(name, value);
        }
        Self {
            module: start.run(),
            _folder: folder,
        }
    }

    /// A service is known by its host's name, not by its address.
    fn url(&self, path: &str) -> String {
        format!("http://localhost:{}{path}", self.module.address().port())
    }

    /// Sends `requests` one after the other through one connection; each answer's status, head and body.
    fn talk(&self, requests: &[String]) -> Vec<(u16, String, String)> {
        let mut stream = TcpStream::connect(self.module.address()).unwrap();
        stream
            .set_read_timeout(Some(Duration::from_secs(60)))
            .unwrap();
        let talk = requests.iter().map(|request| {
            stream.write_all(request.as_bytes()).unwrap();
            answer(&mut stream)
        });
        talk.collect()
    }
}

fn configure(folder: &Path, app: App, offer: Offer) {
    let process = match app {
        App::Stock | App::Modern => r#"processPath="dotnet" arguments=".\StockApp.dll""#.to_owned(),
        App::Twin | App::InProcess => format!(r#"processPath="{}""#, twin().display()),
    };
    let process = format!(r#"{process} hostingModel="outofprocess""#);
    write_configuration(folder, &process, offer);
}

/// Of an app that is started and hosted as the attributes of `process` say.
fn write_configuration(folder: &Path, process: &str, offer: Offer) {
    let Offer {
        anonymous,
        keep_user,
    } = offer;
    let text = format!(
        r#"<?xml version="1.0" encoding="utf-8"?>
<configuration><location path="." inheritInChildApplications="false"><system.webServer>
  <aspNetCore {process}>
    <handlerSettings>
      <handlerSetting name="userHeader" value="X-Remote-User" />
      <handlerSetting name="keepUser" value="{keep_user}" />
    </handlerSettings>
  </aspNetCore>
  <security><authentication>
    <windowsAuthentication enabled="true" /><anonymousAuthentication enabled="{anonymous}" />
  </authentication></security>
</system.webServer></location></configuration>"#
    );
    fs::write(folder.join("web.config"), text).unwrap();
}

/// What `curl` got: the last status, all heads, the body.
struct Got {
    status: u16,
    heads: String,
    body: String,
}

impl Got {
    fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|_| panic!("not JSON: {}", self.body))
    }
}

/// `curl` as a program of the realm that `tickets` can make, with `arguments`.
fn curl(tickets: &Tickets, arguments: &[&str]) -> Got {
    let heads = tempfile::NamedTempFile::new().unwrap();
    let output = tickets
        .command("curl")
        .args([
            "-sS",
            "-m",
            "60",
            "--noproxy",
            "*",
            "-w",
            "\n%{http_code}",
            "-D",
        ])
        .arg(heads.path())
        .args(arguments)
        .output()
        .expect("`curl` is installed");
    let text = String::from_utf8(output.stdout).unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    let (body, status) = text
        .rsplit_once('\n')
        .unwrap_or_else(|| panic!("curl: {said}"));
    Got {
        status: status.parse().unwrap(),
        heads: fs::read_to_string(heads.path()).unwrap(),
        body: body.to_owned(),
    }
}

/// `curl` with the user's tickets.
fn negotiate(tickets: &Tickets, url: &str) -> Got {
    curl(tickets, &["--negotiate", "-u", ":", url])
}

/// The token that `curl` proves itself with for `site`, taken from what it says it sends.
fn token(tickets: &Tickets, url: &str) -> String {
    let output = tickets
        .command("curl")
        .args([
            "-sv",
            "-m",
            "60",
            "--noproxy",
            "*",
            "--negotiate",
            "-u",
            ":",
            url,
        ])
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    let line = said
        .lines()
        .find(|line| line.contains("Authorization: Negotiate"));
    let line = line.unwrap_or_else(|| panic!("no token in {said}"));
    line.split_whitespace().last().unwrap().to_owned()
}

fn get(path: &str, lines: &[&str]) -> String {
    let mut request = format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n");
    for line in lines {
        request.push_str(line);
        request.push_str("\r\n");
    }
    request + "\r\n"
}

fn answer(stream: &mut TcpStream) -> (u16, String, String) {
    let mut bytes = Vec::new();
    while !bytes.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        stream.read_exact(&mut byte).unwrap();
        bytes.push(byte[0]);
    }
    let head = String::from_utf8(bytes).unwrap().to_ascii_lowercase();
    let status = head[9..12].parse().unwrap();
    let length = head
        .lines()
        .find_map(|line| line.strip_prefix("content-length: "));
    let body = match length {
        Some(length) => {
            let mut body = vec![0; length.parse().unwrap()];
            stream.read_exact(&mut body).unwrap();
            body
        }
        None => chunks(stream),
    };
    (status, head, String::from_utf8(body).unwrap())
}

fn chunks(stream: &mut TcpStream) -> Vec<u8> {
    let mut body = Vec::new();
    loop {
        let mut line = Vec::new();
        while !line.ends_with(b"\r\n") {
            let mut byte = [0];
            stream.read_exact(&mut byte).unwrap();
            line.push(byte[0]);
        }
        let size = usize::from_str_radix(String::from_utf8(line).unwrap().trim(), 16).unwrap();
        let mut chunk = vec![0; size + 2];
        stream.read_exact(&mut chunk).unwrap();
        chunk.truncate(size);
        if size == 0 {
            return body;
        }
        body.extend(chunk);
    }
}

#[test]
fn an_axum_app_knows_its_users() {
    let site = Site::new(App::Twin, WINDOWS_ALONE);
    for user in ["alice", "bob"] {
        let got = negotiate(&realm().log_in(user), &site.url("/user"));
        assert_eq!(got.status, 200, "{}", got.heads);
        let seen = got.json();
        assert_eq!(seen["name"], user);
        assert_eq!(seen["realm"], "ANCM.TEST");
        assert_eq!(seen["authenticationType"], "Negotiate");
        assert_eq!(seen["authorization"], false, "the ticket was for us alone");
        // The client can know us, too.
        let heads = got.heads.to_ascii_lowercase();
        assert!(heads.contains("www-authenticate: negotiate o"), "{heads}");
        assert!(heads.contains("persistent-auth: false"), "{heads}");
    }
}

#[test]
fn a_stock_app_is_told_its_user_in_a_header_that_no_client_can_set() {
    let site = Site::new(App::Stock, WINDOWS_ALONE);
    let alice = realm().log_in("alice");
    let lie = ["-H", "X-Remote-User: root", "-H", "X_Remote_User: root"];
    let url = site.url("/");
    let arguments = [&lie[..], &["--negotiate", "-u", ":"], &[&url]].concat();
    let got = curl(&alice, &arguments);
    assert_eq!(got.status, 200, "{}", got.heads);
    let seen = got.json();
    let headers = seen["headers"].as_object().unwrap();
    let told: Vec<_> = headers
        .iter()
        .filter(|(name, _)| name.to_ascii_lowercase().replace('_', "-") == "x-remote-user")
        .collect();
    assert_eq!(told.len(), 1, "{told:?}");
    assert_eq!(told[0].1[0], "alice@ANCM.TEST");
}

#[test]
fn who_proves_nothing_is_not_let_in() {
    let site = Site::new(App::Twin, WINDOWS_ALONE);
    let garbage = "Authorization: Negotiate Z2FyYmFnZQ==";
    let ntlm = "Authorization: Negotiate TlRMTVNTUAABAAAAB4IIogAAAAAAAAAAAAAAAAAAAAAGAbEdAAAADw==";
    let lines: [&[&str]; 7] = [
        &[],
        &[garbage],
        &[ntlm],
        &["Authorization: Negotiate !"],
        &["Authorization: NTLM TlRMTVNTUAAB"],
        &["Authorization: Basic YWxpY2U6c2VjcmV0LW9mLWFsaWNl"],
        &[garbage, garbage],
    ];
    for lines in lines {
        let (status, head, _) = site.talk(&[get("/user", lines)]).remove(0);
        assert_eq!(status, 401, "{lines:?}");
        assert!(
            head.contains("www-authenticate: negotiate\r\n"),
            "{lines:?}: {head}"
        );
    }
    assert!(
        site.module.log().text().contains("NTLM"),
        "the log says why"
    );
}

#[test]
fn a_ticket_counts_once_and_for_one_service() {
    let site = Site::new(App::Twin, WINDOWS_ALONE);
    let alice = realm().log_in("alice");
    let seen = token(&alice, &site.url("/user"));
    let replayed = format!("Authorization: Negotiate {seen}");
    assert_eq!(
        site.talk(&[get("/user", &[&replayed])])[0].0,
        401,
        "a replay"
    );

    let elsewhere = format!("elsewhere:{}:127.0.0.1", site.module.address().port());
    let url = format!("http://elsewhere:{}/user", site.module.address().port());
    let got = curl(
        &alice,
        &["--resolve", &elsewhere, "--negotiate", "-u", ":", &url],
    );
    assert_eq!(got.status, 401, "a ticket for another service");
}

#[test]
fn a_ticket_that_has_ended_counts_no_more() {
    let site = Site::new(App::Twin, WINDOWS_ALONE);
    let carol = realm().log_in("carol");
    let begun = std::time::Instant::now();
    assert_eq!(negotiate(&carol, &site.url("/user")).status, 200);
    // Her tickets last for five seconds; their end can't be hurried.
    while negotiate(&carol, &site.url("/user")).status == 200 {
        assert!(begun.elapsed() < Duration::from_secs(60), "it still counts");
        std::thread::sleep(Duration::from_millis(500));
    }
}

#[test]
fn users_who_share_a_proxys_connection_never_mix() {
    for keep_user in [false, true] {
        let offer = Offer {
            anonymous: false,
            keep_user,
        };
        let site = Site::new(App::Twin, offer);
        let through = "X-Forwarded-For: 192.0.2.1";
        let [alice, bob] = ["alice", "bob"].map(unused_token);
        let answers = site.talk(&[
            get("/user", &[through, &alice]),
            get("/user", &[through]),
            get("/user", &[through, &bob]),
            get("/user", &[through]),
        ]);
        let statuses: Vec<_> = answers.iter().map(|answer| answer.0).collect();
        assert_eq!(statuses, [200, 401, 200, 401], "keepUser {keep_user}");
        assert!(answers[0].2.contains("alice") && answers[2].2.contains("bob"));
    }
}

#[test]
fn a_kept_user_is_that_of_the_connection_until_another_comes() {
    let offer = Offer {
        anonymous: false,
        keep_user: true,
    };
    let site = Site::new(App::Twin, offer);
    let [alice, bob] = ["alice", "bob"].map(unused_token);
    let answers = site.talk(&[
        get("/user", &[&alice]),
        get("/user", &[]),
        get("/user", &[&bob]),
        get("/user", &[]),
        get("/user", &["Authorization: Negotiate Z2FyYmFnZQ=="]),
        get("/user", &[]),
    ]);
    let seen: Vec<_> = answers
        .iter()
        .map(|(status, _, body)| {
            (
                *status,
                ["alice", "bob"]
                    .into_iter()
                    .find(|user| body.contains(user)),
            )
        })
        .collect();
    let [alice, bob] = [(200, Some("alice")), (200, Some("bob"))];
    assert_eq!(seen, [alice, alice, bob, bob, (401, None), (401, None)]);
    assert!(answers[0].1.contains("persistent-auth: true"));
    assert_eq!(
        site.talk(&[get("/user", &[])])[0].0,
        401,
        "another connection"
    );
}

#[test]
fn where_anonymous_users_are_let_in_a_401_of_the_app_asks_for_a_ticket() {
    let offer = Offer {
        anonymous: true,
        keep_user: false,
    };
    let site = Site::new(App::Twin, offer);
    let anonymous = site.talk(&[get("/user", &[]), get("/status/401", &[])]);
    assert_eq!(anonymous[0].0, 200);
    assert!(
        anonymous[0].2.contains("\"name\":null"),
        "{}",
        anonymous[0].2
    );
    assert_eq!(anonymous[1].0, 401);
    assert!(anonymous[1].1.contains("www-authenticate: negotiate\r\n"));
    let lie = site.talk(&[get("/", &["X-Remote-User: root"])]);
    assert!(!lie[0].2.contains("root"), "{}", lie[0].2);
}

#[test]
fn http_2_falls_back() {
    let site = Site::new(App::Twin, WINDOWS_ALONE);
    let alice = realm().log_in("alice");
    let arguments = [
        "-o",
        "-",
        "-w",
        "\n%{http_version}",
        "--http2-prior-knowledge",
        "--negotiate",
        "-u",
        ":",
    ];
    let output = alice
        .command("curl")
        .args(["-sS", "-m", "60", "--noproxy", "*"])
        .args(arguments)
        .arg(site.url("/user"))
        .output()
        .unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let (body, version) = text.rsplit_once('\n').unwrap();
    assert!(body.contains("\"alice\""), "{text}");
    assert_eq!(version, "1.1", "the client came back");
}

/// A line with a token that `site` has not seen: made for a listener that never answers with more than 401.
fn unused_token(user: &str) -> String {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let asked = std::thread::spawn(move || {
        let challenge =
            "HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: Negotiate\r\nContent-Length: 0\r\n\r\n";
        let (mut stream, _) = listener.accept().unwrap();
        loop {
            let mut bytes = Vec::new();
            while !bytes.ends_with(b"\r\n\r\n") {
                let mut byte = [0];
                stream.read_exact(&mut byte).unwrap();
                bytes.push(byte[0]);
            }
            let head = String::from_utf8(bytes).unwrap();
            stream.write_all(challenge.as_bytes()).unwrap();
            let line = head
                .lines()
                .find(|line| line.starts_with("Authorization: "));
            if let Some(line) = line {
                return line.to_owned();
            }
        }
    });
    let tickets = realm().log_in(user);
    let _ = negotiate(&tickets, &format!("http://localhost:{port}/"));
    asked.join().unwrap()
}
