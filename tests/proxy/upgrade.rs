//! Tunnels: entered only when both sides want one, and then out of the way.

use ancm::proxy::Proxy;
use axum::{
    Router,
    extract::ws::{Message as AppMessage, WebSocketUpgrade},
    routing::get,
};
use futures_util::{SinkExt, StreamExt};
use tokio_tungstenite::{client_async, tungstenite::Message};

use crate::support::{App, Wire, app_and_front, front, soon, until};

pub(crate) const UPGRADE: &str = "GET /ws HTTP/1.1\r\nHost: a\r\nConnection: keep-alive, Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Extensions: permessage-deflate\r\n\r\n";
pub(crate) const SWITCH: &str = "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: WebSocket\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\nSec-WebSocket-Extensions: permessage-deflate\r\n\r\n";

async fn tunnel() -> (Proxy, ancm::proxy::Backend, Wire, Wire) {
    let proxy = Proxy::new();
    let app = App::bind().await;
    let backend = app.backend();
    let mut client = Wire::connect(front(proxy.clone(), backend.clone()).await).await;
    client.say(UPGRADE).await;
    let mut wire = app.accept().await;
    let head = wire.head().await;
    for line in [
        "connection: upgrade",
        "upgrade: websocket",
        "sec-websocket-extensions: permessage-deflate",
    ] {
        assert!(
            head.contains(&format!("\r\n{line}\r\n")),
            "{line} in {head}"
        );
    }
    wire.say(SWITCH).await;
    let head = client.head().await;
    for line in [
        "connection: upgrade",
        "upgrade: websocket",
        "sec-websocket-extensions: permessage-deflate",
    ] {
        assert!(
            head.contains(&format!("\r\n{line}\r\n")),
            "{line} in {head}"
        );
    }
    assert!(head.starts_with("http/1.1 101"), "{head}");
    (proxy, backend, client, wire)
}

#[tokio::test]
async fn bytes_pass_as_they_are() {
    let (_proxy, _, mut client, mut wire) = tunnel().await;
    client.say(b"\xc1\x05\xff\x00no frame").await;
    assert_eq!(wire.exactly(12).await, b"\xc1\x05\xff\x00no frame");
    wire.say(b"\x00\xffnor this").await;
    assert_eq!(client.exactly(10).await, b"\x00\xffnor this");
}

#[tokio::test]
async fn one_side_may_end_before_the_other() {
    let (proxy, backend, mut client, mut wire) = tunnel().await;
    assert_eq!((backend.in_flight(), proxy.tunnels().len()), (1, 1));
    tokio::io::AsyncWriteExt::shutdown(&mut client.stream)
        .await
        .unwrap();
    assert_eq!(wire.rest().await, "");
    wire.say("a last word").await;
    client.hear("a last word").await;
    drop(wire);
    assert_eq!(client.rest().await, "");
    soon(proxy.tunnels().closed()).await;
    until("the lease ends with the tunnel", || {
        backend.in_flight() == 0
    })
    .await;
}

#[tokio::test]
async fn a_reset_of_either_side_ends_both() {
    let (_, backend, client, mut wire) = tunnel().await;
    client.reset();
    assert_eq!(wire.rest().await, "");
    until("the lease ends", || backend.in_flight() == 0).await;

    let (_, backend, mut client, wire) = tunnel().await;
    wire.reset();
    assert_eq!(client.rest().await, "");
    until("the lease ends", || backend.in_flight() == 0).await;
}

#[tokio::test]
async fn tunnels_can_be_closed() {
    let (proxy, _, mut client, mut wire) = tunnel().await;
    proxy.tunnels().close();
    soon(proxy.tunnels().closed()).await;
    assert_eq!(
        (client.rest().await, wire.rest().await),
        (String::new(), String::new())
    );
}

#[tokio::test]
async fn a_refusal_is_an_ordinary_answer() {
    let (app, address) = app_and_front(Proxy::new()).await;
    let mut client = Wire::connect(address).await;
    // What is pipelined behind the request is the next request, and none of the app's bytes before that.
    client
        .say(format!("{UPGRADE}GET /next HTTP/1.1\r\nHost: a\r\n\r\n"))
        .await;
    let mut wire = app.accept().await;
    wire.head().await;
    wire.say("HTTP/1.1 426 Upgrade Required\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nContent-Length: 2\r\n\r\nno").await;
    let head = client.head().await;
    assert!(head.starts_with("http/1.1 426"), "{head}");
    client.hear("no").await;
    assert_eq!(wire.rest().await, "", "the connection is not used again");
    assert!(app.accept().await.head().await.starts_with("get /next"));
}

#[tokio::test]
async fn nothing_passes_before_the_app_agrees() {
    let (app, address) = app_and_front(Proxy::new()).await;
    let mut client = Wire::connect(address).await;
    client.say(format!("{UPGRADE}EARLY")).await;
    let mut wire = app.accept().await;
    wire.head().await;
    let early = tokio::time::timeout(std::time::Duration::from_millis(100), wire.exactly(1)).await;
    assert!(early.is_err(), "{early:?}");
    wire.say(SWITCH).await;
    client.head().await;
    assert_eq!(wire.exactly(5).await, b"EARLY");
}

#[tokio::test]
async fn another_protocol_than_asked_for_is_a_bad_gateway() {
    for upgrade in ["Upgrade: h2c\r\n", "Upgrade: websocket, h2c\r\n", ""] {
        let (app, address) = app_and_front(Proxy::new()).await;
        let mut client = Wire::connect(address).await;
        client.say(UPGRADE).await;
        let mut wire = app.accept().await;
        wire.head().await;
        wire.say(format!(
            "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\n{upgrade}\r\n"
        ))
        .await;
        assert!(
            client.head().await.starts_with("http/1.1 502"),
            "{upgrade:?}"
        );
        assert_eq!(wire.rest().await, "");
    }
}

#[tokio::test]
async fn other_protocols_are_not_asked_for() {
    for (upgrade, body) in [("h2c", ""), ("websocket", "Content-Length: 2\r\n")] {
        let (app, address) = app_and_front(Proxy::new()).await;
        let mut client = Wire::connect(address).await;
        client.say(format!("GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: {upgrade}\r\n{body}\r\n")).await;
        let head = app.accept().await.head().await;
        assert!(!head.contains("upgrade"), "{upgrade}: {head}");
    }
}

#[tokio::test]
async fn messages_go_round() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = ancm::proxy::Address::Tcp(listener.local_addr().unwrap());
    let echo = get(|upgrade: WebSocketUpgrade| async {
        upgrade.on_upgrade(|mut socket| async move {
            // To the end, so that the close is answered.
            while let Some(Ok(message)) = socket.recv().await {
                if matches!(message, AppMessage::Text(_) | AppMessage::Binary(_)) {
                    socket.send(message).await.unwrap();
                }
            }
        })
    });
    tokio::spawn(async move { axum::serve(listener, Router::new().route("/ws", echo)).await });
    let address = front(Proxy::new(), ancm::proxy::Backend::fixed(address)).await;
    let stream = tokio::net::TcpStream::connect(address).await.unwrap();
    let (mut socket, answer) = client_async("ws://a.example/ws", stream).await.unwrap();
    assert_eq!(answer.status(), 101);
    for message in [Message::text("hello"), Message::binary(vec![7; 100_000])] {
        socket.send(message.clone()).await.unwrap();
        assert_eq!(soon(socket.next()).await.unwrap().unwrap(), message);
    }
    socket.close(None).await.unwrap();
    while let Some(message) = soon(socket.next()).await {
        assert!(message.unwrap().is_close());
    }
}
