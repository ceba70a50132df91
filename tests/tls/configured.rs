//! The program where a file says what it listens on, and how it speaks TLS there.

use std::{fs, path::PathBuf, process::Command};

use rustls::{ClientConfig, version::TLS12};

use crate::{
    program::{Program, ancm, ask, started, tcp, text, tls},
    support::{Ca, Pair},
};

/// An app's folder with its `ancm.toml`.
struct Folder(tempfile::TempDir);

impl Folder {
    fn new(front: &str) -> Self {
        let folder = Self(tempfile::tempdir().unwrap());
        folder.write(front);
        folder
    }

    /// In one go, so that no half of it is read.
    fn write(&self, front: &str) {
        let program = env!("CARGO_BIN_EXE_ancm");
        let text = format!("processPath = '{program}'\narguments = ['demo-app']\n{front}");
        let new = self.0.path().join("new");
        fs::write(&new, text).unwrap();
        fs::rename(new, self.file()).unwrap();
    }

    fn file(&self) -> PathBuf {
        self.0.path().join("ancm.toml")
    }

    fn command(&self, what: &str, options: &[&str]) -> Command {
        let mut command = ancm();
        command.args(["--log-format", "json", what]);
        command.arg(self.0.path()).args(options);
        if what == "run" {
            command.arg("--no-control");
        }
        command
    }

    fn run(&self, options: &[&str], places: usize) -> Program {
        started(self.command("run", options), places)
    }

    /// What `check` says that is wrong.
    fn wrong(&self, options: &[&str]) -> String {
        let output = self.command("check", options).output().unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{said}");
        said
    }
}

/// Two places to listen, and a certificate.
fn front(more: &str, site: &Pair) -> String {
    format!(
        "[front]\nlisten = ['127.0.0.1:0', 'https://127.0.0.1:0']\n{more}\n\
         [[front.tls]]\ncert = '{}'\nkey = '{}'\n",
        text(&site.chain),
        text(&site.key)
    )
}

fn old_client(ca: &Ca) -> ClientConfig {
    let mut roots = rustls::RootCertStore::empty();
    roots.add(ca.der.clone()).unwrap();
    let provider = rustls::crypto::ring::default_provider();
    ClientConfig::builder_with_provider(provider.into())
        .with_protocol_versions(&[&TLS12])
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth()
}

/// Whether a handshake comes about.
fn is_spoken_to(address: &str, config: ClientConfig) -> bool {
    let mut stream = tls(address, config);
    while stream.conn.is_handshaking() {
        if stream.conn.complete_io(&mut stream.sock).is_err() {
            return false;
        }
    }
    true
}

#[test]
fn a_file_says_all_that_the_options_say() {
    let ca = Ca::new();
    let site = ca.site("site", &["a.test"]);
    let folder = Folder::new(&front(
        "httpsRedirect = true\nhsts = 60\ntlsMinVersion = 1.3",
        &site,
    ));
    let program = folder.run(&[], 2);
    let [plain, secure] = &program.addresses[..] else {
        panic!()
    };
    let answer = ask(tcp(plain), "/x");
    let port = secure.rsplit_once(':').unwrap().1;
    let location = format!("location: https://a.test:{port}/x\r\n");
    assert!(answer.starts_with("HTTP/1.1 308"), "{answer}");
    assert!(answer.contains(&location), "{answer}");
    let answer = ask(tls(secure, ca.trusting()), "/");
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    let hsts = "strict-transport-security: max-age=60\r\n";
    assert!(answer.contains(hsts), "{answer}");
    assert!(!is_spoken_to(secure, old_client(&ca)), "TLS 1.2");
}

#[test]
fn an_option_goes_before_the_file() {
    let ca = Ca::new();
    let site = ca.site("site", &["a.test"]);
    let folder = Folder::new(&front("hsts = true\ntlsMinVersion = 1.3", &site));
    let program = folder.run(
        &[
            "--listen",
            "https://127.0.0.1:0",
            "--hsts=off",
            "--tls-min-version",
            "1.2",
        ],
        1,
    );
    let secure = &program.addresses[0];
    let answer = ask(tls(secure, ca.trusting()), "/");
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    assert!(!answer.contains("strict-transport-security"), "{answer}");
    assert!(is_spoken_to(secure, old_client(&ca)), "TLS 1.2");
}

#[test]
fn what_can_change_while_it_serves_does_and_the_rest_is_told() {
    let (ca, other) = (Ca::new(), Ca::new());
    let site = ca.site("site", &["a.test"]);
    let folder = Folder::new(&front("hsts = 60", &site));
    let program = folder.run(&[], 2);
    let secure = &program.addresses[1];
    let answer = ask(tls(secure, ca.trusting()), "/");
    assert!(answer.contains("max-age=60\r\n"), "{answer}");
    assert!(is_spoken_to(secure, old_client(&ca)));

    let new = other.site("site", &["a.test"]);
    folder.write(&front(
        "hsts = 70\nhttpsRedirect = true\ntlsMinVersion = 1.3",
        &new,
    ));
    program.logged("Front follows the configuration");
    let answer = ask(tls(secure, other.trusting()), "/");
    assert!(answer.contains("max-age=70\r\n"), "{answer}");
    assert!(!is_spoken_to(secure, old_client(&other)), "TLS 1.2");
    let answer = ask(tcp(&program.addresses[0]), "/");
    assert!(answer.starts_with("HTTP/1.1 308"), "{answer}");

    folder.write(&front("clientCert = 'required'", &new).replace("'127.0.0.1:0', ", ""));
    let told = "Setting changed, which takes effect when the module is started again";
    for setting in ["front.listen", "front.clientCert"] {
        assert_eq!(program.logged(told)["setting"], setting);
    }
    program.logged("Front follows the configuration");
    let answer = ask(tls(secure, other.trusting()), "/");
    assert!(answer.starts_with("HTTP/1.1 200"), "as before: {answer}");
    assert!(!answer.contains("strict-transport-security"), "{answer}");
    let answer = ask(tcp(&program.addresses[0]), "/");
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
}

#[test]
fn new_certificates_that_are_wrong_change_nothing() {
    let ca = Ca::new();
    let site = ca.site("site", &["a.test"]);
    let folder = Folder::new(&front("hsts = 60", &site));
    let program = folder.run(&[], 2);
    let other = ca.site("other", &["a.test"]);
    let mixed = Pair {
        key: other.key,
        ..site
    };
    folder.write(&front("hsts = 70", &mixed));
    let error = program.logged("TLS stays as it is")["error"].to_string();
    assert!(error.contains("another certificate's"), "{error}");
    program.logged("Front follows the configuration");
    let answer = ask(tls(&program.addresses[1], ca.trusting()), "/");
    assert!(
        answer.contains("max-age=70\r\n"),
        "the rest counts: {answer}"
    );
}

#[cfg_attr(windows, ignore = "it has a Unix socket in it")]
#[test]
fn the_example_says_all_that_can_be_said() {
    let root = tempfile::tempdir().unwrap();
    let text = include_bytes!("../../examples/ancm.toml");
    let vars = std::collections::BTreeMap::<String, String>::new();
    let loaded = ancm::config::Config::from_toml(root.path(), text, &vars).unwrap();
    assert!(loaded.warnings.is_empty(), "{:?}", loaded.warnings);
    let site = loaded.config.site();
    assert_eq!((site.bindings.len(), site.certificates.len()), (4, 2));
    assert_eq!(site.check(), Ok(()));
    let text = String::from_utf8_lossy(text);
    for key in [
        "tlsMinVersion",
        "clientCert",
        "clientCa",
        "httpsRedirect",
        "hsts",
        "inherited",
    ] {
        assert!(text.contains(key), "{key}");
    }
}

#[test]
fn check_says_what_is_wrong_and_which_key_says_it() {
    let ca = Ca::new();
    let site = ca.site("site", &["a.test"]);
    let (gone, other) = (ca.path("gone.pem"), ca.site("other", &["b.test"]));
    let missing = Pair {
        chain: gone.clone(),
        ..site.clone()
    };
    let mixed = Pair {
        key: other.key,
        ..site.clone()
    };
    for (front, wants) in [
        (
            front("", &missing),
            [text(&gone), "can't be read", "[[front.tls]]"],
        ),
        (
            front("", &mixed),
            ["other.key:1:", "another certificate's", "[[front.tls]]"],
        ),
        (
            front("client_cert = 'off'", &site),
            [
                "ancm.toml:5:1: ",
                "client_cert",
                "did you mean `clientCert`?",
            ],
        ),
        (
            front("clientCa = 'ca.pem'", &site),
            ["`clientCa`", "of no use", "`clientCert`"],
        ),
        (
            "[front]\nlisten = 'https://:0'\n".to_owned(),
            ["needs a certificate", "--tls-cert", "[[front.tls]]"],
        ),
    ] {
        let folder = Folder::new(&front);
        let said = folder.wrong(&[]);
        for want in wants {
            assert!(said.contains(want), "{want}: {said}");
        }
    }
    let folder = Folder::new(&front("clientCert = 'optional'\nhsts = true", &site));
    let output = folder.command("check", &[]).output().unwrap();
    let report = String::from_utf8(output.stdout).unwrap();
    for want in [
        "https://127.0.0.1:0",
        "client-cert optional",
        "hsts",
        "site.pem",
    ] {
        assert!(report.contains(want), "{want}: {report}");
    }
}
