//! Handshakes that hang, that are no handshakes, that come while the front stops.

use std::{num::NonZeroUsize, sync::Arc, time::Duration};

use ancm::front::Front;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    time::Instant,
};

use crate::support::{Ca, GET, TOO_LONG, start, start_with, within};

/// The first bytes of a client's first message, whose rest never comes.
const BEGINNING: &[u8] = &[0x16, 3, 1, 2, 0, 1];

#[tokio::test]
async fn clients_that_hang_delay_nobody() {
    let ca = Ca::new();
    let server = start(ca.site("a", &["a.test"]).tls().build().unwrap());
    let mut hanging = Vec::new();
    for number in 0..200 {
        let mut tcp = server.tcp().await;
        if number % 2 == 0 {
            tcp.write_all(BEGINNING).await.unwrap();
        }
        hanging.push(tcp);
    }
    let began = Instant::now();
    let config = Arc::new(ca.trusting());
    for _ in 0..20 {
        let (answer, _) = server.get(&config, "a.test").await.unwrap();
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    }
    // A handshake that waited for another's time limit would take ten seconds.
    assert!(
        began.elapsed() < Duration::from_secs(5),
        "{:?}",
        began.elapsed()
    );
}

#[tokio::test]
async fn a_handshake_has_its_time() {
    let ca = Ca::new();
    let time = Duration::from_millis(100);
    let tls = ca.site("a", &["a.test"]).tls().handshake_timeout(time);
    let server = start(tls.build().unwrap());
    for beginning in [&[][..], BEGINNING] {
        let mut tcp = server.tcp().await;
        tcp.write_all(beginning).await.unwrap();
        let began = Instant::now();
        let mut rest = Vec::new();
        let _ = within(tcp.read_to_end(&mut rest)).await;
        assert!(
            began.elapsed() >= time / 2,
            "closed by its limit, not before"
        );
        assert_eq!(rest, b"");
    }
}

#[tokio::test]
async fn where_too_many_hang_the_oldest_has_to_go() {
    let ca = Ca::new();
    let tls = ca.site("a", &["a.test"]).tls();
    let tls = tls.max_handshakes(NonZeroUsize::new(4).unwrap());
    let server = start(tls.handshake_timeout(TOO_LONG * 2).build().unwrap());
    let mut hanging = Vec::new();
    for _ in 0..4 {
        let mut tcp = server.tcp().await;
        tcp.write_all(BEGINNING).await.unwrap();
        hanging.push(tcp);
    }
    let config = Arc::new(ca.trusting());
    for _ in 0..3 {
        let (answer, _) = server.get(&config, "a.test").await.unwrap();
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    }
    // At least one of them was closed for it.
    let reads = hanging.iter_mut().map(|tcp| {
        Box::pin(async move {
            let _ = tcp.read(&mut [0; 8]).await;
        })
    });
    within(futures_util::future::select_all(reads)).await;
}

#[tokio::test]
async fn what_is_no_tls_is_closed() {
    let ca = Ca::new();
    let server = start(ca.site("a", &["a.test"]).tls().build().unwrap());
    for bytes in [GET, b"PROXY TCP4 192.0.2.1 192.0.2.2 1 2\r\n", &[0; 64]] {
        let mut tcp = server.tcp().await;
        tcp.write_all(bytes).await.unwrap();
        let mut rest = Vec::new();
        let _ = within(tcp.read_to_end(&mut rest)).await;
        assert!(!rest.starts_with(b"HTTP"), "{rest:?}");
    }
}

#[tokio::test]
async fn the_end_of_an_answer_is_said() {
    let ca = Ca::new();
    let server = start(ca.site("a", &["a.test"]).tls().build().unwrap());
    let config = Arc::new(ca.trusting());
    let mut stream = server.handshake(&config, "a.test").await.unwrap();
    stream
        .write_all(b"GET /big HTTP/1.0\r\n\r\n")
        .await
        .unwrap();
    let mut answer = Vec::new();
    // Fails where the connection ends without a `close_notify`.
    within(stream.read_to_end(&mut answer)).await.unwrap();
    assert!(answer.len() > 4 * 1024 * 1024);
}

#[tokio::test]
async fn a_handshake_that_hangs_does_not_hold_the_front_up() {
    let ca = Ca::new();
    let tls = ca.site("a", &["a.test"]).tls();
    let front = Front::new()
        .threads(NonZeroUsize::MIN)
        .drain_timeout(TOO_LONG * 2);
    let server = start_with(front, tls.handshake_timeout(TOO_LONG * 2).build().unwrap());
    let mut tcp = server.tcp().await;
    tcp.write_all(BEGINNING).await.unwrap();
    // Whoever can be served after it has been accepted after it.
    server
        .get(&Arc::new(ca.trusting()), "a.test")
        .await
        .unwrap();
    let drained = within(server.stop()).await.unwrap().unwrap();
    assert_eq!(drained.cut_connections, 0);
}

#[tokio::test]
async fn a_request_that_comes_with_its_handshake_while_the_front_stops_is_answered() {
    let ca = Ca::new();
    let server = start(ca.site("a", &["a.test"]).tls().build().unwrap());
    let config = Arc::new(ca.trusting());
    let address = server.address;
    // Accepted, and its handshake has not begun.
    let tcp = server.tcp().await;
    server.get(&config, "a.test").await.unwrap();
    let ended = server.stop();
    // Until nobody listens any more: the front has begun to stop.
    while tokio::net::TcpStream::connect(address).await.is_ok() {
        tokio::task::yield_now().await;
    }
    let connector = tokio_rustls::TlsConnector::from(config);
    let name = rustls::pki_types::ServerName::try_from("a.test").unwrap();
    let mut stream = within(connector.connect(name, tcp)).await.unwrap();
    stream.write_all(GET).await.unwrap();
    let mut answer = String::new();
    within(stream.read_to_string(&mut answer)).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    within(ended).await.unwrap().unwrap();
}
