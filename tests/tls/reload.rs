//! Files that change while the front serves.

use std::{
    fs,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};

use ancm::front::tls::ClientCertificates;
use rustls::{ClientConfig, HandshakeKind};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    task::JoinSet,
    time::{Instant, sleep},
};

use crate::support::{Ca, Pair, Server, TOO_LONG, start};

/// Connects until the server shows this certificate.
async fn shown(server: &Server, config: &Arc<ClientConfig>, pair: &Pair) {
    let began = Instant::now();
    while server.shows(config, "a.test").await != pair.der.to_vec() {
        assert!(
            began.elapsed() < TOO_LONG,
            "the new certificate is never shown"
        );
        sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test]
async fn a_new_certificate_is_shown_and_old_connections_go_on() {
    let ca = Ca::new();
    let server = start(ca.site("a", &["a.test"]).tls().build().unwrap());
    let config = Arc::new(ca.trusting());
    let mut open = server.handshake(&config, "a.test").await.unwrap();
    let new = ca.site("a", &["a.test"]);
    shown(&server, &config, &new).await;
    open.write_all(b"GET / HTTP/1.0\r\n\r\n").await.unwrap();
    let mut answer = String::new();
    open.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.0 200"), "{answer}");
    // Sessions of before are resumed.
    let (_, kind) = server.get(&config, "a.test").await.unwrap();
    assert_eq!(kind, HandshakeKind::Resumed);
}

#[tokio::test]
async fn a_bad_file_changes_nothing_and_a_good_one_after_it_counts() {
    let ca = Ca::new();
    let old = ca.site("a", &["a.test"]);
    let server = start(old.tls().build().unwrap());
    let config = Arc::new(ca.trusting());
    let good = fs::read(&old.chain).unwrap();
    fs::write(&old.chain, "-----BEGIN CERTIFICATE-----\n").unwrap();
    // Longer than the watcher takes to see it; it can't be told from outside that it did.
    let until = Instant::now() + Duration::from_millis(800);
    while Instant::now() < until {
        assert_eq!(server.shows(&config, "a.test").await, old.der.to_vec());
    }
    fs::write(&old.chain, good).unwrap();
    let new = ca.site("a", &["a.test"]);
    shown(&server, &config, &new).await;
}

#[cfg(unix)]
#[tokio::test]
async fn files_behind_links_are_watched_too() {
    let ca = Ca::new();
    // As Kubernetes mounts a secret, which changes by one rename of a link to a folder.
    let version = |number: u32| {
        let pair = ca.site("a", &["a.test"]);
        let folder = ca.path(&format!("v{number}"));
        fs::create_dir(&folder).unwrap();
        fs::rename(&pair.chain, folder.join("tls.crt")).unwrap();
        fs::rename(&pair.key, folder.join("tls.key")).unwrap();
        let link = ca.path("..new");
        std::os::unix::fs::symlink(&folder, &link).unwrap();
        fs::rename(link, ca.path("..data")).unwrap();
        pair
    };
    version(1);
    for name in ["tls.crt", "tls.key"] {
        let target = std::path::Path::new("..data").join(name);
        std::os::unix::fs::symlink(target, ca.path(name)).unwrap();
    }
    let tls = ancm::front::tls::Tls::builder();
    let tls = tls.certificate(ca.path("tls.crt"), ca.path("tls.key"));
    let server = start(tls.build().unwrap());
    let config = Arc::new(ca.trusting());
    let new = version(2);
    shown(&server, &config, &new).await;
}

#[tokio::test]
async fn no_session_outlives_the_ca_that_let_it_in() {
    let (ca, next) = (Ca::new(), Ca::new());
    let trusted = ca.path("clients.pem");
    fs::copy(ca.pem(), &trusted).unwrap();
    let tls = ca.site("a", &["a.test"]).tls();
    let tls = tls.client_certificates(ClientCertificates::Required);
    let server = start(tls.client_ca(&trusted).build().unwrap());
    let config = Arc::new(ca.showing(&ca.client("client")));
    server.get(&config, "a.test").await.unwrap();
    let (_, kind) = server.get(&config, "a.test").await.unwrap();
    assert_eq!(kind, HandshakeKind::Resumed);
    fs::copy(next.pem(), &trusted).unwrap();
    let newcomer = Arc::new(ca.showing(&next.client("newcomer")));
    let began = Instant::now();
    while server.get(&newcomer, "a.test").await.is_err() {
        assert!(began.elapsed() < TOO_LONG, "the new CA is never taken");
        sleep(Duration::from_millis(5)).await;
    }
    assert!(
        server.get(&config, "a.test").await.is_err(),
        "the old CA's client"
    );
}

#[tokio::test]
async fn no_request_fails_while_certificates_change_under_load() {
    let ca = Ca::new();
    let server = Arc::new(start(ca.site("a", &["a.test"]).tls().build().unwrap()));
    let answered = Arc::new(AtomicUsize::new(0));
    let done = Arc::new(AtomicBool::new(false));
    let mut clients = JoinSet::new();
    for _ in 0..4 {
        let (server, config) = (server.clone(), Arc::new(ca.trusting()));
        let (answered, done) = (answered.clone(), done.clone());
        clients.spawn(async move {
            while !done.load(Ordering::Relaxed) {
                let (answer, _) = server.get(&config, "a.test").await.unwrap();
                assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
                answered.fetch_add(1, Ordering::Relaxed);
            }
        });
    }
    let watching = Arc::new(ca.trusting());
    let mut changes = 0;
    while changes < 5 || answered.load(Ordering::Relaxed) < 200 {
        let new = ca.site("a", &["a.test"]);
        shown(&server, &watching, &new).await;
        changes += 1;
    }
    done.store(true, Ordering::Relaxed);
    clients.join_all().await;
}
