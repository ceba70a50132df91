//! WebSockets, end to end: by an upgrade of HTTP/1.1, and on a stream of HTTP/2 (RFC 8441).

use std::net::SocketAddr;

use futures_util::{SinkExt, StreamExt};
use http::{Method, Request, Response, StatusCode, Version, header};
use http_body_util::{BodyExt, Empty};
use hyper::{client::conn::http2, ext::Protocol as Asked};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
};
use tokio_tungstenite::{
    WebSocketStream, client_async,
    tungstenite::{
        Bytes, Error, Message,
        client::IntoClientRequest,
        protocol::{CloseFrame, Role, frame::coding::CloseCode},
    },
};

use crate::{at::At, support::client::Protocol};

/// Whatever the frames go over.
pub(crate) trait Bytewise: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Bytewise for T {}

type Socket = WebSocketStream<Box<dyn Bytewise>>;
/// What the module answered, with its body where that was no WebSocket.
type Answer = Response<Option<Vec<u8>>>;

async fn connect(
    at: At,
    target: &str,
    protocols: Option<&'static str>,
) -> Result<(Socket, Answer), Box<Answer>> {
    let (address, target) = (at.module().address(), at.target(target));
    match at.protocol {
        Protocol::Http1 => connect_to(address, &target, protocols).await,
        Protocol::Http2 => connect_on_a_stream(address, &target, protocols).await,
    }
}

pub(crate) async fn connect_to(
    address: SocketAddr,
    target: &str,
    protocols: Option<&'static str>,
) -> Result<(Socket, Answer), Box<Answer>> {
    let url = format!("ws://{address}{target}");
    let mut request: Request<()> = url.into_client_request().unwrap();
    if let Some(protocols) = protocols {
        let value = protocols.parse().unwrap();
        request
            .headers_mut()
            .insert(header::SEC_WEBSOCKET_PROTOCOL, value);
    }
    let stream: Box<dyn Bytewise> = Box::new(TcpStream::connect(address).await.unwrap());
    match client_async(request, stream).await {
        Ok(connected) => Ok(connected),
        Err(Error::Http(answer)) => Err(answer),
        Err(error) => panic!("{error}"),
    }
}

async fn connect_on_a_stream(
    address: SocketAddr,
    target: &str,
    protocols: Option<&'static str>,
) -> Result<(Socket, Answer), Box<Answer>> {
    let stream = TcpStream::connect(address).await.unwrap();
    stream.set_nodelay(true).unwrap();
    let handshake = http2::handshake(TokioExecutor::new(), TokioIo::new(stream));
    let (mut sender, connection) = handshake.await.unwrap();
    tokio::spawn(connection);
    let mut request = Request::builder()
        .method(Method::CONNECT)
        .version(Version::HTTP_2)
        .uri(format!("http://{address}{target}"))
        .extension(Asked::from_static("websocket"))
        .header(header::SEC_WEBSOCKET_VERSION, "13");
    if let Some(protocols) = protocols {
        request = request.header(header::SEC_WEBSOCKET_PROTOCOL, protocols);
    }
    let request = request.body(Empty::<Bytes>::new()).unwrap();
    let mut answer = sender.send_request(request).await.unwrap();
    if answer.status() != StatusCode::OK {
        let (head, body) = answer.into_parts();
        let body = body.collect().await.unwrap().to_bytes().to_vec();
        return Err(Box::new(Response::from_parts(head, Some(body))));
    }
    assert!(!answer.headers().contains_key("sec-websocket-accept"));
    let upgraded = hyper::upgrade::on(&mut answer).await.unwrap();
    let stream: Box<dyn Bytewise> = Box::new(TokioIo::new(upgraded));
    let socket = WebSocketStream::from_raw_socket(stream, Role::Client, None).await;
    Ok((socket, answer.map(|_| None)))
}

async fn opened(at: At, target: &str, protocols: Option<&'static str>) -> (Socket, Answer) {
    match connect(at, target, protocols).await {
        Ok(opened) => opened,
        Err(answer) => panic!("{answer:?}"),
    }
}

pub(crate) async fn echo_text_and_binary(at: At) {
    let (mut socket, response) = opened(at, "/ws?a=%20b", None).await;
    let expected = match at.protocol {
        Protocol::Http1 => StatusCode::SWITCHING_PROTOCOLS,
        Protocol::Http2 => StatusCode::OK,
    };
    assert_eq!(response.status(), expected);
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
    let (mut socket, response) = opened(at, "/ws", Some("chat, superchat")).await;
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
    let (mut socket, _) = opened(at, "/ws", None).await;
    socket
        .close(Some(frame(4001, "client's reason")))
        .await
        .unwrap();
    let echoed = socket.next().await.unwrap().unwrap();
    assert_eq!(echoed, Message::Close(Some(frame(4001, "client's reason"))));
    assert!(socket.next().await.is_none(), "and then the end");
}

pub(crate) async fn close_with_the_apps_code(at: At) {
    let (mut socket, _) = opened(at, "/ws", None).await;
    let wish = Message::text("close 4002 the app's reason");
    socket.send(wish).await.unwrap();
    let close = socket.next().await.unwrap().unwrap();
    assert_eq!(close, Message::Close(Some(frame(4002, "the app's reason"))));
    assert!(socket.next().await.is_none(), "and then the end");
}

/// An app that does not upgrade answers as it likes, and its answer arrives.
pub(crate) async fn are_refused_where_the_app_has_none(at: At) {
    let Err(response) = connect(at, "/status/403", None).await else {
        panic!("it opened");
    };
    assert_eq!(response.status(), StatusCode::FORBIDDEN);
    // As it came: this client does not undo the chunks.
    let body = String::from_utf8_lossy(response.body().as_deref().unwrap());
    assert!(body.contains("status 403"), "{body}");
}
