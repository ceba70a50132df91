//! Programs that people use, each with the test's CA. One that is not on this machine is said to be missing.

use std::{
    env, fs,
    net::SocketAddr,
    path::{Path, PathBuf},
    process::Command,
    thread,
};

use ancm::front::tls::ClientCertificates;

use crate::support::{Ca, Pair, Server, sha256, start};

/// A program, ended after a minute whatever it does; `None`, and loudly, where it is not installed.
pub(crate) fn program(name: &str) -> Option<Command> {
    let there = Command::new(name).arg("--version").output().is_ok();
    if !there {
        // There, it is installed.
        assert!(env::var_os("CI").is_none(), "there is no `{name}`");
        eprintln!("NOT TESTED: there is no `{name}` on this machine");
        return None;
    }
    let mut command = Command::new("timeout");
    command.args(["--kill-after=5", "60", name]);
    Some(command)
}

/// What a program says, on stdout and then on stderr.
pub(crate) fn said(command: &mut Command) -> String {
    let output = command.output().unwrap();
    let text = [output.stdout, output.stderr].concat();
    String::from_utf8_lossy(&text).into_owned()
}

struct Site {
    ca: Ca,
    server: Server,
}

impl Site {
    fn new(mode: ClientCertificates) -> Self {
        let ca = Ca::new();
        let pair = ca.site("site", &["a.test", "localhost", "127.0.0.1"]);
        let server = start(pair.tls().client_certificates(mode).build().unwrap());
        Self { ca, server }
    }

    fn port(&self) -> u16 {
        self.server.address.port()
    }
}

fn curl(site: &Site) -> Option<Command> {
    let mut curl = program("curl")?;
    let port = site.port();
    curl.args(["--silent", "--show-error", "--max-time", "30", "--resolve"])
        .arg(format!("a.test:{port}:127.0.0.1"))
        .arg("--cacert")
        .arg(site.ca.pem())
        .arg(format!("https://a.test:{port}/"));
    Some(curl)
}

#[tokio::test(flavor = "multi_thread")]
#[cfg_attr(windows, ignore = "it runs a program of a Unix")]
async fn curl_speaks_every_version_and_shows_a_certificate() {
    let site = Site::new(ClientCertificates::Optional);
    let client = site.ca.client("alice");
    let with = |pair: &Pair| format!("certificate={}", sha256(&pair.der));
    for (options, want) in [
        (
            &["--http2", "--tlsv1.3"][..],
            "HTTP/2.0 https certificate=none",
        ),
        (
            &["--http2", "--tls-max", "1.2"],
            "HTTP/2.0 https certificate=none",
        ),
        (&["--http1.1"], "HTTP/1.1 https certificate=none"),
        (
            &["--http1.1", "--no-alpn"],
            "HTTP/1.1 https certificate=none",
        ),
        (
            &["--http2-prior-knowledge"],
            "HTTP/2.0 https certificate=none",
        ),
    ] {
        let Some(mut curl) = curl(&site) else { return };
        assert_eq!(said(curl.args(options)), want, "{options:?}");
        let known = said(
            curl.arg("--cert")
                .arg(&client.chain)
                .arg("--key")
                .arg(&client.key),
        );
        assert!(known.ends_with(&with(&client)), "{options:?}: {known}");
    }
}

#[tokio::test(flavor = "multi_thread")]
#[cfg_attr(windows, ignore = "it runs a program of a Unix")]
async fn curl_without_the_certificate_that_it_needs_is_told_by_an_alert() {
    let site = Site::new(ClientCertificates::Required);
    let Some(mut curl) = curl(&site) else { return };
    let error = said(&mut curl);
    assert!(error.contains("alert certificate required"), "{error}");
}

/// One request by `openssl s_client`, which says how the handshake went.
fn openssl(site: &Site, options: &[&str]) -> Option<String> {
    let mut openssl = program("openssl")?;
    openssl
        .args(["s_client", "-connect", &site.server.address.to_string()])
        .args(["-verify_return_error", "-ign_eof", "-CAfile"])
        .arg(site.ca.pem())
        .args(options)
        .stdin(input(&site.ca, b"GET / HTTP/1.0\r\n\r\n"));
    Some(said(&mut openssl))
}

fn input(ca: &Ca, bytes: &[u8]) -> fs::File {
    let path = ca.path("input");
    fs::write(&path, bytes).unwrap();
    fs::File::open(path).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
#[cfg_attr(windows, ignore = "it runs a program of a Unix")]
async fn openssl_agrees_on_version_protocol_and_name() {
    let site = Site::new(ClientCertificates::Off);
    for (options, want) in [
        (
            &["-tls1_2"][..],
            &["TLSv1.2", "ECDHE-ECDSA", "HTTP/1.0 200"][..],
        ),
        (&["-tls1_3"], &["TLSv1.3", "HTTP/1.0 200"]),
        (
            &["-tls1_3", "-alpn", "http/1.1"],
            &["ALPN protocol: http/1.1", "HTTP/1.0 200"],
        ),
        (
            &["-servername", "a.test", "-verify_hostname", "a.test"],
            &["Verify return code: 0 (ok)"],
        ),
        (
            &["-noservername", "-verify_ip", "127.0.0.1"],
            &["Verify return code: 0 (ok)"],
        ),
        (&["-tls1_2", "-no_ticket"], &["HTTP/1.0 200"]),
        // Older ones are refused.
        (&["-tls1_1", "-cipher", "ALL:@SECLEVEL=0"], &["alert"]),
    ] {
        let Some(text) = openssl(&site, options) else {
            return;
        };
        for want in want {
            assert!(text.contains(want), "{options:?} lacks {want}:\n{text}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
#[cfg_attr(windows, ignore = "it runs a program of a Unix")]
async fn openssl_comes_back_with_its_session() {
    let site = Site::new(ClientCertificates::Off);
    // With tickets, and for TLS 1.2 with the server's memory alone too.
    for options in [&["-tls1_3"][..], &["-tls1_2"], &["-tls1_2", "-no_ticket"]] {
        let kept = site.ca.path("session");
        let kept = kept.to_str().unwrap();
        let Some(first) = openssl(&site, &[options, &["-sess_out", kept]].concat()) else {
            return;
        };
        assert!(first.contains("New, TLSv1"), "{first}");
        let second = openssl(&site, &[options, &["-sess_in", kept]].concat()).unwrap();
        assert!(second.contains("Reused, TLSv1"), "{options:?}:\n{second}");
        assert!(second.contains("HTTP/1.0 200"), "{second}");
    }
}

#[tokio::test(flavor = "multi_thread")]
#[cfg_attr(windows, ignore = "it runs a program of a Unix")]
async fn h2load_loses_nothing() {
    let site = Site::new(ClientCertificates::Off);
    for options in [&[][..], &["--h1"]] {
        let Some(mut h2load) = program("h2load") else {
            return;
        };
        let target = format!("https://{}/", site.server.address);
        h2load
            .args(["-n", "2000", "-c", "20", "-m", "10"])
            .args(options)
            .arg(target);
        let text = said(&mut h2load);
        let want = "requests: 2000 total, 2000 started, 2000 done, 2000 succeeded, 0 failed";
        assert!(text.contains(want), "{options:?}:\n{text}");
    }
}

#[tokio::test(flavor = "multi_thread")]
#[cfg_attr(windows, ignore = "it runs a program of a Unix")]
async fn h2load_loses_nothing_while_certificates_change() {
    let ca = Ca::new();
    let names = ["a.test", "127.0.0.1"];
    let server = start(ca.site("site", &names).tls().build().unwrap());
    let target = format!("https://{}/", server.address);
    if program("h2load").is_none() {
        return;
    }
    // Each run has new connections, old ones and certificates that change meanwhile.
    let runs = thread::spawn(move || {
        let mut texts = Vec::new();
        for _ in 0..10 {
            let mut h2load = program("h2load").unwrap();
            texts.push(said(
                h2load
                    .args(["-n", "1000", "-c", "50", "-r", "25"])
                    .arg(&target),
            ));
        }
        texts
    });
    while !runs.is_finished() {
        ca.site("site", &names);
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    for text in runs.join().unwrap() {
        assert!(
            text.contains("1000 succeeded, 0 failed, 0 errored"),
            "{text}"
        );
    }
}

const PYTHON: &str = r#"
import http.client, ssl, sys
port, ca, chain, key = int(sys.argv[1]), *sys.argv[2:5]
context = ssl.create_default_context(cafile=ca)
context.load_cert_chain(chain, key)
for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
    context.minimum_version = context.maximum_version = version
    connection = http.client.HTTPSConnection("localhost", port, context=context, timeout=30)
    for _ in range(3):
        connection.request("GET", "/")
        print(connection.getresponse().read().decode())
"#;

#[tokio::test(flavor = "multi_thread")]
#[cfg_attr(windows, ignore = "it runs a program of a Unix")]
async fn python_shows_its_certificate() {
    let site = Site::new(ClientCertificates::Required);
    let client = site.ca.client("python");
    let Some(mut python) = program("python3") else {
        return;
    };
    python
        .args(["-c", PYTHON, &site.port().to_string()])
        .arg(site.ca.pem());
    let text = said(python.arg(&client.chain).arg(&client.key));
    let line = format!("HTTP/1.1 https certificate={}\n", sha256(&client.der));
    assert_eq!(text, line.repeat(6));
}

const HTTPX: &str = r#"
import ssl, sys
import h2, httpx
context = ssl.create_default_context(cafile=sys.argv[2])
with httpx.Client(http2=True, verify=context) as client:
    for _ in range(3):
        answer = client.get(f"https://localhost:{sys.argv[1]}/")
        print(answer.http_version, answer.text)
"#;

/// A folder with httpx and what it needs for HTTP/2, fetched once and kept with what the tests build.
fn httpx() -> PathBuf {
    const WANTED: &str = "httpx[http2]==0.28.1";
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("httpx-0.28.1");
    if folder.exists() {
        return folder;
    }
    // Beside it, so that nobody finds half of it; whoever else does the same now has the same.
    let new = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let output = Command::new("python3")
        .args(["-m", "pip", "--disable-pip-version-check", "install"])
        .args(["--quiet", WANTED, "--target"])
        .arg(new.path())
        .output()
        .expect("`.ci/install` brings python3");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "`.ci/install` brings pip: {said}");
    if let Err(error) = fs::rename(new.path(), &folder) {
        assert!(folder.exists(), "{error}");
    }
    folder
}

// Under Wine there is no Python.
#[cfg_attr(windows, ignore = "Python has to be there")]
#[tokio::test(flavor = "multi_thread")]
async fn httpx_speaks_http2() {
    let site = Site::new(ClientCertificates::Off);
    let mut python = program("python3").expect("`.ci/install` brings python3");
    python
        .args(["-c", HTTPX, &site.port().to_string()])
        .arg(site.ca.pem())
        .env("PYTHONPATH", httpx());
    let text = said(&mut python);
    assert_eq!(text, "HTTP/2 HTTP/2.0 https certificate=none\n".repeat(3));
}

const NODE: &str = r#"
(async () => {
    for (let i = 0; i < 3; i++) {
        const answer = await fetch(`https://127.0.0.1:${process.argv[1]}/`);
        console.log(answer.status, await answer.text());
    }
    const http2 = require("node:http2");
    const client = http2.connect(`https://127.0.0.1:${process.argv[1]}`, {
        ca: require("node:fs").readFileSync(process.env.NODE_EXTRA_CA_CERTS),
    });
    const stream = client.request({ ":path": "/" });
    let text = "";
    stream.on("data", (data) => { text += data; });
    stream.on("end", () => { console.log(text); client.close(); });
})().catch((error) => console.log(error));
"#;

#[tokio::test(flavor = "multi_thread")]
#[cfg_attr(windows, ignore = "it runs a program of a Unix")]
async fn node_trusts_the_ca() {
    let site = Site::new(ClientCertificates::Off);
    let Some(mut node) = program("node") else {
        return;
    };
    node.env("NODE_EXTRA_CA_CERTS", site.ca.pem());
    let text = said(node.args(["-e", NODE, &site.port().to_string()]));
    let fetched = "200 HTTP/1.1 https certificate=none\n".repeat(3);
    assert_eq!(text, format!("{fetched}HTTP/2.0 https certificate=none\n"));
}

/// By the hash of the key that signed the certificate: a browser's store of CAs needs another program to be filled.
#[tokio::test(flavor = "multi_thread")]
#[cfg_attr(windows, ignore = "it runs a program of a Unix")]
async fn chromium_shows_the_page() {
    let ca = Ca::new();
    let pair = ca.site("site", &["localhost", "127.0.0.1"]);
    let parts = [&pair.chain, &ca.pem()].map(|path| fs::read_to_string(path).unwrap());
    fs::write(&pair.chain, parts.concat()).unwrap();
    let server = start(pair.tls().build().unwrap());
    let Some(page) = browse(&ca, server.address, true) else {
        return;
    };
    assert!(page.contains("HTTP/2.0 https certificate=none"), "{page}");
    // The page is not shown for want of trust in general.
    let page = browse(&ca, server.address, false).unwrap();
    assert!(!page.contains("HTTP/2.0 https"), "{page}");
}

pub(crate) fn browse(ca: &Ca, server: SocketAddr, trusting: bool) -> Option<String> {
    let name = ["chromium", "chromium-browser", "google-chrome"]
        .into_iter()
        .find(|name| Command::new(name).arg("--version").output().is_ok())
        .unwrap_or("chromium");
    let mut chromium = program(name)?;
    let profile = ca.path(if trusting { "trusting" } else { "stranger" });
    chromium
        .args(["--headless", "--no-sandbox", "--disable-gpu", "--dump-dom"])
        .args([
            "--disable-dev-shm-usage",
            "--no-first-run",
            "--disable-background-networking",
        ])
        .arg(format!("--user-data-dir={}", profile.display()))
        .env("HOME", Path::new(&profile));
    if trusting {
        chromium.arg(format!(
            "--ignore-certificate-errors-spki-list={}",
            key_hash(&ca.der)
        ));
    }
    Some(said(
        chromium.arg(format!("https://localhost:{}/", server.port())),
    ))
}

/// The base64 of the SHA-256 of a certificate's key (RFC 7469, 2.4).
fn key_hash(der: &[u8]) -> String {
    use base64::{Engine as _, engine::general_purpose::STANDARD};
    use sha2::{Digest as _, Sha256};
    use x509_parser::prelude::{FromDer as _, X509Certificate};
    let (_, certificate) = X509Certificate::from_der(der).unwrap();
    STANDARD.encode(Sha256::digest(certificate.public_key().raw))
}
