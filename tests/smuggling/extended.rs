//! The table for WebSockets over HTTP/2 (RFC 8441): each row is an extended CONNECT, with a sound GET behind it. It
//! is refused, or exactly one well-formed upgrade of HTTP/1.1.

use crate::{
    frames::{END_HEADERS, END_STREAM, data, exchange_whole, frame, headers},
    http2::{
        Fields, WHOLE,
        Want::{self, One, Refused},
        play,
    },
    site::Site,
};

const CONNECT: &Fields = &[
    (":method", "CONNECT"),
    (":protocol", "websocket"),
    (":scheme", "http"),
    (":authority", "a"),
    (":path", "/"),
    ("sec-websocket-version", "13"),
];

const UPGRADE: Want = One("GET / as websocket");

/// What would be a request of its own, if it came to stand where one begins.
const EVIL: &str = "GET /evil HTTP/1.1\r\nHost: a\r\n\r\n";

/// The fields of `CONNECT` without `gone`, with those of the same name as one of `changes` changed.
fn changed<'a>(gone: &[&str], changes: &[(&'a str, &'a str)]) -> Vec<(&'a str, &'a str)> {
    let new = |name: &str| changes.iter().find(|(changed, _)| *changed == name);
    let kept = CONNECT.iter().filter(|(name, _)| !gone.contains(name));
    let mut fields: Vec<_> = kept.map(|field| *new(field.0).unwrap_or(field)).collect();
    let known = |name: &str| CONNECT.iter().any(|(have, _)| *have == name);
    fields.extend(changes.iter().filter(|(name, _)| !known(name)));
    fields
}

async fn play_all(rows: impl IntoIterator<Item = (String, Vec<u8>, Want)>) {
    let mut wrong = Vec::new();
    for (what, frames, want) in rows {
        if let Err(why) = play(Site::extended().await, &frames, want).await {
            wrong.push(format!("{what}\n    {why}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[tokio::test]
async fn what_asks_for_a_websocket_says_so_in_one_way() {
    let rows: &[(&[&str], &Fields, Want)] = &[
        (&[], &[], UPGRADE),
        (&[], &[(":protocol", "WebSocket")], UPGRADE),
        (&[], &[(":protocol", "")], Refused),
        (&[], &[(":protocol", "webtransport")], Refused),
        (&[], &[(":protocol", "h2c")], Refused),
        (&[], &[(":protocol", "websocket, h2c")], Refused),
        (&[], &[(":protocol", " websocket")], Refused),
        (&[], &[(":protocol", "websocket\r\nx: y")], Refused),
        (&[], &[(":protocol", "websocket\0")], Refused),
        (&[], &[(":method", "GET")], Refused),
        (&[], &[(":method", "POST")], Refused),
        (&[], &[(":method", "connect")], Refused),
        (&[], &[(":method", "CONNECT\r\n")], Refused),
        (&[":protocol"], &[], Refused),
        (&[":protocol", ":scheme", ":path"], &[], Refused),
        (&[":scheme"], &[], Refused),
        (&[":path"], &[], Refused),
        (&[":scheme", ":path"], &[], Refused),
        (&[":authority"], &[], Refused),
        (&[":authority"], &[("host", "a")], UPGRADE),
        (&[":method"], &[], Refused),
        (&[], &[(":scheme", "http://b/?")], Refused),
        (&[], &[(":scheme", "x\r\ny")], Refused),
        (&[], &[(":authority", "u@a")], Refused),
        (&[], &[(":authority", "a\r\nx: y")], Refused),
        (&[], &[(":authority", "")], Refused),
        (&[], &[("host", "b")], Refused),
        (&[], &[("host", "a")], UPGRADE),
        (&[], &[(":status", "101")], Refused),
        (&[], &[(":upgrade", "websocket")], Refused),
    ];
    let row = |(gone, changes, want): &(&[&str], &Fields, Want)| {
        let fields = changed(gone, changes);
        let frames = headers(1, END_HEADERS, &fields);
        (format!("{fields:?}"), frames, *want)
    };
    play_all(rows.iter().map(row)).await;
    let late = [CONNECT, &[(":protocol", "websocket")]].concat();
    let twice = [&[(":protocol", "websocket")], CONNECT].concat();
    let rows = [("late", late), ("twice", twice)];
    let row = |(what, fields): (&str, Vec<_>)| {
        let frames = headers(1, END_HEADERS, &fields);
        (what.to_owned(), frames, Refused)
    };
    play_all(rows.map(row)).await;
}

#[tokio::test]
async fn a_path_is_one_or_is_refused() {
    let rows = [
        ("/chat?a=%0d%0a", One("GET /chat?a=%0d%0a as websocket")),
        ("/%2e%2e/%00", One("GET /%2e%2e/%00 as websocket")),
        ("", Refused),
        ("*", Refused),
        ("a", Refused),
        ("http://b/", Refused),
        ("/ HTTP/1.1", Refused),
        ("/ HTTP/1.1\r\nHost: b\r\n\r\nGET /evil", Refused),
        ("/\r", Refused),
        ("/\n", Refused),
        ("/\0", Refused),
        ("/\t", Refused),
        ("/\x1b[2J", Refused),
        ("/\x7f", Refused),
    ];
    let row = |(path, want): (&'static str, Want)| {
        let frames = headers(1, END_HEADERS, &changed(&[], &[(":path", path)]));
        (format!("{path:?}"), frames, want)
    };
    play_all(rows.map(row)).await;
}

#[tokio::test]
async fn fields_are_those_of_a_request() {
    let rows: &[(&Fields, Want)] = &[
        (&[("connection", "Upgrade")], Refused),
        (&[("connection", "close")], Refused),
        (&[("upgrade", "websocket")], Refused),
        (&[("upgrade", "h2c")], Refused),
        (&[("transfer-encoding", "chunked")], Refused),
        (&[("keep-alive", "5")], Refused),
        (&[("proxy-connection", "x")], Refused),
        (&[("te", "gzip")], Refused),
        (&[("te", "trailers")], UPGRADE),
        (&[("trailer", "x-sum")], UPGRADE),
        (&[("expect", "100-continue")], UPGRADE),
        (&[("http2-settings", "AAMAAABk")], UPGRADE),
        (&[("content-length", "0")], UPGRADE),
        (&[("content-length", "3")], Refused),
        (&[("content-length", "x")], Refused),
        (&[("content-length", "-0")], Refused),
        (&[("transfer_encoding", "chunked")], UPGRADE),
        (&[("content_length", "5")], UPGRADE),
        (&[("connection_", "close")], UPGRADE),
        (&[("Upgrade", "websocket")], Refused),
        (&[("x y", "z")], Refused),
        (&[("x:", "z")], Refused),
        (&[("", "z")], Refused),
        (&[("x\r\nhost", "b")], Refused),
        (&[("x", "y\r\ntransfer-encoding: chunked")], Refused),
        (
            &[("x", "y\r\n\r\nGET /evil HTTP/1.1\r\nhost: a\r\n\r\n")],
            Refused,
        ),
        (&[("x", "y\n")], Refused),
        (&[("x", "y\0z")], Refused),
        (
            &[("sec-websocket-protocol", "chat\r\nSec-WebSocket-Key: x")],
            Refused,
        ),
        (&[("sec-websocket-protocol", "chat, x")], UPGRADE),
        // The key is one of ours, whatever the client says of it.
        (&[("sec-websocket-key", "x")], UPGRADE),
        (
            &[
                ("sec-websocket-key", "AAAAAAAAAAAAAAAAAAAAAA=="),
                ("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ=="),
            ],
            UPGRADE,
        ),
        (
            &[("ms-aspnetcore-token", "x"), ("ms_aspnetcore_token", "x")],
            UPGRADE,
        ),
        (
            &[
                ("x-forwarded-for", "1"),
                ("x_forwarded_proto", "x"),
                ("forwarded", "for=1"),
            ],
            UPGRADE,
        ),
    ];
    let row = |(fields, want): &(&Fields, Want)| {
        let frames = headers(1, END_HEADERS, &[CONNECT, fields].concat());
        (format!("{fields:?}"), frames, *want)
    };
    play_all(rows.iter().map(row)).await;
}

/// The app switches only at `/tunnel`, and to nobody else anything of the tunnel may come.
#[tokio::test]
async fn what_comes_before_the_answer_is_the_tunnels_or_nobodys() {
    let open = |flags| headers(1, flags, CONNECT);
    let chunk = "3\r\nabc\r\n0\r\n\r\n";
    let trailers = headers(1, WHOLE, &[("host", "x"), ("ms-aspnetcore-token", "x")]);
    play_all(
        [
            (
                "a request",
                [open(END_HEADERS), data(1, 0, EVIL)].concat(),
                UPGRADE,
            ),
            (
                "a request and an end",
                [open(END_HEADERS), data(1, END_STREAM, EVIL)].concat(),
                UPGRADE,
            ),
            (
                "chunks",
                [open(END_HEADERS), data(1, 0, chunk)].concat(),
                UPGRADE,
            ),
            (
                "trailers",
                [open(END_HEADERS), trailers.clone()].concat(),
                UPGRADE,
            ),
            ("an end", open(WHOLE), UPGRADE),
            (
                "data after the end",
                [open(WHOLE), data(1, 0, EVIL)].concat(),
                Refused,
            ),
            (
                "a second head",
                [open(END_HEADERS), open(END_HEADERS)].concat(),
                Refused,
            ),
            (
                "another frame within the head",
                [frame(1, 0, 1, &[]), data(1, 0, EVIL)].concat(),
                Refused,
            ),
        ]
        .map(|(what, frames, want)| (what.to_owned(), frames, want)),
    )
    .await;
}

#[tokio::test]
async fn a_tunnel_is_its_bytes_and_nothing_else() {
    let open = headers(1, END_HEADERS, &changed(&[], &[(":path", "/tunnel")]));
    for (frames, want) in [
        (data(1, END_STREAM, EVIL), EVIL),
        (
            [data(1, 0, "0\r\n\r\n"), data(1, END_STREAM, EVIL)].concat(),
            "0\r\n\r\nGET /evil HTTP/1.1\r\nHost: a\r\n\r\n",
        ),
        (data(1, END_STREAM, ""), ""),
        (
            [data(1, 0, "abc"), headers(1, WHOLE, &[("x", "y")])].concat(),
            "abc",
        ),
    ] {
        let site = Site::extended().await;
        let said = [open.clone(), frames].concat();
        let outcome = exchange_whole(site.connect().await, &said, 1).await;
        assert_eq!(outcome.answer(1), Some(Some(200)), "{want}: {outcome:?}");
        let seen = site.end().await;
        assert_eq!(seen, [format!("GET /tunnel as websocket | {want}")]);
    }
}
