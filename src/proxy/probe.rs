//! A request of our own to an app, of whose answer the status matters alone.

use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body_util::Empty;
use hyper::{
    body::Incoming,
    client::conn::{http1, http2},
};
use hyper_util::rt::{TokioExecutor, TokioIo};

use super::{Address, Io};
use crate::config::Protocol;

/// The status of the answer to `request`, asked in `protocol`. Dropping the future breaks the exchange off.
pub(crate) async fn status(
    io: Io,
    protocol: Protocol,
    request: Request<Empty<Bytes>>,
) -> hyper::Result<StatusCode> {
    let io = TokioIo::new(io);
    match protocol {
        Protocol::Http1 => {
            let (mut sender, connection) = http1::handshake(io).await?;
            answered(sender.send_request(request), connection).await
        }
        Protocol::H2c => {
            let (mut sender, connection) = http2::handshake(TokioExecutor::new(), io).await?;
            answered(sender.send_request(request), connection).await
        }
    }
}

/// The status of the answer that `exchange` gets while `connection` is driven.
async fn answered(
    exchange: impl Future<Output = hyper::Result<Response<Incoming>>>,
    connection: impl Future<Output = hyper::Result<()>>,
) -> hyper::Result<StatusCode> {
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

/// What `Host` says of `address`.
pub(crate) fn host(address: &Address) -> String {
    match address {
        Address::Tcp(address) => address.to_string(),
        // RFC 3986, 3.2.2: a path is no host.
        #[cfg(unix)]
        Address::Unix(_) => "localhost".to_owned(),
        Address::InProcess(_) => "localhost".to_owned(),
    }
}
