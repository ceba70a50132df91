//! The guard beside hyper itself: whatever is sent, hyper sees the same requests with it as without
//! it, up to the one that is refused.

use std::{
    convert::Infallible,
    sync::{Arc, Mutex},
};

use bytes::Bytes;
use http::{Method, Request, Response, StatusCode, Version, header::TRANSFER_ENCODING};
use http_body_util::{BodyExt, Empty};
use hyper::{body::Incoming, service::service_fn};
use hyper_util::rt::TokioIo;
use proptest::{collection::vec, prelude::*, sample::select};
use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};

use super::{Guard, POISON, State};
use crate::{
    front::{Front, http::Protocols},
    samples::samples,
};

// ---- What hyper makes of bytes

/// A request as a service sees it, its body collected.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Seen {
    head: String,
    version: Version,
    codings: Vec<String>,
    body: Option<(Bytes, String)>,
}

#[derive(Debug)]
struct Served {
    requests: Vec<Seen>,
    /// The status of each answer, and whether the connection ends with it.
    answers: Vec<(String, bool)>,
}

impl Served {
    fn was_refused(&self) -> bool {
        self.answers.len() > self.requests.len()
    }

    fn has_broken_body(&self) -> bool {
        self.requests.iter().any(|request| request.body.is_none())
    }

    /// Whether hyper dropped a `Content-Length` beside a coding: only then does it end the
    /// connection with the answer to a sound request that does not ask for it.
    fn was_framed_twice(&self, nth: usize) -> bool {
        let request = &self.requests[nth];
        request.version == Version::HTTP_11
            && request.body.is_some()
            && !request.codings.is_empty()
            && self.answers[nth].1
    }
}

async fn see(request: Request<Incoming>) -> Seen {
    let (parts, body) = request.into_parts();
    let codings = parts.headers.get_all(TRANSFER_ENCODING).iter();
    Seen {
        codings: codings
            .map(|coding| String::from_utf8_lossy(coding.as_bytes()).to_lowercase())
            .collect(),
        version: parts.version,
        head: format!("{} {} {:?}", parts.method, parts.uri, parts.headers),
        body: body.collect().await.ok().map(|body| {
            let trailers = format!("{:?}", body.trailers());
            (body.to_bytes(), trailers)
        }),
    }
}

/// Has hyper serve the bytes, set up as the front sets it up. Nothing is upgraded.
fn serve(bytes: &[u8]) -> Served {
    let requests = Arc::new(Mutex::new(Vec::new()));
    let service = service_fn(|request: Request<Incoming>| {
        let requests = requests.clone();
        async move {
            let connects = request.method() == Method::CONNECT;
            let seen = see(request).await;
            requests.lock().unwrap().push(seen);
            let mut response = Response::new(Empty::<Bytes>::new());
            if connects {
                *response.status_mut() = StatusCode::NOT_IMPLEMENTED;
            }
            Ok::<_, Infallible>(response)
        }
    });
    let protocols = Protocols::new(&Front::new().half_close(true).limits);
    let (mut client, server) = duplex(1024 * 1024);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap();
    let said = runtime.block_on(async {
        client.write_all(bytes).await.unwrap();
        client.shutdown().await.unwrap();
        let connection = protocols
            .http1
            .serve_connection(TokioIo::new(server), service)
            .with_upgrades();
        let _ = connection.await;
        let mut said = String::new();
        client.read_to_string(&mut said).await.unwrap();
        said
    });
    let answers = said.split("HTTP/1.").skip(1).map(|answer| {
        let status = answer.get(2..5).unwrap_or_default().to_owned();
        (status, answer.contains("connection: close"))
    });
    Served {
        answers: answers.filter(|(status, _)| status != "100").collect(),
        requests: Arc::into_inner(requests).unwrap().into_inner().unwrap(),
    }
}

// ---- What the guard makes of them

/// Watches the pieces; no upgrade is granted.
fn watch(mut pieces: Vec<Vec<u8>>) -> (Guard, Vec<u8>) {
    let mut guard = Guard::new();
    for piece in &mut pieces {
        let mut at = 0;
        while at < piece.len() {
            at += guard.watch(&mut piece[at..]);
            guard.go_on();
        }
    }
    (guard, pieces.concat())
}

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
        let (guard, watched) = watch(split(&bytes, &places));
        prop_assert_eq!(&watch(vec![bytes.clone()]), &(guard.clone(), watched.clone()));
        let changed: Vec<usize> = (0..bytes.len()).filter(|at| bytes[*at] != watched[*at]).collect();
        let without = serve(&bytes);
        if guard.refusal().is_none() {
            prop_assert!(changed.is_empty());
            agrees(&guard, &without)?;
        } else {
            prop_assert!(changed.iter().all(|at| watched[*at] == POISON));
            refuses_rightly(&guard, &without, &serve(&watched))?;
        }
    }
}

/// Nothing was refused, and nothing had to be.
fn agrees(guard: &Guard, without: &Served) -> Result<(), TestCaseError> {
    for (nth, request) in without.requests.iter().enumerate() {
        prop_assert!(!without.was_framed_twice(nth), "{without:?}");
        let known = request.codings.is_empty() || request.codings == ["chunked"];
        prop_assert!(known, "{without:?}");
    }
    let requests = guard.requests() as usize;
    // hyper reads no further after HTTP/1.0 without `keep-alive`; the guard leaves that to it.
    let last = without.requests.last().map(|request| request.version);
    let ends_early = last == Some(Version::HTTP_10);
    if guard.state == State::Off {
        prop_assert!(
            without.was_refused() || without.has_broken_body(),
            "{without:?}"
        );
    } else if !without.was_refused() && !without.has_broken_body() && !ends_early {
        prop_assert_eq!(requests, without.requests.len(), "{:?}", without);
    }
    prop_assert!(requests >= without.requests.len(), "{without:?}");
    Ok(())
}

/// What came before the refused request is served as ever, and that one had to be refused.
fn refuses_rightly(guard: &Guard, without: &Served, with: &Served) -> Result<(), TestCaseError> {
    let before = with.requests.len();
    prop_assert!(before <= guard.requests() as usize);
    prop_assert_eq!(Some(&*with.requests), without.requests.get(..before));
    if with.has_broken_body() || before < guard.requests() as usize {
        // hyper gave up before it came to that.
        return Ok(());
    }
    let last = with
        .answers
        .last()
        .map(|(status, closes)| (&**status, *closes));
    prop_assert!(
        with.was_refused() && last == Some(("400", true)),
        "{with:?}"
    );
    if let Some(refused) = without.requests.get(before) {
        let unknown = refused.codings != ["chunked"];
        let broken = refused.body.is_none();
        prop_assert!(
            unknown || broken || without.was_framed_twice(before),
            "{without:?}"
        );
    } else {
        // Of a head that never ends hyper says nothing, though there is something wrong in it already.
        let says_nothing = without.answers.len() <= before;
        prop_assert!(without.was_refused() || says_nothing, "{without:?}");
    }
    Ok(())
}
