//! The head of a request, from what the client sent to what the app gets.

mod forwarded;
mod hops;
mod identity;
mod target;
mod trace;

pub(super) use self::hops::{Via, is_last};
pub(super) use self::identity::vouch;

use std::cell::OnceCell;

use bytes::{BufMut, Bytes, BytesMut};
use http::{
    HeaderMap, HeaderName, HeaderValue, Method, Version,
    header::{CONNECTION, CONTENT_LENGTH, COOKIE, EXPECT, TE, TRANSFER_ENCODING, UPGRADE},
    request::Parts,
};

use super::options::ProxyOptions;
use crate::{
    Connection, PairingToken,
    config::Underscores,
    error::Error,
    headers::{
        Field, MS_ASPNETCORE_CLIENTCERT, MS_ASPNETCORE_TOKEN, connection_options, list, nominated,
    },
    websocket::Extended,
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

/// What stands in a head that something must be done about.
#[derive(Debug, Default)]
struct Seen {
    /// What may not pass.
    drop: Vec<HeaderName>,
    connection: bool,
    te: bool,
    upgrade: bool,
    length: bool,
    cookie: bool,
    expect: bool,
    /// A trusted peer said where the request came from.
    forwarded: bool,
}

impl Seen {
    fn in_headers(headers: &HeaderMap, sender: Sender<'_>) -> Result<Self, Error> {
        let mut seen = Self::default();
        let peer = sender.connection.peer();
        // Worth the search only where there is something to believe, and once.
        let trusted = OnceCell::new();
        let trusted =
            || *trusted.get_or_init(|| peer.is_some_and(|peer| sender.options.trusts(peer.ip())));
        for name in headers.keys() {
            match Field::of(name) {
                Field::EndToEnd | Field::Host => {
                    let scored = sender.options.said.underscores;
                    if scored != Underscores::DropAliases && name.as_str().contains('_') {
                        seen.judge(scored, name)?;
                    }
                }
                Field::Alias => seen.judge(sender.options.said.underscores, name)?,
                Field::Forwarded if trusted() => seen.forwarded = true,
                Field::Reserved | Field::Forwarded | Field::HopByHop => {
                    seen.drop.push(name.clone());
                }
                Field::Connection => seen.connection = true,
                Field::Te => seen.te = true,
                Field::Upgrade => seen.upgrade = true,
                Field::ContentLength => seen.length = true,
                Field::Cookie => seen.cookie = true,
                Field::Expect => seen.expect = true,
            }
        }
        if seen.connection {
            seen.drop.extend(nominated(headers));
        }
        Ok(seen)
    }

    /// `name` has an underscore in it.
    fn judge(&mut self, underscores: Underscores, name: &HeaderName) -> Result<(), Error> {
        match underscores {
            Underscores::Keep => {}
            Underscores::DropAliases | Underscores::DropAll => self.drop.push(name.clone()),
            Underscores::Refuse => {
                return Err(Error::bad_request(
                    "a header's name has an underscore in it",
                ));
            }
        }
        Ok(())
    }
}

fn strip(parts: &mut Parts, seen: &Seen, asked: Asked) {
    let headers = &mut parts.headers;
    let trailers = seen.te && takes_trailers(headers);
    for name in &seen.drop {
        headers.remove(name);
    }
    // `Proxy-Authorization` passes, as in the module: we asked for none, so it is not for us (RFC 9110, 11.7.2).
    for (there, name) in [
        (seen.connection, CONNECTION),
        (seen.te, TE),
        (seen.upgrade, UPGRADE),
    ] {
        if there {
            headers.remove(name);
        }
    }
    if asked.upgrade {
        headers.insert(CONNECTION, HeaderValue::from_static("Upgrade"));
        headers.insert(UPGRADE, HeaderValue::from_static("websocket"));
    } else if trailers {
        // `TE` is for one connection, and whoever sends it says so (RFC 9110, 10.1.4).
        headers.insert(CONNECTION, HeaderValue::from_static("TE"));
        headers.insert(TE, HeaderValue::from_static("trailers"));
    }
    if seen.cookie && parts.version >= Version::HTTP_2 {
        join_cookies(headers);
    }
}

fn takes_trailers(headers: &HeaderMap) -> bool {
    let mut lines = headers
        .get_all(TE)
        .iter()
        .flat_map(|line| list(line.as_bytes()));
    lines.any(|coding| coding.eq_ignore_ascii_case(b"trailers"))
}

fn expects_continue(headers: &HeaderMap) -> bool {
    let expect = headers.get(EXPECT).map(HeaderValue::as_bytes);
    expect.is_some_and(|expect| expect.eq_ignore_ascii_case(b"100-continue"))
}

/// A valid request for a WebSocket, and for nothing else (RFC 6455, 4.1); the key is the app's to judge.
fn wants_websocket(parts: &Parts) -> bool {
    let mut protocols = parts.headers.get_all(UPGRADE).iter();
    let websocket = protocols
        .next()
        .is_some_and(|protocol| protocol.as_bytes().eq_ignore_ascii_case(b"websocket"));
    (parts.version == Version::HTTP_11 || parts.extensions.get::<Extended>().is_some())
        && parts.method == Method::GET
        && websocket
        && protocols.next().is_none()
        && connection_options(&parts.headers).any(|option| option.eq_ignore_ascii_case(b"upgrade"))
}

/// HTTP/2 may send a cookie in pieces, HTTP/1.1 may not (RFC 9113, 8.2.3).
fn join_cookies(headers: &mut HeaderMap) {
    if headers.get_all(COOKIE).iter().nth(1).is_some()
        && let Some(joined) = join(headers, &COOKIE, b"; ", None)
    {
        headers.insert(COOKIE, joined);
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
