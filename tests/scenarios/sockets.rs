//! WebSockets, end to end.

use std::net::SocketAddr;

use futures_util::{SinkExt, StreamExt};
use http::{Request, StatusCode, header};
use tokio::net::TcpStream;
use tokio_tungstenite::{
    WebSocketStream, client_async,
    tungstenite::{
        Error, Message,
        client::IntoClientRequest,
        handshake::client::Response,
        protocol::{CloseFrame, frame::coding::CloseCode},
    },
};

use crate::at::At;

async fn connect(
    at: At,
    target: &str,
    protocols: Option<&'static str>,
) -> Result<(WebSocketStream<TcpStream>, Response), Error> {
    connect_to(at.module().address(), &at.target(target), protocols).await
}

pub(crate) async fn connect_to(
    address: SocketAddr,
    target: &str,
    protocols: Option<&'static str>,
) -> Result<(WebSocketStream<TcpStream>, Response), Error> {
    let url = format!("ws://{address}{target}");
    let mut request: Request<()> = url.into_client_request()?;
    if let Some(protocols) = protocols {
        let value = protocols.parse().unwrap();
        request
            .headers_mut()
            .insert(header::SEC_WEBSOCKET_PROTOCOL, value);
    }
    client_async(request, TcpStream::connect(address).await?).await
}

pub(crate) async fn echo_text_and_binary(at: At) {
    let (mut socket, response) = connect(at, "/ws?a=%20b", None).await.unwrap();
    assert_eq!(response.status(), StatusCode::SWITCHING_PROTOCOLS);
    for message in [
        Message::text("hello, wörld 你"),
        Message::binary(vec![0, 1, 2, 253, 254, 255]),
        Message::text(""),
        Message::text("t".repeat(60_000)),
        Message::binary(vec![7; 65_536]),
    ] {
        socket.send(message.clone()).await.unwrap();
        assert_eq!(socket.next().await.unwrap().unwrap(), message);
    }
    // A ping is the app's to answer, once there is nothing else to say.
    socket.send(Message::Ping("p".into())).await.unwrap();
    assert_eq!(
        socket.next().await.unwrap().unwrap(),
        Message::Pong("p".into())
    );
    socket.close(None).await.unwrap();
}

pub(crate) async fn choose_a_subprotocol(at: At) {
    let (mut socket, response) = connect(at, "/ws", Some("chat, superchat")).await.unwrap();
    assert_eq!(response.headers()["sec-websocket-protocol"], "chat");
    socket.close(None).await.unwrap();
}

fn frame(code: u16, reason: &'static str) -> CloseFrame {
    CloseFrame {
        code: CloseCode::from(code),
        reason: reason.into(),
    }
}

pub(crate) async fn close_with_the_clients_code(at: At) {
    let (mut socket, _) = connect(at, "/ws", None).await.unwrap();
    socket
        .close(Some(frame(4001, "client's reason")))
        .await
        .unwrap();
    let echoed = socket.next().await.unwrap().unwrap();
    assert_eq!(echoed, Message::Close(Some(frame(4001, "client's reason"))));
    assert!(socket.next().await.is_none(), "and then the end");
}

pub(crate) async fn close_with_the_apps_code(at: At) {
    let (mut socket, _) = connect(at, "/ws", None).await.unwrap();
    let wish = Message::text("close 4002 the app's reason");
    socket.send(wish).await.unwrap();
    let close = socket.next().await.unwrap().unwrap();
    assert_eq!(close, Message::Close(Some(frame(4002, "the app's reason"))));
    assert!(socket.next().await.is_none(), "and then the end");
}

/// An app that does not upgrade answers as it likes, and its answer arrives.
pub(crate) async fn are_refused_where_the_app_has_none(at: At) {
    let refused = connect(at, "/status/403", None).await.unwrap_err();
    let Error::Http(response) = refused else {
        panic!("{refused}");
    };
    assert_eq!(response.status(), StatusCode::FORBIDDEN);
    // As it came: this client does not undo the chunks.
    let body = String::from_utf8_lossy(response.body().as_deref().unwrap());
    assert!(body.contains("status 403"), "{body}");
}
