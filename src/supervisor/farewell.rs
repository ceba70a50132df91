//! The shutdown event: the one request that we make ourselves.

use std::{io, net::SocketAddr};

use bytes::Bytes;
use http::{HeaderValue, Method, Request, StatusCode, header};
use http_body_util::Empty;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

use crate::{
    PathBase,
    headers::{MS_ASPNETCORE_EVENT, MS_ASPNETCORE_TOKEN},
    proxy::{Backend, Owner},
};

#[derive(Debug, thiserror::Error)]
pub(super) enum Error {
    #[error("can't connect")]
    Connect(#[source] io::Error),
    #[error("another process listens on the port")]
    NotOwner,
    #[error("the exchange broke off")]
    Exchange(#[from] hyper::Error),
    #[error("the request is not HTTP")]
    Request(#[from] http::Error),
}

/// Asks the app at `address` to stop; gives its answer.
///
/// The token is sent only if the listener is the app's own, seen after the connection stands.
/// Dropping the future breaks the exchange off.
pub(super) async fn send(
    address: SocketAddr,
    path_base: &PathBase,
    backend: &Backend,
    owner: &impl Owner,
) -> Result<StatusCode, Error> {
    let request = request(address, path_base, backend)?;
    let stream = TcpStream::connect(address).await.map_err(Error::Connect)?;
    if !owner.owns_listener() {
        return Err(Error::NotOwner);
    }
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
    let exchange = sender.send_request(request);
    tokio::pin!(exchange, connection);
    tokio::select! {
        biased;
        response = &mut exchange => Ok(response?.status()),
        // The connection may end with the answer that it brought.
        ended = &mut connection => {
            ended?;
            Ok(exchange.await?.status())
        }
    }
}

/// ANCM: `POST {path base}/iisintegration` with the event and the token, without a body.
///
/// Differs from ANCM: `Content-Length: 0` is said, without which Kestrel answers 411, and the event
/// has no space behind it.
fn request(
    address: SocketAddr,
    path_base: &PathBase,
    backend: &Backend,
) -> Result<Request<Empty<Bytes>>, http::Error> {
    let mut request = Request::builder()
        .method(Method::POST)
        .uri(path_base.join("/iisintegration"))
        .header(header::HOST, address.to_string())
        .header(header::CONTENT_LENGTH, HeaderValue::from_static("0"))
        .header(MS_ASPNETCORE_EVENT, HeaderValue::from_static("shutdown"));
    if let Some(token) = backend.token() {
        request = request.header(MS_ASPNETCORE_TOKEN, token.header_value().clone());
    }
    request.body(Empty::new())
}
