//! The guard beside hyper itself: whatever is sent, hyper sees the same requests with it as without
//! it, up to the one that is refused.

use proptest::{collection::vec, prelude::*, sample::select};

use super::{
    State,
    beside_hyper::{compare, serve, watch},
};
use crate::samples::samples;

fn split(bytes: &[u8], places: &[prop::sample::Index]) -> Vec<Vec<u8>> {
    let mut places: Vec<usize> = places.iter().map(|at| at.index(bytes.len() + 1)).collect();
    places.extend([0, bytes.len()]);
    places.sort_unstable();
    (places
        .windows(2)
        .map(|pair| bytes[pair[0]..pair[1]].to_vec()))
    .collect()
}

// ---- What is sent

const LINES: &[&str] = &[
    "GET / HTTP/1.1",
    "POST /content-length:0 HTTP/1.1",
    "CONNECT a:1 HTTP/1.1",
    "Connected / HTTP/1.1",
];

const FIELDS: &[&str] = &[
    "host: a",
    "content-type: text/plain",
    "content: length: 5",
    "Cookie: content-length: 5; transfer-encoding: chunked",
    "x-transfer-encoding: chunked",
    "te: trailers",
    "transfer-encodin: chunked",
    "Upgrade: h2c",
    "upgrade-insecure-requests: 1",
    "empty:",
    "expect: 100-continue",
];

/// What a body may look like, wherever it ends.
const CONTENT: &[&str] = &[
    "",
    "\n",
    "a",
    "\r\n\r\n",
    "0\r\n\r\n",
    "GET / HTTP/1.1\r\n\r\n",
    "POST / HTTP/1.1\r\ncontent-length: 5\r\ntransfer-encoding: chunked\r\n\r\n",
];

const TRAILERS: &[&str] = &[
    "",
    "x: y\r\n",
    // Two lines, as they end with a CRLF. The second one is not even a field.
    "x: y\n\r\nPOST / HTTP/1.1\r\n",
    "content-length: 5\r\ntransfer-encoding: a\r\n",
];

/// Mostly wrong in some way that is not worth a request.
const ODD: &[&str] = &[
    "content-length: 0",
    "Content-Length:5",
    "content-length: 18446744073709551616",
    "content-length: 5, 5",
    "content-length:",
    "Transfer-Encoding: chunked",
    "transfer-encoding:\tCHUNKED ",
    "transfer-encoding: gzip, chunked",
    "transfer-encoding: chunked, gzip",
    "transfer-encoding: identity",
    "transfer-encoding : chunked",
    " transfer-encoding: chunked",
    "transfer-encoding",
];

fn line_end() -> impl Strategy<Value = &'static str> {
    prop_oneof![4 => Just("\r\n"), 1 => Just("\n")]
}

fn chunk() -> impl Strategy<Value = String> {
    let extension = select(&["", ";", "  ;a=\"b\"", "\t"][..]);
    (select(&CONTENT[1..]), extension, any::<bool>()).prop_map(|(data, extension, upper)| {
        let size = match upper {
            true => format!("0{:X}", data.len()),
            false => format!("{:x}", data.len()),
        };
        format!("{size}{extension}\r\n{data}\r\n")
    })
}

/// A field that frames a body, and that body.
fn framed() -> impl Strategy<Value = (String, String)> {
    let trailers = select(TRAILERS);
    prop_oneof![
        Just((String::new(), String::new())),
        select(CONTENT)
            .prop_map(|content| (format!("Content-Length: {}", content.len()), content.into())),
        (vec(chunk(), 0..3), trailers).prop_map(|(chunks, trailers)| {
            let body = format!("{}0\r\n{trailers}\r\n", chunks.concat());
            ("Transfer-Encoding: chunked".into(), body)
        }),
    ]
}

/// A request with the fields of `more` among its own.
fn request(more: impl Strategy<Value = Vec<&'static str>>) -> impl Strategy<Value = String> {
    let fields = vec((select(FIELDS), line_end()), 0..5);
    let lines = (select(LINES), line_end(), line_end());
    (lines, fields, framed(), more, any::<prop::sample::Index>()).prop_map(
        |((line, end, last), fields, (framing, body), more, at)| {
            let mut fields: Vec<_> = fields
                .iter()
                .map(|(field, end)| format!("{field}{end}"))
                .collect();
            for field in more.into_iter().map(str::to_owned).chain([framing]) {
                if !field.is_empty() {
                    fields.insert(at.index(fields.len() + 1), format!("{field}{end}"));
                }
            }
            format!("{line}{end}{}{last}{body}", fields.concat())
        },
    )
}

/// Requests one after another, some of them odd, and a few bytes changed.
fn anything() -> impl Strategy<Value = Vec<u8>> {
    let odd = prop_oneof![3 => Just(Vec::new()), 1 => vec(select(ODD), 0..3)];
    let bytes = &b"\0\r\n :;,05aZ\x80chunked"[..];
    let change = (any::<prop::sample::Index>(), 0..3_u8, select(bytes));
    let changes = prop_oneof![2 => Just(Vec::new()), 1 => vec(change, 0..3)];
    (vec(request(odd), 1..5), changes).prop_map(|(requests, changes)| {
        let mut bytes = requests.concat().into_bytes();
        for (at, how, byte) in changes {
            let at = at.index(bytes.len());
            match how {
                0 => bytes[at] = byte,
                1 => bytes.insert(at, byte),
                _ => drop(bytes.remove(at)),
            }
        }
        bytes
    })
}

proptest! {
    #![proptest_config(samples(1000))]

    #[test]
    fn sound_requests_pass_unchanged(
        requests in vec(request(Just(Vec::new())), 1..6),
        places in vec(any::<prop::sample::Index>(), 0..8),
    ) {
        let bytes = requests.concat().into_bytes();
        let (guard, watched) = watch(split(&bytes, &places));
        prop_assert_eq!(watched, bytes);
        prop_assert_eq!(guard.state, State::Start);
        prop_assert_eq!(guard.requests() as usize, requests.len());
    }

    #[test]
    fn hyper_sees_as_many_sound_requests(requests in vec(request(Just(Vec::new())), 1..4)) {
        let served = serve(requests.concat().as_bytes());
        prop_assert_eq!(served.requests.len(), requests.len());
        prop_assert!(!served.was_refused() && !served.has_broken_body());
    }

    #[test]
    fn hyper_sees_the_same_up_to_what_is_refused(
        bytes in anything(),
        places in vec(any::<prop::sample::Index>(), 0..8),
    ) {
        compare(split(&bytes, &places));
    }
}
