//! The few requests that we make ourselves: the shutdown event, the probe, the warm-up.

use std::io;

use bytes::Bytes;
use http::{HeaderValue, Method, Request, StatusCode, header};
use http_body_util::Empty;

use crate::{
    Connection, PairingToken, PathBase,
    config::Protocol,
    headers::{MS_ASPNETCORE_EVENT, MS_ASPNETCORE_TOKEN},
    proxy::{Address, Io, Owner, RequestBody, probe},
};

#[derive(Debug, thiserror::Error)]
pub(super) enum Error {
    #[error("can't connect")]
    Connect(#[source] io::Error),
    #[error("another process listens on the port")]
    NotOwner,
    #[error("the app gave no answer")]
    App(#[from] crate::error::Error),
    #[error("the exchange broke off")]
    Exchange(#[from] hyper::Error),
    #[error("the request is not HTTP")]
    Request(#[from] http::Error),
}

/// An app, as somebody who pairs with it sees it.
pub(super) struct Peer<'a, O> {
    pub(super) address: Address,
    pub(super) token: Option<&'a PairingToken>,
    pub(super) owner: O,
    pub(super) path_base: &'a PathBase,
    pub(super) protocol: Protocol,
}

impl<O: Owner> Peer<'_, O> {
    /// Asks the app to stop; gives the status of its answer.
    ///
    /// ANCM: `POST {path base}/iisintegration` with the event and the token, without a body.
    ///
    /// Differs from ANCM: `Content-Length: 0` is said, without which Kestrel answers 411, and the
    /// event has no space behind it.
    pub(super) async fn shutdown(&self) -> Result<StatusCode, Error> {
        let request = Request::builder()
            .method(Method::POST)
            .uri(self.path_base.join("/iisintegration"))
            .header(header::CONTENT_LENGTH, HeaderValue::from_static("0"))
            .header(MS_ASPNETCORE_EVENT, HeaderValue::from_static("shutdown"));
        self.send(request).await
    }

    /// Gets `path` under the path base; gives the status of the answer.
    pub(super) async fn get(&self, path: &str) -> Result<StatusCode, Error> {
        let request = Request::builder().uri(self.path_base.join(path));
        self.send(request).await
    }

    /// Asks whether anybody is there: RFC 9110, 9.3.7. Gives the status of the answer.
    #[cfg(unix)]
    pub(super) async fn ping(&self) -> Result<StatusCode, Error> {
        let request = Request::builder().method(Method::OPTIONS).uri("*");
        self.send(request).await
    }

    /// The token is sent only if the listener is the app's own, seen after the connection stands.
    /// Dropping the future breaks the exchange off.
    async fn send(&self, request: http::request::Builder) -> Result<StatusCode, Error> {
        let mut request = request.header(header::HOST, probe::host(&self.address));
        if let Some(token) = self.token {
            request = request.header(MS_ASPNETCORE_TOKEN, token.header_value());
        }
        if let Address::InProcess(app) = &self.address {
            let request = request.body(RequestBody::empty())?;
            return Ok(app.serve(Connection::unknown(), request).await?.status());
        }
        let request = request.body(Empty::<Bytes>::new())?;
        let connected = Io::connect(&self.address).await;
        let stream = connected.map_err(Error::Connect)?;
        if !self.owner.owns_listener() {
            return Err(Error::NotOwner);
        }
        Ok(probe::status(stream, self.protocol, request).await?)
    }
}
