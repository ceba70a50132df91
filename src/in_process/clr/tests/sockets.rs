//! The boundary behind hyper's server: HTTP/1.1 and HTTP/2 as clients speak them.

use std::sync::Arc;

use bytes::Bytes;
use http::Request;
use http_body_util::{BodyExt, Empty};
use hyper::{client, server};
use hyper_util::{
    rt::{TokioExecutor, TokioIo},
    service::TowerToHyperService,
};
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};

use super::{
    super::{abi, service::Service},
    mock::{self, Call},
};

/// A client's end of a connection that speaks HTTP/1.1.
fn http1(service: Service) -> DuplexStream {
    let (client, server) = duplex(1 << 20);
    let connection = server::conn::http1::Builder::new()
        .serve_connection(TokioIo::new(server), TowerToHyperService::new(service))
        .with_upgrades();
    tokio::spawn(connection);
    client
}

async fn http2(service: Service) -> client::conn::http2::SendRequest<Empty<Bytes>> {
    let (client, server) = duplex(1 << 20);
    let connection = server::conn::http2::Builder::new(TokioExecutor::new())
        .serve_connection(TokioIo::new(server), TowerToHyperService::new(service));
    tokio::spawn(connection);
    let (sender, connection) =
        client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(client))
            .await
            .unwrap();
    tokio::spawn(connection);
    sender
}

async fn say(stream: &mut DuplexStream, text: &str) {
    stream.write_all(text.as_bytes()).await.unwrap();
}

/// What came up to and including `end`.
async fn hear(stream: &mut DuplexStream, end: &str) -> String {
    let mut all = Vec::new();
    while !all.ends_with(end.as_bytes()) {
        let byte = stream.read_u8().await.unwrap();
        all.push(byte);
    }
    String::from_utf8(all).unwrap()
}

fn shout(call: &Arc<Call>) {
    assert_eq!(call.flags, abi::CAN_UPGRADE);
    let fields = [("Upgrade", "shout"), ("Connection", "Upgrade")];
    assert_eq!(call.start(101, &fields, b"", false), abi::OK);
    let mut buffer = [0; 100];
    loop {
        let count = call.read(&mut buffer).unwrap();
        if count == 0 {
            break;
        }
        let said = String::from_utf8_lossy(&buffer[..count]).to_uppercase();
        assert_eq!(call.write(said.as_bytes(), false), abi::OK);
    }
    assert_eq!(call.write(b"bye", true), abi::OK);
}

#[tokio::test]
async fn a_connection_becomes_another_protocols() {
    let (_, service) = mock::app("/shout", shout);
    let mut stream = http1(service);
    let head = "GET /shout HTTP/1.1\r\nhost: me\r\nconnection: upgrade\r\nupgrade: shout\r\n\r\n";
    say(&mut stream, head).await;
    let head = hear(&mut stream, "\r\n\r\n").await.to_lowercase();
    assert!(head.starts_with("http/1.1 101 "), "{head}");
    assert!(
        head.contains("upgrade: shout\r\n") && head.contains("connection: upgrade\r\n"),
        "{head}"
    );
    for word in ["one", "two"] {
        say(&mut stream, word).await;
        assert_eq!(
            hear(&mut stream, &word.to_uppercase()).await,
            word.to_uppercase()
        );
    }
    stream.shutdown().await.unwrap();
    assert_eq!(hear(&mut stream, "bye").await, "bye");
    assert_eq!(stream.read(&mut [0]).await.unwrap(), 0);
}

#[tokio::test]
async fn a_client_may_leave_a_tunnel() {
    let (native, service) = mock::app("/tunnel", |call| {
        call.start(101, &[("Upgrade", "x")], b"hello", false);
        assert_eq!(call.read(&mut [0]), Ok(0));
        while call.write_all(&[0; 1000]) == abi::OK {}
        call.aborted();
        assert_eq!(call.read(&mut [0]), Err(abi::GONE));
    });
    let (client, server) = duplex(64);
    let connection = server::conn::http1::Builder::new()
        .serve_connection(TokioIo::new(server), TowerToHyperService::new(service))
        .with_upgrades();
    tokio::spawn(connection);
    let mut stream = client;
    say(
        &mut stream,
        "GET /tunnel HTTP/1.1\r\nhost: me\r\nconnection: upgrade\r\nupgrade: x\r\n\r\n",
    )
    .await;
    hear(&mut stream, "hello").await;
    drop(stream);
    while native.open_requests() > 0 {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn the_first_read_asks_for_the_body_that_waits() {
    let (_, service) = mock::app("/expect", |call| {
        assert_eq!(call.flags, abi::HAS_BODY | abi::EXPECTS_CONTINUE);
        assert_eq!(call.read_to_end().unwrap(), b"body");
        call.answer("");
    });
    let mut stream = http1(service);
    say(
        &mut stream,
        "POST /expect HTTP/1.1\r\nhost: me\r\nexpect: 100-continue\r\ncontent-length: 4\r\n\r\n",
    )
    .await;
    assert_eq!(
        hear(&mut stream, "\r\n\r\n").await,
        "HTTP/1.1 100 Continue\r\n\r\n"
    );
    say(&mut stream, "body").await;
    assert!(
        hear(&mut stream, "\r\n\r\n")
            .await
            .starts_with("HTTP/1.1 200 OK\r\n")
    );
}

#[tokio::test]
async fn a_body_that_is_badly_framed_or_cut_short_is_the_clients_mistake() {
    let (_, service) = mock::app("/framed", |call| {
        assert_eq!(call.read_to_end(), Err(abi::BAD_REQUEST));
        call.start(400, &[], b"", true);
    });
    let mut stream = http1(service.clone());
    say(
        &mut stream,
        "POST /framed HTTP/1.1\r\nhost: me\r\ntransfer-encoding: chunked\r\n\r\nnonsense\r\n",
    )
    .await;
    assert!(
        hear(&mut stream, "\r\n\r\n")
            .await
            .starts_with("HTTP/1.1 400 ")
    );
    let mut stream = http1(service);
    say(
        &mut stream,
        "POST /framed HTTP/1.1\r\nhost: me\r\ncontent-length: 9\r\n\r\ncut",
    )
    .await;
    stream.shutdown().await.unwrap();
    let mut answer = String::new();
    let _ = stream.read_to_string(&mut answer).await;
}

#[tokio::test]
async fn what_was_given_before_a_break_reaches_an_http1_client() {
    let (_, service) = mock::app("/broken", |call| {
        call.start(200, &[("Content-Length", "10")], b"first", false);
        call.reset(8);
    });
    let mut stream = http1(service);
    say(&mut stream, "GET /broken HTTP/1.1\r\nhost: me\r\n\r\n").await;
    let mut answer = String::new();
    let _ = stream.read_to_string(&mut answer).await;
    assert!(
        answer.starts_with("HTTP/1.1 200 OK\r\n") && answer.ends_with("\r\n\r\nfirst"),
        "{answer:?}"
    );
}

#[tokio::test]
async fn a_reset_before_the_answer_sends_nothing() {
    let (_, service) = mock::app("/silent", |call| {
        call.reset(8);
    });
    let mut stream = http1(service.clone());
    say(&mut stream, "GET /silent HTTP/1.1\r\nhost: me\r\n\r\n").await;
    let mut answer = String::new();
    let _ = stream.read_to_string(&mut answer).await;
    assert_eq!(answer, "");
}

#[tokio::test]
async fn an_http2_stream_is_reset_with_the_apps_code() {
    let (_, service) = mock::app("/code", |call| {
        call.start(200, &[], b"part", false);
        call.reset(13);
    });
    let mut sender = http2(service).await;
    let request = Request::get("http://me/code").body(Empty::new()).unwrap();
    let response = sender.send_request(request).await.unwrap();
    let error = response.into_body().collect().await.unwrap_err();
    let reset = std::error::Error::source(&error)
        .unwrap()
        .downcast_ref::<h2::Error>();
    assert_eq!(
        reset.and_then(h2::Error::reason),
        Some(h2::Reason::HTTP_1_1_REQUIRED)
    );
}

#[tokio::test]
async fn an_http2_head_crosses_with_its_authority_and_its_trailers_come_back() {
    let (_, service) = mock::app("/two", |call| {
        assert_eq!((&*call.authority, &*call.target), ("me:81", "/two?q"));
        call.start(200, &[], b"body", false);
        call.trailers(&[("x-end", "1")]);
    });
    let mut sender = http2(service).await;
    let request = Request::get("http://me:81/two?q")
        .body(Empty::new())
        .unwrap();
    let all = sender
        .send_request(request)
        .await
        .unwrap()
        .into_body()
        .collect()
        .await
        .unwrap();
    assert_eq!(all.trailers().unwrap()["x-end"], "1");
    assert_eq!(all.to_bytes(), "body");
}
