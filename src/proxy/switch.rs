//! Asks the app for a tunnel: by an upgrade of HTTP/1.1, or by an extended CONNECT of HTTP/2.

use http::{
    Response, StatusCode,
    header::{CONTENT_LENGTH, SEC_WEBSOCKET_ACCEPT, SET_COOKIE},
};
use hyper::upgrade::OnUpgrade;

use super::{
    body::Body,
    driven::Driven,
    h2c::{self, Opened},
    prepare::Wanted,
    response::{self, Client},
    send::Errand,
    service::Proxy,
    upgrade::AppSide,
    upstream::Upstream,
};
use crate::{
    config::Protocol,
    error::Error,
    websocket::{self, Handshake},
};

impl Proxy {
    /// What the client gets who asked for a tunnel: that, or an ordinary answer.
    pub(super) async fn tunnel(
        &self,
        errand: Errand,
        client: Client,
        wanted: Wanted,
    ) -> Result<Response<Body>, Error> {
        match errand.lease.backend().protocol() {
            Protocol::H2c => self.connect(errand, client, wanted).await,
            Protocol::Http1 => self.upgrade(errand, client, wanted).await,
        }
    }

    /// By HTTP/1.1, on a connection of its own that nobody uses after it.
    async fn upgrade(
        &self,
        mut errand: Errand,
        client: Client,
        wanted: Wanted,
    ) -> Result<Response<Body>, Error> {
        let options = self.options();
        let (io, seat) = errand.dial(options).await?;
        let mut upstream = Upstream::new(io, seat).await?;
        errand.introduce()?;
        let Errand {
            mut lease, request, ..
        } = errand;
        let answer = upstream.send(request, options.head_limit()).await?;
        let handshake = wanted.handshake.as_ref();
        if answer.status() != StatusCode::SWITCHING_PROTOCOLS {
            let (mut parts, inner) = answer.into_parts();
            if let Some(handshake) = handshake {
                handshake.finish(&mut parts).map_err(Error::backend)?;
            }
            response::rewrite(&mut parts, client, options.via.as_ref());
            if let Some(cookie) = lease.take_cookie() {
                parts.headers.append(SET_COOKIE, cookie);
            }
            let body = Driven::new(inner, upstream, lease, options.body_limit());
            return Ok(Response::from_parts(parts, Body::driven(body)));
        }
        let (mut parts, _) = answer.into_parts();
        let app = parts.extensions.remove::<OnUpgrade>();
        let Some(app) = app.filter(|_| response::agrees(&parts.headers)) else {
            return Err(Error::backend(
                "it switches to a protocol that nobody asked for",
            ));
        };
        response::switch(&mut parts, client, options.via.as_ref());
        if let Some(handshake) = handshake {
            handshake.finish(&mut parts).map_err(Error::backend)?;
        }
        let seat = upstream.detach();
        let cut = handshake.map(|handshake| handshake.cut().clone());
        let app = AppSide::Upgrade(app, seat);
        self.tunnels().open(wanted.client, cut, app, lease);
        Ok(Response::from_parts(parts, Body::empty()))
    }

    /// By HTTP/2, on a stream of a connection that others share (RFC 8441).
    async fn connect(
        &self,
        mut errand: Errand,
        client: Client,
        wanted: Wanted,
    ) -> Result<Response<Body>, Error> {
        let options = self.options();
        // A client of HTTP/2 needs no proof, and the app gives none.
        let proof = match &wanted.handshake {
            Some(_) => None,
            None => {
                let proof = websocket::proof(errand.request.headers());
                Some(proof.map_err(Error::bad_request)?)
            }
        };
        let (answer, opened) = h2c::connect(&mut errand, options).await?;
        let app = match opened {
            Opened::Tunnel(app) => AppSide::Stream(app),
            Opened::Refused(exchange) => {
                return Ok(self.streamed(answer, exchange, client, errand.lease));
            }
        };
        let (mut parts, ()) = answer.into_parts();
        parts.headers.remove(SEC_WEBSOCKET_ACCEPT);
        match proof {
            Some(proof) => {
                parts.status = StatusCode::SWITCHING_PROTOCOLS;
                response::switch(&mut parts, client, options.via.as_ref());
                parts.headers.insert(SEC_WEBSOCKET_ACCEPT, proof);
            }
            None => {
                parts.status = StatusCode::OK;
                response::rewrite(&mut parts, client, options.via.as_ref());
                parts.headers.remove(CONTENT_LENGTH);
            }
        }
        let cut = wanted.handshake.as_ref().map(Handshake::cut).cloned();
        self.tunnels().open(wanted.client, cut, app, errand.lease);
        Ok(Response::from_parts(parts, Body::empty()))
    }
}
