//! Bodies: order, back-pressure, both ways at once, and what happens when somebody leaves.

use std::{
    convert::Infallible,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use ancm::{
    Connection,
    proxy::{Address, Backend, Forward, Proxy},
};
use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt, Full, channel::Channel};
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use tokio::io::AsyncWriteExt;
use tower::ServiceExt;

use crate::support::{App, Wire, app_and_front, chain, soon};

#[tokio::test]
async fn each_event_arrives_before_the_next_is_written() {
    let (app, mut client) = chain().await;
    client.say("GET /events HTTP/1.1\r\nHost: a\r\n\r\n").await;
    let mut wire = app.accept().await;
    wire.head().await;
    wire.say(
        "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n",
    )
    .await;
    client.head().await;
    for n in 0..5 {
        wire.say(format!("9\r\ndata: {n}\n\n\r\n")).await;
        client.hear(&format!("data: {n}\n\n")).await;
    }
}

#[tokio::test]
async fn both_ways_at_once() {
    let (app, mut client) = chain().await;
    client
        .say("POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n")
        .await;
    let mut wire = app.accept().await;
    wire.head().await;
    wire.say("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        .await;
    client.head().await;
    for n in 0..5 {
        client.say(format!("2\r\n#{n}\r\n")).await;
        wire.hear(&format!("2\r\n#{n}\r\n")).await;
        wire.say(format!("2\r\n#{n}\r\n")).await;
        client.hear(&format!("2\r\n#{n}\r\n")).await;
    }
    client.say("0\r\n\r\n").await;
    wire.hear("0\r\n\r\n").await;
    wire.say("0\r\n\r\n").await;
    client.hear("0\r\n\r\n").await;
}

/// Writes until nobody takes any more, and says how much was taken.
async fn fill(wire: &mut Wire) -> usize {
    let (block, mut written) = ([b'x'; 64 * 1024], 0);
    loop {
        let write = wire.stream.write(&block);
        match tokio::time::timeout(std::time::Duration::from_millis(500), write).await {
            Ok(taken) => written += taken.unwrap(),
            Err(_) => return written,
        }
        assert!(written < 64 << 20, "nobody stops the writer");
    }
}

#[tokio::test]
async fn an_app_stops_when_its_client_does_not_read() {
    let (app, mut client) = chain().await;
    client.say("GET / HTTP/1.1\r\nHost: a\r\n\r\n").await;
    let mut wire = app.accept().await;
    wire.head().await;
    wire.say("HTTP/1.1 200 OK\r\nContent-Length: 10000000000\r\n\r\n")
        .await;
    client.head().await;
    let written = fill(&mut wire).await;
    // And goes on when it does.
    client.exactly(written).await;
    soon(wire.stream.writable()).await.unwrap();
}

#[tokio::test]
async fn a_client_stops_when_its_app_does_not_read() {
    let (app, mut client) = chain().await;
    client
        .say("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10000000000\r\n\r\n")
        .await;
    let mut wire = app.accept().await;
    wire.head().await;
    let written = fill(&mut client).await;
    wire.exactly(written).await;
    soon(client.stream.writable()).await.unwrap();
}

#[tokio::test]
async fn an_answer_does_not_wait_for_the_end_of_the_upload() {
    let (app, mut client) = chain().await;
    client
        .say("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1000\r\n\r\nbegin")
        .await;
    let mut wire = app.accept().await;
    wire.head().await;
    wire.hear("begin").await;
    wire.say("HTTP/1.1 413 Too Large\r\nContent-Length: 3\r\n\r\nno!")
        .await;
    assert!(client.head().await.starts_with("http/1.1 413"));
    client.hear("no!").await;
    // What is left of the upload is in the way of another request: the connection is not kept.
    assert_eq!(wire.rest().await, "");
}

#[tokio::test]
async fn an_upload_that_breaks_off_never_looks_complete() {
    for head in ["Content-Length: 1000", "Transfer-Encoding: chunked"] {
        let (app, mut client) = chain().await;
        client
            .say(format!(
                "POST / HTTP/1.1\r\nHost: a\r\n{head}\r\n\r\n5\r\nbegin\r\n"
            ))
            .await;
        let mut wire = app.accept().await;
        wire.head().await;
        wire.hear("begin").await;
        client.reset();
        let rest = wire.rest().await;
        assert!(!rest.contains("0\r\n"), "{head}: {rest:?}");
    }
}

#[tokio::test]
async fn an_app_hears_that_its_client_left_before_the_answer() {
    let (app, mut client) = chain().await;
    client.say("GET / HTTP/1.1\r\nHost: a\r\n\r\n").await;
    let mut wire = app.accept().await;
    wire.head().await;
    client.reset();
    assert_eq!(wire.rest().await, "");
}

#[tokio::test]
async fn an_app_hears_that_its_client_left_amid_the_answer_though_it_says_nothing_itself() {
    let (app, mut client) = chain().await;
    client.say("GET / HTTP/1.1\r\nHost: a\r\n\r\n").await;
    let mut wire = app.accept().await;
    wire.head().await;
    wire.say("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n")
        .await;
    client.hear("a\r\n").await;
    client.reset();
    assert_eq!(wire.rest().await, "");
}

#[tokio::test]
async fn an_http_2_reset_ends_the_exchange_with_the_app() {
    let (app, address) = app_and_front(Proxy::new()).await;
    let stream = tokio::net::TcpStream::connect(address).await.unwrap();
    let (client, connection) = h2::client::handshake(stream).await.unwrap();
    tokio::spawn(connection);
    let request = Request::post("http://a/").body(()).unwrap();
    let (_answer, mut body) = client
        .ready()
        .await
        .unwrap()
        .send_request(request, false)
        .unwrap();
    body.send_data(Bytes::from_static(b"abc"), false).unwrap();
    let mut wire = app.accept().await;
    wire.head().await;
    wire.hear("abc").await;
    body.send_reset(h2::Reason::CANCEL);
    let rest = wire.rest().await;
    assert!(!rest.contains("0\r\n"), "{rest:?}");
}

/// hyper reads such a body to its end as if that were there.
#[tokio::test]
async fn an_http_2_upload_that_is_reset_amid_the_answer_never_looks_complete() {
    for reason in [h2::Reason::CANCEL, h2::Reason::NO_ERROR] {
        let (app, address) = app_and_front(Proxy::new()).await;
        let stream = tokio::net::TcpStream::connect(address).await.unwrap();
        let (client, connection) = h2::client::handshake(stream).await.unwrap();
        tokio::spawn(connection);
        let request = Request::post("http://a/").body(()).unwrap();
        let mut client = client.ready().await.unwrap();
        let (answer, mut body) = client.send_request(request, false).unwrap();
        body.send_data(Bytes::from_static(b"abc"), false).unwrap();
        let mut wire = app.accept().await;
        wire.head().await;
        wire.hear("abc").await;
        wire.say("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
            .await;
        soon(answer).await.unwrap();
        body.send_reset(reason);
        let rest = wire.rest().await;
        assert!(!rest.contains("0\r\n"), "{rest:?}");
    }
}

#[tokio::test]
async fn a_body_of_any_type_is_streamed() {
    let app = App::bind().await;
    let (mut sender, body) = Channel::<Bytes>::new(1);
    let request = Request::post("/").header("host", "a").body(body).unwrap();
    let forward = Forward::new(app.backend().lease(), Connection::unknown(), request);
    let answer = tokio::spawn(Proxy::new().oneshot(forward));
    let mut wire = app.accept().await;
    wire.head().await;
    for _ in 0..3 {
        sender.send_data(Bytes::from_static(b"abc")).await.unwrap();
        wire.hear("3\r\nabc\r\n").await;
    }
    drop(sender);
    wire.hear("0\r\n\r\n").await;
    wire.say("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
        .await;
    let answer = answer.await.unwrap().unwrap();
    assert_eq!(answer.into_body().collect().await.unwrap().to_bytes(), "ok");
}

/// Many at once on several threads: every answer is its own request's, and connections are shared out.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn answers_are_never_mixed_up() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = Address::Tcp(listener.local_addr().unwrap());
    let dialled = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&dialled);
    tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            count.fetch_add(1, Ordering::Relaxed);
            let echo = service_fn(|request: Request<Incoming>| async {
                Ok::<_, Infallible>(Response::new(request.into_body()))
            });
            tokio::spawn(http1::Builder::new().serve_connection(TokioIo::new(stream), echo));
        }
    });
    let backend = Backend::fixed(address);
    let proxy = Proxy::new();
    let clients = (0..16u8).map(|client| {
        let (proxy, backend) = (proxy.clone(), backend.clone());
        tokio::spawn(async move {
            for turn in 0..50usize {
                let sent = Bytes::from(vec![client; turn * turn * 13]);
                let body = Full::new(sent.clone());
                let request = Request::post("/").header("host", "a").body(body).unwrap();
                let forward = Forward::new(backend.lease(), Connection::unknown(), request);
                let answer = soon(proxy.forward(forward)).await.unwrap();
                assert_eq!(
                    soon(answer.into_body().collect()).await.unwrap().to_bytes(),
                    sent
                );
            }
        })
    });
    for client in clients.collect::<Vec<_>>() {
        client.await.unwrap();
    }
    assert_eq!(backend.in_flight(), 0);
    let dialled = dialled.load(Ordering::Relaxed);
    assert!(
        dialled < 16 * 50 / 2,
        "{dialled} connections for 800 requests"
    );
}
