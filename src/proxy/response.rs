//! The head of a response, from what the app sent to what the client gets.

use http::{
    HeaderMap, HeaderName, HeaderValue, Response, StatusCode, Version,
    header::{CONNECTION, CONTENT_LENGTH, Entry, TRANSFER_ENCODING, UPGRADE},
    response::Parts,
};

use super::{body::Body, request::Via};
use crate::headers::{Field, connection_options, nominated};

/// What the client can be told.
#[derive(Clone, Copy, Debug)]
pub(super) struct Client {
    /// The version of its request.
    pub(super) version: Version,
    /// Whether it may hear that the app closes.
    pub(super) hears_close: bool,
}

/// Makes of what the app sent what the client gets.
///
/// `Date` and `Server` pass as the app sent them, repeated fields all pass.
///
/// Differs from ANCM: it drops `Date`, and keeps only the last of a repeated known field.
pub(super) fn rewrite(parts: &mut Parts, client: Client, via: Option<&Via>) {
    let headers = &mut parts.headers;
    let (mut drop, mut connection, mut length) = (Vec::<HeaderName>::new(), false, false);
    for name in headers.keys() {
        match Field::of(name) {
            Field::EndToEnd
            | Field::Host
            | Field::Cookie
            | Field::Expect
            | Field::Forwarded
            | Field::Alias => {}
            Field::ContentLength => length = true,
            Field::Connection => connection = true,
            Field::Te | Field::Upgrade | Field::HopByHop | Field::Reserved => {
                drop.push(name.clone());
            }
        }
    }
    if length {
        one_length(headers, parts.status);
    }
    let mut closes = false;
    if connection {
        closes = connection_options(headers).any(|option| option.eq_ignore_ascii_case(b"close"));
        drop.extend(nominated(headers));
        drop.push(CONNECTION);
    }
    for name in drop {
        headers.remove(name);
    }
    // ANCM: `forwardResponseConnectionHeader`.
    if closes && client.hears_close && client.version <= Version::HTTP_11 {
        headers.insert(CONNECTION, HeaderValue::from_static("close"));
    }
    pass(parts, client, via);
}

/// The same where no field but such as pass is there, and a length at most once.
pub(super) fn pass(parts: &mut Parts, client: Client, via: Option<&Via>) {
    if let Some(via) = via {
        via.sign(&mut parts.headers, parts.version);
    }
    parts.version = client.version.max(Version::HTTP_11);
}

/// The answer to a request that may not be forwarded any further (RFC 9110, 7.6.2 and 9.3.7): there is somebody here.
pub(super) fn of_the_last_hop() -> Response<Body> {
    let mut response = Response::new(Body::empty());
    let length = HeaderValue::from_static("0");
    response.headers_mut().insert(CONTENT_LENGTH, length);
    response
}

/// Leaves the length that holds, said once: HTTP/2 takes two as an error, even two that agree.
///
/// A 204 has none (RFC 9110, 8.6), and chunks overrule one (RFC 9112, 6.3). Lengths that differ never came this far.
fn one_length(headers: &mut HeaderMap, status: StatusCode) {
    if status == StatusCode::NO_CONTENT || headers.contains_key(TRANSFER_ENCODING) {
        headers.remove(CONTENT_LENGTH);
    } else if let Entry::Occupied(mut length) = headers.entry(CONTENT_LENGTH)
        && length.iter().nth(1).is_some()
    {
        let first = length.get().clone();
        length.insert(first);
    }
}

/// The head that makes the client's connection a tunnel.
pub(super) fn switch(parts: &mut Parts, client: Client, via: Option<&Via>) {
    rewrite(parts, client, via);
    parts.headers.remove(CONTENT_LENGTH);
    parts
        .headers
        .insert(CONNECTION, HeaderValue::from_static("Upgrade"));
    parts
        .headers
        .insert(UPGRADE, HeaderValue::from_static("websocket"));
}

/// Whether the app agreed to what it was asked for, and to nothing else.
pub(super) fn agrees(headers: &HeaderMap) -> bool {
    let mut protocols = headers.get_all(UPGRADE).iter();
    let websocket = protocols
        .next()
        .is_some_and(|protocol| protocol.as_bytes().eq_ignore_ascii_case(b"websocket"));
    websocket && protocols.next().is_none()
}

#[cfg(test)]
mod tests {
    use super::*;

    const H1: Client = Client {
        version: Version::HTTP_11,
        hears_close: false,
    };

    fn head(status: u16, lines: &[(&str, &str)]) -> Parts {
        let mut response = http::Response::builder().status(status);
        for (name, value) in lines {
            response = response.header(*name, *value);
        }
        response.body(()).unwrap().into_parts().0
    }

    fn rewritten(lines: &[(&str, &str)], client: Client) -> String {
        let mut parts = head(200, lines);
        rewrite(&mut parts, client, None);
        shown(&parts.headers)
    }

    fn shown(headers: &HeaderMap) -> String {
        let lines = headers.iter();
        let lines = lines.map(|(name, value)| format!("{name}: {}", value.to_str().unwrap()));
        lines.collect::<Vec<_>>().join("\n")
    }

    #[test]
    fn what_is_the_connections_or_the_modules_stays_here() {
        let lines = [
            ("connection", "X-Hop, close"),
            ("connection", "keep-alive, x-other"),
            ("x-hop", "1"),
            ("x-other", "1"),
            ("keep-alive", "timeout=5"),
            ("transfer-encoding", "chunked"),
            ("upgrade", "h2c"),
            ("proxy-connection", "close"),
            ("ms-aspnetcore-token", "secret"),
            ("Ms_AspNetCore_Other", "1"),
            ("x-end", "1"),
        ];
        assert_eq!(rewritten(&lines, H1), "x-end: 1");
    }

    #[test]
    fn what_is_the_clients_passes_as_often_as_it_was_said() {
        let lines = [
            ("date", "today"),
            ("server", "Kestrel"),
            ("set-cookie", "a=1"),
            ("set-cookie", "b=2"),
            ("cache-control", "no-store"),
            ("cache-control", "private"),
            ("trailer", "x-sum"),
            ("content-length", "5"),
        ];
        let want = "date: today\nserver: Kestrel\nset-cookie: a=1\nset-cookie: b=2\n\
                    cache-control: no-store\ncache-control: private\ntrailer: x-sum\ncontent-length: 5";
        assert_eq!(rewritten(&lines, H1), want);
    }

    #[test]
    fn close_is_heard_only_where_allowed_and_on_http_1() {
        let close = [("connection", "Close")];
        let hears = |version| Client {
            version,
            hears_close: true,
        };
        assert_eq!(
            rewritten(&close, hears(Version::HTTP_11)),
            "connection: close"
        );
        assert_eq!(rewritten(&close, hears(Version::HTTP_2)), "");
        assert_eq!(rewritten(&close, H1), "");
        assert_eq!(
            rewritten(&[("connection", "keep-alive")], hears(Version::HTTP_11)),
            ""
        );
    }

    #[test]
    fn the_version_is_the_clients() {
        for (client, want) in [
            (Version::HTTP_10, Version::HTTP_11),
            (Version::HTTP_11, Version::HTTP_11),
            (Version::HTTP_2, Version::HTTP_2),
        ] {
            let mut parts = head(200, &[]);
            parts.version = Version::HTTP_10;
            rewrite(
                &mut parts,
                Client {
                    version: client,
                    hears_close: false,
                },
                None,
            );
            assert_eq!(parts.version, want);
        }
    }

    #[test]
    fn a_204_has_no_length_and_a_304_may() {
        for (status, want) in [
            (204, ""),
            (304, "content-length: 5"),
            (200, "content-length: 5"),
        ] {
            let mut parts = head(status, &[("content-length", "5")]);
            rewrite(&mut parts, H1, None);
            assert_eq!(shown(&parts.headers), want, "{status}");
        }
    }

    #[test]
    fn a_length_is_said_once_and_not_beside_chunks() {
        for (lines, want) in [
            (
                &[("content-length", "5"), ("content-length", "5")][..],
                "content-length: 5",
            ),
            (
                &[("content-length", "3"), ("transfer-encoding", "chunked")],
                "",
            ),
            (
                &[("transfer-encoding", "chunked"), ("content-length", "3")],
                "",
            ),
        ] {
            assert_eq!(rewritten(lines, H1), want, "{lines:?}");
        }
    }

    #[test]
    fn only_one_websocket_is_agreement() {
        for (lines, want) in [
            (&[("upgrade", "WebSocket")][..], true),
            (&[], false),
            (&[("upgrade", "h2c")], false),
            (&[("upgrade", "websocket, h2c")], false),
            (&[("upgrade", "websocket"), ("upgrade", "h2c")], false),
        ] {
            assert_eq!(agrees(&head(101, lines).headers), want, "{lines:?}");
        }
    }
}
