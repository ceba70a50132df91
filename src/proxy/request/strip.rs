//! What may not pass of a request's head, and what it asks for.

use std::cell::OnceCell;

use http::{
    HeaderMap, HeaderName, HeaderValue, Method, Version,
    header::{CONNECTION, COOKIE, EXPECT, TE, UPGRADE},
    request::Parts,
};

use super::{Asked, Sender, join};
use crate::{
    config::Underscores,
    error::Error,
    headers::{Field, connection_options, list, nominated},
    websocket::Extended,
};

/// What stands in a head that something must be done about.
#[derive(Debug, Default)]
pub(super) struct Seen {
    /// What may not pass.
    drop: Vec<HeaderName>,
    connection: bool,
    te: bool,
    pub(super) upgrade: bool,
    pub(super) length: bool,
    cookie: bool,
    pub(super) expect: bool,
    /// A trusted peer said where the request came from.
    pub(super) forwarded: bool,
}

impl Seen {
    pub(super) fn in_headers(headers: &HeaderMap, sender: Sender<'_>) -> Result<Self, Error> {
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

/// Takes away what may not pass, and says anew what is for this connection.
pub(super) fn strip(parts: &mut Parts, seen: &Seen, asked: Asked) {
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

pub(super) fn expects_continue(headers: &HeaderMap) -> bool {
    let expect = headers.get(EXPECT).map(HeaderValue::as_bytes);
    expect.is_some_and(|expect| expect.eq_ignore_ascii_case(b"100-continue"))
}

/// A valid request for a WebSocket, and for nothing else (RFC 6455, 4.1); the key is the app's to judge.
pub(super) fn wants_websocket(parts: &Parts) -> bool {
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
