//! Apps that break, stall, lie or are not there.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use ancm::{
    Connection, PairingToken,
    proxy::{Address, Backend, Forward, Owner, Proxy, ProxyOptions},
};
use bytes::Bytes;
use http::Request;
use http_body_util::{Empty, channel::Channel};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tower::ServiceExt;

use crate::support::{App, Wire, app_and_front, chain, front, soon};

const GET: &str = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
const OK: &str = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

#[tokio::test]
async fn what_is_no_http_is_a_bad_gateway() {
    for answer in [
        "",
        "garbage\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-",
        "HTTP/1.1 99999 OK\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n",
        "HTTP/1.1 200 OK\r\nBad Name: x\r\n\r\n",
        "HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n",
        "HTTP/2.0 200 OK\r\n\r\n",
    ] {
        let (app, mut client) = chain().await;
        client.say(GET).await;
        let mut wire = app.accept().await;
        wire.head().await;
        wire.say(answer).await;
        drop(wire);
        let head = client.head().await;
        assert!(head.starts_with("http/1.1 502"), "{answer:?}: {head}");
    }
}

#[tokio::test]
async fn a_reset_before_the_answer_is_a_bad_gateway() {
    let (app, mut client) = chain().await;
    client.say(GET).await;
    let mut wire = app.accept().await;
    wire.head().await;
    wire.reset();
    assert!(client.head().await.starts_with("http/1.1 502"));
}

#[tokio::test]
async fn an_answer_that_breaks_off_never_looks_complete() {
    for answer in [
        "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n9\r\nhalf",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\nxyz\r\n",
    ] {
        let (app, mut client) = chain().await;
        client.say(GET).await;
        let mut wire = app.accept().await;
        wire.head().await;
        wire.say(answer).await;
        drop(wire);
        let heard = client.rest().await;
        assert!(!heard.ends_with("0\r\n\r\n"), "{answer:?}: {heard:?}");
        let complete =
            heard.contains("Content-Length: 4") || heard.contains("content-length: 4\r\n");
        assert!(!complete, "{answer:?}: {heard:?}");
    }
}

#[tokio::test]
async fn an_app_of_http_1_0_ends_its_answer_by_closing() {
    let (app, mut client) = chain().await;
    client.say(GET).await;
    let mut wire = app.accept().await;
    wire.head().await;
    wire.say("HTTP/1.0 200 OK\r\n\r\nall of it").await;
    drop(wire);
    let head = client.head().await;
    assert!(head.starts_with("http/1.1 200") && head.contains("transfer-encoding: chunked"));
    assert_eq!(
        client.hear("0\r\n\r\n").await,
        "9\r\nall of it\r\n0\r\n\r\n"
    );
}

#[tokio::test]
async fn whoever_gives_up_while_dialling_holds_nothing() {
    let app = App::bind().await;
    let backend = app.backend();
    let request = || {
        Request::get("/")
            .header("host", "a")
            .body(Empty::<Bytes>::new())
            .unwrap()
    };
    let forward = || Forward::new(backend.lease(), Connection::unknown(), request());
    // Dropped at the first wait, and before it.
    let mut dialling = tokio_test::task::spawn(Proxy::new().oneshot(forward()));
    tokio_test::assert_pending!(dialling.poll());
    drop(dialling);
    drop(Proxy::new().oneshot(forward()));
    assert_eq!(backend.in_flight(), 0);
}

#[tokio::test]
async fn nobody_there_is_a_bad_gateway() {
    let app = App::bind().await;
    let address = front(Proxy::new(), app.backend()).await;
    drop(app);
    let mut client = Wire::connect(address).await;
    client.say(GET).await;
    assert!(client.head().await.starts_with("http/1.1 502"));
    client.hear("can't connect to the app").await;
}

#[tokio::test]
async fn a_slow_answer_is_a_gateway_timeout() {
    let options = ProxyOptions::new().request_timeout(Some(Duration::from_millis(100)));
    let (app, address) = app_and_front(Proxy::with_options(options)).await;
    let mut client = Wire::connect(address).await;
    client.say(GET).await;
    let mut wire = app.accept().await;
    wire.head().await;
    assert!(client.head().await.starts_with("http/1.1 504"));
    assert_eq!(wire.rest().await, "", "the app hears of it");
}

#[tokio::test]
async fn an_app_that_pauses_too_long_breaks_its_answer_off() {
    let options = ProxyOptions::new().request_timeout(Some(Duration::from_millis(100)));
    let (app, address) = app_and_front(Proxy::with_options(options)).await;
    let mut client = Wire::connect(address).await;
    client.say(GET).await;
    let mut wire = app.accept().await;
    wire.head().await;
    wire.say("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf")
        .await;
    assert!(client.rest().await.ends_with("\r\n\r\nhalf"));
    assert_eq!(wire.rest().await, "");
}

#[tokio::test]
async fn a_slow_client_is_not_the_apps_fault() {
    let limit = Duration::from_millis(100);
    let options = ProxyOptions::new().request_timeout(Some(limit));
    let (app, address) = app_and_front(Proxy::with_options(options)).await;
    let mut client = Wire::connect(address).await;
    client
        .say("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\na")
        .await;
    let mut wire = app.accept().await;
    wire.head().await;
    wire.hear("a").await;
    // What is tested is that this time passes without an end.
    tokio::time::sleep(limit * 4).await;
    client.say("b").await;
    wire.hear("b").await;
    wire.say(OK).await;
    assert!(client.head().await.starts_with("http/1.1 200"));
}

#[tokio::test]
async fn an_app_that_takes_no_more_of_a_request_is_a_gateway_timeout() {
    let options = ProxyOptions::new().request_timeout(Some(Duration::from_millis(200)));
    let (app, address) = app_and_front(Proxy::with_options(options)).await;
    let mut client = Wire::connect(address).await;
    client
        .say("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000000\r\n\r\n")
        .await;
    let mut wire = app.accept().await;
    wire.head().await;
    let (mut reads, mut writes) = client.stream.into_split();
    let writer = tokio::spawn(async move {
        // Ends when the front does not want any more.
        while writes.write_all(&[b'x'; 64 * 1024]).await.is_ok() {}
    });
    let mut status = [0; 12];
    soon(reads.read_exact(&mut status)).await.unwrap();
    assert_eq!(&status, b"HTTP/1.1 504");
    writer.abort();
}

#[tokio::test]
async fn a_body_that_fails_is_the_clients_doing() {
    let app = App::bind().await;
    let (mut sender, body) = Channel::<Bytes, std::io::Error>::new(1);
    let request = Request::post("/").header("host", "a").body(body).unwrap();
    let forward = Forward::new(app.backend().lease(), Connection::unknown(), request);
    let answer = tokio::spawn(Proxy::new().oneshot(forward));
    let mut wire = app.accept().await;
    wire.head().await;
    sender.send_data(Bytes::from_static(b"abc")).await.unwrap();
    wire.hear("3\r\nabc\r\n").await;
    sender.abort(std::io::Error::other("gone"));
    assert_eq!(wire.rest().await, "");
    let error = answer.await.unwrap().unwrap_err();
    assert!(error.is_client_gone(), "{error:?}");
}

/// A connection that has carried a request, and whose app now reads the next one and closes without a word.
async fn second_request_is_cut_off(request: &str) -> (App, Wire) {
    let (app, mut client) = chain().await;
    client.say(GET).await;
    let mut wire = app.accept().await;
    wire.head().await;
    wire.say(OK).await;
    client.hear("ok").await;
    client.say(request).await;
    wire.head().await;
    drop(wire);
    (app, client)
}

#[tokio::test]
async fn what_may_be_sent_twice_is_tried_once_more() {
    for method in ["GET", "HEAD", "PUT", "DELETE", "OPTIONS"] {
        let request = format!("{method} /again HTTP/1.1\r\nHost: a\r\nX-Mine: 1\r\n\r\n");
        let (app, mut client) = second_request_is_cut_off(&request).await;
        let mut wire = app.accept().await;
        let head = wire.head().await;
        assert!(
            head.starts_with(&format!("{} /again", method.to_ascii_lowercase())),
            "{head}"
        );
        assert!(head.contains("x-mine: 1\r\n") && head.contains("ms-aspnetcore-token: secret\r\n"));
        // Once: the next failure is the client's to hear.
        drop(wire);
        assert!(client.head().await.starts_with("http/1.1 502"), "{method}");
        assert!(app.is_quiet().await, "{method}");
    }
}

#[tokio::test]
async fn what_may_not_be_sent_twice_is_not() {
    for request in [
        "POST / HTTP/1.1\r\nHost: a\r\n\r\n",
        "PATCH / HTTP/1.1\r\nHost: a\r\n\r\n",
        "PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\nx",
    ] {
        let (app, mut client) = second_request_is_cut_off(request).await;
        assert!(client.head().await.starts_with("http/1.1 502"), "{request}");
        assert!(app.is_quiet().await, "{request}");
    }
}

#[tokio::test]
async fn a_new_connection_that_is_cut_off_is_no_reason_to_try_again() {
    let (app, mut client) = chain().await;
    client.say(GET).await;
    app.accept().await.head().await;
    assert!(client.head().await.starts_with("http/1.1 502"));
    assert!(app.is_quiet().await);
}

struct Said(Arc<AtomicBool>);

impl Owner for Said {
    fn owns_listener(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

#[tokio::test]
async fn a_stranger_never_sees_the_token() {
    let app = App::bind().await;
    let owned = Arc::new(AtomicBool::new(false));
    let token = PairingToken::new("secret").unwrap();
    let backend = Backend::paired(
        app.address(),
        token,
        Some(Arc::new(Said(Arc::clone(&owned)))),
    );
    let address = front(Proxy::new(), backend).await;

    let mut client = Wire::connect(address).await;
    client.say(GET).await;
    assert!(client.head().await.starts_with("http/1.1 502"));
    client
        .hear("another process listens on the app's port")
        .await;
    assert_eq!(app.accept().await.rest().await, "", "not a byte");

    owned.store(true, Ordering::Relaxed);
    client.say(GET).await;
    assert!(
        app.accept()
            .await
            .head()
            .await
            .contains("ms-aspnetcore-token: secret\r\n")
    );
}

#[tokio::test]
async fn a_dial_takes_no_longer_than_it_may() {
    // A listener whose queue is full takes nobody else in, so this one waits for as long as it may.
    let socket = tokio::net::TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let listener = socket.listen(1).unwrap();
    let full = listener.local_addr().unwrap();
    let mut waiting = Vec::new();
    loop {
        let connect = tokio::net::TcpStream::connect(full);
        match tokio::time::timeout(Duration::from_millis(200), connect).await {
            Ok(Ok(stream)) => waiting.push(stream),
            _ => break,
        }
        assert!(waiting.len() < 64, "the queue never fills");
    }
    let options = ProxyOptions::new().connect_timeout(Duration::from_millis(50));
    let backend = Backend::fixed(Address::Tcp(full));
    let address = front(Proxy::with_options(options), backend).await;
    let mut client = Wire::connect(address).await;
    client.say(GET).await;
    assert!(client.head().await.starts_with("http/1.1 504"));
}
