//! The table for HTTP/2: each row is a request that no client of HTTP/2 may write, with a sound one behind it.

use ancm::proxy::ProxyOptions;

use crate::{
    frames::{
        CONTINUATION, END_HEADERS, END_STREAM, Outcome, block, data, exchange, frame, headers,
    },
    site::Site,
};

/// What becomes of a row.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Want {
    /// A reset, `GOAWAY` or 4xx; the app sees nothing of it.
    Refused,
    /// The app sees this, whole and well-formed.
    One(&'static str),
    /// The app sees its beginning and that it breaks off.
    BreaksOff,
}

use Want::{BreaksOff, One, Refused};

pub(crate) type Fields = [(&'static str, &'static str)];

pub(crate) const WHOLE: u8 = END_STREAM | END_HEADERS;
const GET: &Fields = &[
    (":method", "GET"),
    (":scheme", "http"),
    (":authority", "a"),
    (":path", "/"),
];
const POST: &Fields = &[
    (":method", "POST"),
    (":scheme", "http"),
    (":authority", "a"),
    (":path", "/"),
];

/// A sound GET of `/end`.
pub(crate) fn end(stream: u32) -> Vec<u8> {
    headers(
        stream,
        WHOLE,
        &[
            (":method", "GET"),
            (":scheme", "http"),
            (":authority", "a"),
            (":path", "/end"),
        ],
    )
}

/// Plays the frames of stream 1, and says how it went wrong, if it did.
pub(crate) async fn play(site: Site, frames: &[u8], want: Want) -> Result<(), String> {
    let said = [frames, &end(3)].concat();
    let outcome = exchange(site.connect().await, &said, 3).await;
    let mut seen = site.end().await;
    seen.retain(|line| line != "GET /end");
    let Outcome { resets, goaway, .. } = &outcome;
    let refused = resets.contains(&1) || *goaway || outcome.answer(1) != Some(Some(200));
    let fine = match want {
        Refused => refused && seen.is_empty(),
        One(one) => seen == [one] && outcome.answer(3) == Some(Some(200)),
        BreaksOff => refused && (seen.is_empty() || seen == ["BROKEN"]),
    };
    let told = || format!("{want:?}, but the app saw {seen:?} and the client {outcome:?}");
    fine.then_some(()).ok_or_else(told)
}

async fn play_all(rows: impl IntoIterator<Item = (String, Vec<u8>, Want)>) {
    let mut wrong = Vec::new();
    for (what, frames, want) in rows {
        if let Err(why) = play(Site::start().await, &frames, want).await {
            wrong.push(format!("{what}\n    {why}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// `GET`'s fields with those of the same name as one of `changes` changed, others added.
fn changed<'a>(changes: &[(&'a str, &'a str)]) -> Vec<(&'a str, &'a str)> {
    let mut fields: Vec<(&str, &str)> = GET.to_vec();
    for (name, value) in changes {
        match fields.iter_mut().find(|(have, _)| have == name) {
            Some(field) => field.1 = value,
            None => fields.push((name, value)),
        }
    }
    fields
}

#[tokio::test]
async fn pseudo_fields_say_one_thing_or_are_refused() {
    let rows: &[(&Fields, Want)] = &[
        (&[], One("GET /")),
        (&[(":path", "/a%2F?b")], One("GET /a%2F?b")),
        (
            &[(":path", "/ HTTP/1.1\r\nHost: b\r\n\r\nGET /evil")],
            Refused,
        ),
        (&[(":path", "/ HTTP/1.1")], Refused),
        (&[(":path", "/\0")], Refused),
        (&[(":path", "")], Refused),
        (&[(":path", "*")], Refused),
        (&[(":path", "a")], Refused),
        (&[(":path", "http://b/")], Refused),
        (
            &[(":method", "GET / HTTP/1.1\r\nHost: b\r\n\r\nPOST")],
            Refused,
        ),
        (&[(":method", "GET /")], Refused),
        (&[(":method", "")], Refused),
        (&[(":method", "CONNECT")], Refused),
        (&[(":method", "TRACE")], Refused),
        (
            &[(":method", "CONNECT"), (":protocol", "websocket")],
            Refused,
        ),
        (&[(":scheme", "http://b/?")], Refused),
        (&[(":scheme", "x\r\ny")], Refused),
        (&[(":authority", "u@a")], Refused),
        (&[(":authority", "a, b")], Refused),
        (&[(":authority", "a\r\nx: y")], Refused),
        (&[(":authority", "")], Refused),
        (&[(":status", "200")], Refused),
        (&[(":evil", "x")], Refused),
        (&[("host", "b")], Refused),
        (&[("host", "a")], One("GET /")),
    ];
    let row = |(changes, want): &(&Fields, Want)| {
        let frames = headers(1, WHOLE, &changed(changes));
        (format!("{changes:?}"), frames, *want)
    };
    play_all(rows.iter().map(row)).await;
}

#[tokio::test]
async fn fields_that_are_no_fields_are_refused() {
    let rows: &[(&Fields, Want)] = &[
        (&[("connection", "close")], Refused),
        (&[("keep-alive", "5")], Refused),
        (&[("proxy-connection", "x")], Refused),
        (&[("transfer-encoding", "chunked")], Refused),
        (&[("upgrade", "websocket")], Refused),
        (&[("te", "gzip")], Refused),
        (&[("te", "trailers")], One("GET /")),
        (&[("http2-settings", "AAMAAABk")], One("GET /")),
        (&[("X", "upper case")], Refused),
        (&[("x y", "z")], Refused),
        (&[("x:", "z")], Refused),
        (&[("x\r\nhost", "b")], Refused),
        (&[("x: y\r\nz", "b")], Refused),
        (&[("", "z")], Refused),
        (&[("x", "y\r\ntransfer-encoding: chunked")], Refused),
        (
            &[("x", "y\r\n\r\nGET /evil HTTP/1.1\r\nhost: a\r\n\r\n")],
            Refused,
        ),
        (&[("x", "y\n")], Refused),
        (&[("x", "y\0z")], Refused),
        (&[("transfer_encoding", "chunked")], One("GET /")),
        (&[("content_length", "5")], One("GET /")),
        (
            &[("ms-aspnetcore-token", "x"), ("ms_aspnetcore_token", "x")],
            One("GET /"),
        ),
        (
            &[
                ("x-forwarded-for", "1"),
                ("x_forwarded_proto", "x"),
                ("forwarded", "for=1"),
            ],
            One("GET /"),
        ),
        (&[("expect", "100-continue")], One("GET /")),
        (&[("content-length", "x")], Refused),
        (&[("content-length", "3")], Refused),
    ];
    let row = |(fields, want): &(&Fields, Want)| {
        let all = [GET, fields].concat();
        (format!("{fields:?}"), headers(1, WHOLE, &all), *want)
    };
    play_all(rows.iter().map(row)).await;
}

#[tokio::test]
async fn pseudo_fields_stand_before_the_others_and_once() {
    let late = [&[("x", "y")][..], GET].concat();
    let rows = [
        ("late", late),
        ("two paths", [GET, &[(":path", "/evil")]].concat()),
        ("two methods", [GET, &[(":method", "POST")]].concat()),
        ("two authorities", [GET, &[(":authority", "b")]].concat()),
        ("two hosts", [GET, &[("host", "a"), ("host", "b")]].concat()),
        (
            "no path",
            vec![(":method", "GET"), (":scheme", "http"), (":authority", "a")],
        ),
        (
            "no method",
            vec![(":scheme", "http"), (":authority", "a"), (":path", "/")],
        ),
        (
            "no scheme",
            vec![(":method", "GET"), (":authority", "a"), (":path", "/")],
        ),
        (
            "no host at all",
            vec![(":method", "GET"), (":scheme", "http"), (":path", "/")],
        ),
    ];
    let row =
        |(what, fields): (&str, Vec<_>)| (what.to_owned(), headers(1, WHOLE, &fields), Refused);
    play_all(rows.map(row)).await;
}

#[tokio::test]
async fn a_body_is_as_long_as_it_says_or_breaks_off() {
    let post = |fields: &[(&str, &str)]| headers(1, END_HEADERS, &[POST, fields].concat());
    let trailers = |fields: &[(&str, &str)]| headers(1, WHOLE, fields);
    let three = [("content-length", "3")];
    let evil = "0\r\n\r\nGET /evil HTTP/1.1\r\nHost: a\r\n\r\n";
    let announced = [("trailer", "x-sum, ms-aspnetcore-token, host")];
    play_all(
        [
            (
                "as long",
                vec![post(&three), data(1, END_STREAM, "abc")],
                One("POST / abc"),
            ),
            (
                "of any length",
                vec![post(&[]), data(1, END_STREAM, "abc")],
                One("POST / abc"),
            ),
            (
                "longer",
                vec![post(&three), data(1, END_STREAM, "abcd")],
                BreaksOff,
            ),
            (
                "shorter",
                vec![post(&three), data(1, END_STREAM, "ab")],
                BreaksOff,
            ),
            (
                "nothing",
                vec![post(&three), data(1, END_STREAM, "")],
                BreaksOff,
            ),
            (
                "two lengths",
                vec![
                    post(&[("content-length", "3"), ("content-length", "4")]),
                    data(1, END_STREAM, "abc"),
                ],
                BreaksOff,
            ),
            (
                "the end of chunks",
                vec![post(&[]), data(1, END_STREAM, evil)],
                One("POST / 0\r\n\r\nGET /evil HTTP/1.1\r\nHost: a"),
            ),
            (
                "trailers",
                vec![
                    post(&announced),
                    data(1, 0, "abc"),
                    trailers(&[("x-sum", "1"), ("ms-aspnetcore-token", "x"), ("host", "x")]),
                ],
                One("POST / abc+x-sum=1"),
            ),
            (
                "a line within a trailer",
                vec![
                    post(&announced),
                    data(1, 0, "abc"),
                    trailers(&[("x-sum", "1\r\n\r\nGET /evil")]),
                ],
                BreaksOff,
            ),
            (
                "a pseudo-field at the end",
                vec![
                    post(&announced),
                    data(1, 0, "abc"),
                    trailers(&[(":path", "/evil")]),
                ],
                One("POST / abc"),
            ),
            (
                "data before a head",
                vec![data(1, END_STREAM, "abc")],
                Refused,
            ),
        ]
        .map(|(what, frames, want)| (what.to_owned(), frames.concat(), want)),
    )
    .await;
}

#[tokio::test]
async fn frames_out_of_their_place_end_the_connection() {
    let cut = block(GET);
    let (first, second) = cut.split_at(9);
    let even = headers(2, WHOLE, GET);
    let big = "x".repeat(70_000);
    let parts: Vec<_> = (0..5).map(|_| &*big).map(|big| ("x", big)).collect();
    let flood = block(&[GET, &parts].concat());
    let mut frames = frame(1, END_STREAM, 1, &cut);
    for part in flood.chunks(16_000) {
        frames.extend(frame(CONTINUATION, 0, 1, part));
    }
    play_all(
        [
            (
                "a head in two frames",
                [
                    frame(1, END_STREAM, 1, first),
                    frame(CONTINUATION, END_HEADERS, 1, second),
                ]
                .concat(),
                One("GET /"),
            ),
            (
                "another frame within a head",
                [frame(1, END_STREAM, 1, first), end(5)].concat(),
                Refused,
            ),
            (
                "a head without an end",
                frame(1, END_STREAM, 1, first),
                Refused,
            ),
            ("a stream of the server's", even, Refused),
            ("a stream of no number", headers(0, WHOLE, GET), Refused),
            (
                "an index that is none",
                frame(1, WHOLE, 1, &[0xff, 0xff, 0x7f]),
                Refused,
            ),
            ("a head that never ends", frames, Refused),
            ("a push", frame(5, END_HEADERS, 1, &[0, 0, 0, 2]), Refused),
            (
                "text",
                b"GET /evil HTTP/1.1\r\nHost: a\r\n\r\n".to_vec(),
                Refused,
            ),
        ]
        .map(|(what, frames, want)| (what.to_owned(), frames, want)),
    )
    .await;
}

/// Some clients take a reset for the end of the answer that came before it, so they are listened to for a while.
#[tokio::test]
async fn an_answer_before_the_end_of_the_body_is_no_reset() {
    let site = Site::with(ProxyOptions::new().max_body_size(Some(3))).await;
    let long = [POST, &[("content-length", "100000")]].concat();
    let frames = [
        headers(1, END_HEADERS, &long),
        data(1, 0, &"x".repeat(9_000)),
        end(3),
    ];
    let outcome = exchange(site.connect().await, &frames.concat(), 3).await;
    assert_eq!(outcome.answer(1), Some(None), "{outcome:?}");
    assert_eq!(outcome.answer(3), Some(Some(200)), "{outcome:?}");
    assert!(outcome.resets.is_empty(), "{outcome:?}");
    assert_eq!(site.end().await, ["GET /end"]);
}
