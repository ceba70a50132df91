//! The head of a request, from what the client sent to what the app gets.

mod forwarded;
mod hops;
mod identity;
mod strip;
mod target;
mod trace;

pub(super) use self::hops::{Via, is_last};
pub(super) use self::identity::vouch;

use bytes::{BufMut, Bytes, BytesMut};
use http::{
    HeaderMap, HeaderName, HeaderValue, Method, Version,
    header::{CONTENT_LENGTH, TRANSFER_ENCODING},
    request::Parts,
};

use self::strip::{Seen, expects_continue, strip, wants_websocket};
use super::options::ProxyOptions;
use crate::{
    Connection, PairingToken,
    error::Error,
    headers::{MS_ASPNETCORE_CLIENTCERT, MS_ASPNETCORE_TOKEN},
};

/// What the head of a request asks of whoever forwards it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Asked {
    /// To become a WebSocket.
    pub(super) upgrade: bool,
    /// To hear `100 Continue` before the body.
    pub(super) expect: bool,
    /// The client gave a length.
    pub(super) length: bool,
}

/// Who sends a request, and what it may do.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sender<'a> {
    pub(super) connection: &'a Connection,
    pub(super) token: Option<&'a PairingToken>,
    pub(super) options: &'a ProxyOptions,
}

/// Makes of what the client sent what the app gets, or says why it can't be forwarded.
///
/// In this order, which the safety of the rest hangs on: refuse; strip what is the module's, what is this
/// connection's and what the client said of itself; only then add ours.
pub(super) fn rewrite(
    parts: &mut Parts,
    bodiless: bool,
    sender: Sender<'_>,
) -> Result<Asked, Error> {
    let (asked, believed) = clean(parts, bodiless, sender)?;
    pair(&mut parts.headers, sender);
    forwarded::tell(&mut parts.headers, sender, believed);
    Ok(asked)
}

/// As [`rewrite`], for an app whose requests are written as lines: what is told of the client is given back as such where
/// it is the same for all requests of a connection, which saves what a place in the map costs.
pub(super) fn rewrite_to_lines(
    parts: &mut Parts,
    bodiless: bool,
    sender: Sender<'_>,
) -> Result<(Asked, Bytes), Error> {
    let (asked, believed) = clean(parts, bodiless, sender)?;
    pair(&mut parts.headers, sender);
    if let Some(lines) = forwarded::lines(sender, believed) {
        return Ok((asked, lines.clone()));
    }
    forwarded::tell(&mut parts.headers, sender, believed);
    Ok((asked, Bytes::new()))
}

/// Leaves nothing in a head that may not pass. Whether what a trusted peer said of the client still stands there.
fn clean(parts: &mut Parts, bodiless: bool, sender: Sender<'_>) -> Result<(Asked, bool), Error> {
    refuse(&parts.method)?;
    target::settle(parts)?;
    let seen = Seen::in_headers(&parts.headers, sender)?;
    let asked = Asked {
        upgrade: bodiless && seen.upgrade && sender.options.websockets && wants_websocket(parts),
        expect: seen.expect && expects_continue(&parts.headers),
        length: seen.length,
    };
    strip(parts, &seen, asked);
    if let Some(via) = &sender.options.via {
        via.sign(&mut parts.headers, parts.version);
    }
    if sender.options.said.trace_context {
        trace::settle(&mut parts.headers);
    }
    parts.version = Version::HTTP_11;
    Ok((asked, seen.forwarded))
}

/// As [`rewrite`], for an app of this process: it hears by other ways who the client is, and what the client speaks.
pub(super) fn receive(
    parts: &mut Parts,
    bodiless: bool,
    sender: Sender<'_>,
) -> Result<Asked, Error> {
    refuse(&parts.method)?;
    target::settle(parts)?;
    let seen = Seen::in_headers(&parts.headers, sender)?;
    let asked = Asked {
        upgrade: bodiless && seen.upgrade && sender.options.websockets && wants_websocket(parts),
        expect: seen.expect,
        length: seen.length,
    };
    strip(parts, &seen, asked);
    if sender.options.said.trace_context {
        trace::settle(&mut parts.headers);
    }
    Ok(asked)
}

/// Says why a request can't be given to an app that gets it as it came.
///
/// # Errors
///
/// What [`rewrite`] refuses of its method, its host and its target.
#[cfg(all(feature = "in-process", unix))]
pub(crate) fn judge(parts: &Parts) -> Result<(), Error> {
    refuse(&parts.method)?;
    target::judge(parts)
}

/// What [`rewrite`] makes of a request without a body that could become a tunnel: the rules by themselves, to be tried on
/// whatever comes to mind.
///
/// # Errors
///
/// When the request can't be forwarded.
#[doc(hidden)]
pub fn rewrite_head(
    parts: &mut Parts,
    connection: &Connection,
    token: Option<&PairingToken>,
    options: &ProxyOptions,
) -> Result<(), Error> {
    let sender = Sender {
        connection,
        token,
        options,
    };
    let asked = rewrite(parts, true, sender)?;
    frame(parts, asked, Some(0));
    Ok(())
}

/// Says how the body is framed, now that `length` tells how long it is.
///
/// The client's own framing is never copied. `None` is a length that nobody knows yet.
pub(super) fn frame(parts: &mut Parts, asked: Asked, length: Option<u64>) {
    if asked.length {
        parts.headers.remove(CONTENT_LENGTH);
    }
    match length {
        // Said by these methods even of no body (RFC 9110, 8.6), where an app may insist on it.
        Some(0) if asked.length || has_content(&parts.method) => {
            parts
                .headers
                .insert(CONTENT_LENGTH, HeaderValue::from_static("0"));
        }
        Some(0) => {}
        Some(length) => {
            parts.headers.insert(CONTENT_LENGTH, length.into());
        }
        // Differs from ANCM: a GET may have a body of unknown length too (dotnet/aspnetcore#67423).
        None => {
            let chunked = HeaderValue::from_static("chunked");
            parts.headers.insert(TRANSFER_ENCODING, chunked);
        }
    }
}

const fn has_content(method: &Method) -> bool {
    matches!(*method, Method::POST | Method::PUT | Method::PATCH)
}

fn refuse(method: &Method) -> Result<(), Error> {
    match *method {
        // A gateway is no way to other hosts. Extended CONNECT (RFC 8441) is none of these any more.
        Method::CONNECT => Err(Error::method_refused()),
        // Differs from ANCM: an app that answers TRACE sends back what it got, our token included (RFC 9110, 9.3.8).
        Method::TRACE => Err(Error::method_refused()),
        _ => Ok(()),
    }
}

/// All values of `name`, and then `last`, as one; `None` where that is none.
fn join(
    headers: &HeaderMap,
    name: &HeaderName,
    separator: &[u8],
    last: Option<&HeaderValue>,
) -> Option<HeaderValue> {
    let mut joined = BytesMut::new();
    for value in headers.get_all(name).iter().chain(last) {
        if !joined.is_empty() {
            joined.put_slice(separator);
        }
        joined.put_slice(value.as_bytes());
    }
    HeaderValue::from_maybe_shared(joined.freeze()).ok()
}

/// Tells a worker what is known of a client's connection beyond that.
///
/// Runs after the client's own headers of this name were taken out.
#[cfg(all(unix, feature = "in-process"))]
pub(super) fn brief(headers: &mut HeaderMap, connection: &Connection) {
    if let Some(told) = connection.told_value() {
        headers.insert(crate::headers::MS_ASPNETCORE_CONNECTION, told.clone());
    }
}

/// Adds what only the module says.
fn pair(headers: &mut HeaderMap, sender: Sender<'_>) {
    if let Some(token) = sender.token {
        headers.insert(MS_ASPNETCORE_TOKEN, token.header_value().clone());
    }
    if let Some(certificate) = sender.connection.certificate_value() {
        headers.insert(MS_ASPNETCORE_CLIENTCERT, certificate.clone());
    }
}

#[cfg(test)]
mod tests;
