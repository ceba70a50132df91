//! Makes of a request what the app gets, before anything is sent.

use bytes::Bytes;
use http::{Request, Response, Version, header::UPGRADE, request::Parts};
use hyper::upgrade::OnUpgrade;

use super::{
    body::Body,
    hints::Hints,
    lease::Forward,
    limit,
    options::ProxyOptions,
    request::{Sender, frame, is_last, rewrite, rewrite_to_lines},
    response::{self, Client},
    send::Errand,
    user::User,
};
use crate::{
    config::Protocol,
    error::{BoxError, Error, is_call},
    websocket::Handshake,
};

/// What the app gets, and what has to be remembered meanwhile.
pub(super) fn prepare<B>(forward: Forward<B>, options: &ProxyOptions) -> Result<Prepared, Settled>
where
    B: http_body::Body<Data = Bytes> + Send + 'static,
    B::Error: Into<BoxError>,
{
    let Forward {
        lease,
        connection,
        request,
    } = forward;
    let (mut parts, body) = request.into_parts();
    if is_last(&mut parts) {
        return Err(Settled::Answered);
    }
    let handshake = Handshake::begin(&mut parts)?;
    let (mut body, upload) = limit::upload(body, parts.version, options.said.max_body_size)?;
    let client = Client {
        version: parts.version,
        hears_close: options.forward_response_connection_header,
    };
    // Streams of HTTP/2 share their connection's window: those that the app keeps waiting may keep a client from sending more.
    if let Some(upload) = &upload
        && (parts.version >= Version::HTTP_2 || is_call(&parts.headers))
    {
        upload.tells();
    }
    // Only a front that can hand its connection over can be asked for a tunnel.
    let upgrade = (upload.is_none() && !parts.extensions.is_empty())
        .then(|| upgrade(&mut parts))
        .flatten();
    let sender = Sender {
        connection: &connection,
        token: lease.backend().token(),
        options,
    };
    let by_lines = upgrade.is_none() && lease.backend().protocol() == Protocol::Http1;
    let (asked, told) = if by_lines {
        rewrite_to_lines(&mut parts, false, sender)?
    } else {
        let asked = rewrite(&mut parts, upgrade.is_some(), sender)?;
        (asked, Bytes::new())
    };
    if handshake.is_some() && !asked.upgrade {
        return Err(Error::protocol_refused().into());
    }
    frame(&mut parts, asked, http_body::Body::size_hint(&body).exact());
    #[cfg(all(unix, feature = "in-process"))]
    if lease.backend().is_worker() {
        super::request::brief(&mut parts.headers, &connection);
    }
    let user = User::of(&connection, &mut parts.extensions, options);
    parts.extensions.clear();
    // A front on hyper says `100 Continue` to its client when the body is first asked for, which is then.
    let opener =
        (asked.expect && upload.is_some()).then(|| body.hold(options.said.continue_timeout));
    let request = Request::from_parts(parts, body);
    let hints = Hints::new(connection, client.version);
    Ok(Prepared {
        errand: Errand::new(lease, request, told, upload, opener, user, hints),
        client,
        tunnel: upgrade
            .filter(|_| asked.upgrade)
            .map(|client| Box::new(Wanted { client, handshake })),
    })
}

/// Where the client's connection can be had, if the request asks for another protocol on it.
fn upgrade(parts: &mut Parts) -> Option<OnUpgrade> {
    if parts.headers.contains_key(UPGRADE) {
        parts.extensions.remove()
    } else {
        None
    }
}

/// A request that can be sent.
pub(super) struct Prepared {
    pub(super) errand: Errand,
    pub(super) client: Client,
    /// In a box, because it is seldom.
    pub(super) tunnel: Option<Box<Wanted>>,
}

/// A tunnel that is asked for.
pub(super) struct Wanted {
    pub(super) client: OnUpgrade,
    /// Where the client asks for it by HTTP/2.
    pub(super) handshake: Option<Handshake>,
}

/// Why a request is not forwarded.
pub(super) enum Settled {
    /// It can't be.
    Refused(Error),
    /// It said itself that it goes no further.
    Answered,
}

impl Settled {
    pub(super) fn into_answer(self) -> Result<Response<Body>, Error> {
        match self {
            Self::Refused(error) => Err(error),
            Self::Answered => Ok(response::of_the_last_hop()),
        }
    }
}

impl From<Error> for Settled {
    fn from(error: Error) -> Self {
        Self::Refused(error)
    }
}
