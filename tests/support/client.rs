//! An HTTP client of one connection, so that a test knows which socket a request came from.

use std::net::SocketAddr;

use bytes::Bytes;
use http::{HeaderMap, Request, Response, StatusCode, Uri, header, response};
use http_body_util::{BodyExt, Empty, Full, combinators::UnsyncBoxBody};
use hyper::{
    body::Incoming,
    client::conn::{http1, http2},
};
use hyper_util::rt::{TokioExecutor, TokioIo};
use serde_json::Value;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
};

pub(crate) type BoxError = Box<dyn std::error::Error + Send + Sync>;
pub(crate) type Body = UnsyncBoxBody<Bytes, BoxError>;

/// The protocol that a client speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Protocol {
    Http1,
    /// In cleartext, and without asking first.
    Http2,
}

/// One connection.
#[derive(Debug)]
pub(crate) struct Client {
    sender: Sender,
    local: SocketAddr,
    scheme: &'static str,
    authority: String,
}

#[derive(Debug)]
enum Sender {
    Http1(http1::SendRequest<Body>),
    Http2(http2::SendRequest<Body>),
}

impl Client {
    pub(crate) async fn connect(address: SocketAddr, protocol: Protocol) -> Self {
        let stream = TcpStream::connect(address).await.unwrap();
        stream.set_nodelay(true).unwrap();
        let local = stream.local_addr().unwrap();
        Self::over(stream, local, "http", address.to_string(), protocol).await
    }

    /// On a connection that is there already, from `local`.
    pub(crate) async fn over(
        stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
        local: SocketAddr,
        scheme: &'static str,
        authority: String,
        protocol: Protocol,
    ) -> Self {
        let io = TokioIo::new(stream);
        let sender = match protocol {
            Protocol::Http1 => {
                let (sender, connection) = http1::handshake(io).await.unwrap();
                tokio::spawn(connection);
                Sender::Http1(sender)
            }
            Protocol::Http2 => {
                let executor = TokioExecutor::new();
                let (sender, connection) = http2::handshake(executor, io).await.unwrap();
                tokio::spawn(connection);
                Sender::Http2(sender)
            }
        };
        Self {
            sender,
            local,
            scheme,
            authority,
        }
    }

    /// This end of the connection: the client's address, as the app should see it.
    pub(crate) fn local(&self) -> SocketAddr {
        self.local
    }

    /// Sends a request whose URI is only a target; its `Host` is the server's address, if it has none.
    pub(crate) async fn send(
        &mut self,
        mut request: Request<Body>,
    ) -> hyper::Result<Response<Incoming>> {
        let authority = self.authority.parse().unwrap();
        let host = request.headers_mut().entry(header::HOST);
        let host = host.or_insert(authority).clone();
        match &mut self.sender {
            Sender::Http1(sender) => {
                sender.ready().await?;
                sender.send_request(request).await
            }
            Sender::Http2(sender) => {
                request.headers_mut().remove(header::HOST);
                let target = request.uri().path_and_query().unwrap();
                let uri = format!("{}://{}{target}", self.scheme, host.to_str().unwrap());
                *request.uri_mut() = uri.parse::<Uri>().unwrap();
                sender.ready().await?;
                sender.send_request(request).await
            }
        }
    }

    /// Sends a request and reads the whole answer.
    pub(crate) async fn ask(&mut self, request: Request<Body>) -> Answer {
        let label = format!("{} {}", request.method(), request.uri());
        let response = self.send(request).await;
        let response = response.unwrap_or_else(|error| panic!("{label}: {error:?}"));
        Answer::read(response)
            .await
            .unwrap_or_else(|error| panic!("{label}: {error:?}"))
    }

    /// Asks for `target` and reads the whole answer.
    pub(crate) async fn get(&mut self, target: &str) -> Answer {
        self.ask(Request::get(target).body(empty()).unwrap()).await
    }
}

/// An answer, read to its end.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) head: response::Parts,
    pub(crate) body: Bytes,
    pub(crate) trailers: Option<HeaderMap>,
}

impl Answer {
    pub(crate) async fn read(response: Response<Incoming>) -> hyper::Result<Self> {
        let (head, body) = response.into_parts();
        let body = body.collect().await?;
        let trailers = body.trailers().cloned();
        Ok(Self {
            head,
            body: body.to_bytes(),
            trailers,
        })
    }

    pub(crate) fn status(&self) -> StatusCode {
        self.head.status
    }

    pub(crate) fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap()
    }

    /// The body of a successful answer.
    pub(crate) fn json(&self) -> Value {
        assert_eq!(self.status(), StatusCode::OK, "{}", self.text());
        serde_json::from_slice(&self.body).unwrap()
    }

    /// All values of a header, in their order.
    pub(crate) fn values(&self, name: &str) -> Vec<&str> {
        let values = self.head.headers.get_all(name).iter();
        values.map(|value| value.to_str().unwrap()).collect()
    }
}

pub(crate) fn empty() -> Body {
    Empty::new().map_err(|never| match never {}).boxed_unsync()
}

/// A body whose length is known.
pub(crate) fn full(bytes: impl Into<Bytes>) -> Body {
    Full::new(bytes.into())
        .map_err(|never| match never {})
        .boxed_unsync()
}
