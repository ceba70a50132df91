//! A Kerberos realm of the test's own: one folder, one KDC on a loopback port, gone with the test.

use std::{
    fs,
    net::{TcpListener, TcpStream, UdpSocket},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use tempfile::TempDir;

/// The realm, and what stands in its keytab: the service that `ancm` is.
const REALM: &str = "ANCM.TEST";
const SERVICE: &str = "HTTP/localhost";

/// How long the KDC may take to answer, on a busy machine.
const PATIENCE: Duration = Duration::from_secs(30);

pub(crate) struct Realm {
    folder: TempDir,
    kdc: Child,
}

impl Realm {
    /// Makes the realm, with a key for the service and for another one, and starts its KDC.
    ///
    /// # Panics
    ///
    /// When MIT Kerberos is not installed: `apt-get install krb5-kdc krb5-admin-server krb5-user`.
    pub(crate) fn new() -> Self {
        let folder = TempDir::new().expect("a temporary folder");
        configure(folder.path(), free_port());
        let admin = |query: &str| tool(folder.path(), "kadmin.local", &["-q", query]);
        tool(
            folder.path(),
            "kdb5_util",
            &["create", "-s", "-P", "of-a-test", "-r", REALM],
        );
        for principal in [SERVICE, "HTTP/elsewhere"] {
            admin(&format!("addprinc -randkey {principal}"));
        }
        for user in ["alice", "bob"] {
            admin(&format!("addprinc -pw secret-of-{user} {user}"));
        }
        admin("addprinc -pw secret-of-carol -maxlife 5seconds carol");
        admin(&format!(
            "ktadd -k {}/keytab {SERVICE}",
            folder.path().display()
        ));
        let kdc = start(folder.path());
        Self { folder, kdc }
    }

    /// What whoever is part of the realm has in its environment.
    pub(crate) fn variables(&self) -> Vec<(&'static str, String)> {
        let path = |name: &str| self.folder.path().join(name).display().to_string();
        vec![
            ("KRB5_CONFIG", path("krb5.conf")),
            ("KRB5_KTNAME", format!("FILE:{}", path("keytab"))),
            ("KRB5RCACHEDIR", self.folder.path().display().to_string()),
        ]
    }

    /// The tickets of `user`.
    pub(crate) fn log_in(&self, user: &str) -> Tickets {
        let cache = self.folder.path().join(format!("tickets-of-{user}"));
        let tickets = Tickets {
            folder: self.folder.path().to_owned(),
            cache,
        };
        let begun = Instant::now();
        loop {
            let mut kinit = tickets.command("kinit");
            let mut kinit = kinit
                .arg(user)
                .stdin(Stdio::piped())
                .stdout(Stdio::null())
                .stderr(Stdio::piped())
                .spawn()
                .expect("kinit starts");
            let mut stdin = kinit.stdin.take().expect("stdin is piped");
            // One that finds no KDC yet is gone before it reads the password, and is tried again.
            let _ = std::io::Write::write_all(&mut stdin, format!("secret-of-{user}\n").as_bytes());
            drop(stdin);
            let output = kinit.wait_with_output().expect("kinit ends");
            if output.status.success() {
                return tickets;
            }
            let said = String::from_utf8_lossy(&output.stderr).into_owned();
            assert!(begun.elapsed() < PATIENCE, "no ticket for {user}: {said}");
        }
    }
}

impl Drop for Realm {
    fn drop(&mut self) {
        let _ = self.kdc.kill();
        let _ = self.kdc.wait();
    }
}

/// Somebody who has logged in.
pub(crate) struct Tickets {
    folder: PathBuf,
    cache: PathBuf,
}

impl Tickets {
    /// A program that can use the tickets.
    pub(crate) fn command(&self, program: &str) -> Command {
        let mut command = command(&self.folder, program);
        command.env("KRB5CCNAME", format!("FILE:{}", self.cache.display()));
        command
    }
}

fn command(folder: &Path, program: &str) -> Command {
    let mut command = Command::new(program);
    command
        .env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin")
        .env("KRB5_CONFIG", folder.join("krb5.conf"))
        .env("KRB5_KDC_PROFILE", folder.join("kdc.conf"));
    command
}

fn tool(folder: &Path, program: &str, arguments: &[&str]) {
    let output = command(folder, program)
        .args(arguments)
        .stdin(Stdio::null())
        .output()
        .unwrap_or_else(|error| {
            panic!(
                "{program}: {error}; these tests need MIT Kerberos: \
                 apt-get install krb5-kdc krb5-admin-server krb5-user"
            )
        });
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{program} {arguments:?}: {said}");
}

fn configure(folder: &Path, port: u16) {
    let here = folder.display();
    let krb5 = format!(
        "[libdefaults]\n default_realm = {REALM}\n rdns = false\n dns_canonicalize_hostname = false\n \
         dns_lookup_kdc = false\n dns_lookup_realm = false\n[realms]\n {REALM} = {{\n  kdc = 127.0.0.1:{port}\n }}\n\
         [domain_realm]\n localhost = {REALM}\n elsewhere = {REALM}\n"
    );
    let kdc = format!(
        "[kdcdefaults]\n kdc_listen = 127.0.0.1:{port}\n kdc_tcp_listen = 127.0.0.1:{port}\n[realms]\n {REALM} = {{\n  \
         database_name = {here}/principal\n  key_stash_file = {here}/stash\n  acl_file = {here}/acl\n }}\n\
         [logging]\n kdc = FILE:{here}/kdc.log\n"
    );
    for (name, text) in [("krb5.conf", &*krb5), ("kdc.conf", &*kdc), ("acl", "")] {
        fs::write(folder.join(name), text).expect("the folder can be written to");
    }
}

/// A KDC that listens. One whose port somebody else took meanwhile ends, and is started on another.
fn start(folder: &Path) -> Child {
    let begun = Instant::now();
    loop {
        assert!(begun.elapsed() < PATIENCE, "krb5kdc does not run");
        let port = free_port();
        configure(folder, port);
        let mut kdc = command(folder, "krb5kdc")
            .arg("-n")
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("krb5kdc starts");
        while kdc.try_wait().expect("it is ours").is_none() {
            assert!(begun.elapsed() < PATIENCE, "krb5kdc does not listen");
            if TcpStream::connect(("127.0.0.1", port)).is_ok() {
                return kdc;
            }
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}

/// Free a moment ago, for UDP and for TCP.
fn free_port() -> u16 {
    loop {
        let socket = UdpSocket::bind("127.0.0.1:0").expect("a free port");
        let address = socket.local_addr().expect("it is bound");
        if TcpListener::bind(address).is_ok() {
            return address.port();
        }
    }
}
