//! What the guard makes of a connection's bytes beside what hyper makes of them.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "this is tested with and fuzzed"
)]

use std::{
    convert::Infallible,
    sync::{Arc, Mutex},
};

use bytes::Bytes;
use http::{Method, Request, Response, StatusCode, Version, header::TRANSFER_ENCODING};
use http_body_util::{BodyExt, Empty};
use hyper::{body::Incoming, service::service_fn};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};

use super::{Guard, POISON, State};
use crate::front::{Front, http::Protocols};

/// Panics where hyper sees other requests with the guard than without it, up to the one that is refused, or where the
/// guard refuses what is sound. The bytes come in `pieces`.
pub(in crate::front) fn compare(pieces: Vec<Vec<u8>>) {
    let bytes = pieces.concat();
    let (guard, watched) = watch(pieces);
    assert_eq!(watch(vec![bytes.clone()]), (guard.clone(), watched.clone()));
    let changed: Vec<usize> = (0..bytes.len())
        .filter(|at| bytes[*at] != watched[*at])
        .collect();
    let without = serve(&bytes);
    if guard.refusal().is_none() {
        assert!(changed.is_empty());
        agrees(&guard, &without);
    } else {
        assert!(changed.iter().all(|at| watched[*at] == POISON));
        refuses_rightly(&guard, &without, &serve(&watched));
    }
}

/// A request as a service sees it, its body collected.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Seen {
    head: String,
    version: Version,
    codings: Vec<String>,
    body: Option<(Bytes, String)>,
}

#[derive(Debug)]
pub(super) struct Served {
    pub(super) requests: Vec<Seen>,
    /// Whether hyper gave up, be it without an answer: to HTTP/2's preface, say.
    failed: bool,
    /// The status of each answer, and whether the connection ends with it.
    answers: Vec<(String, bool)>,
}

impl Served {
    pub(super) fn was_refused(&self) -> bool {
        self.answers.len() > self.requests.len()
    }

    pub(super) fn has_broken_body(&self) -> bool {
        self.requests.iter().any(|request| request.body.is_none())
    }

    /// Whether hyper reads no further behind a sound request: after HTTP/1.0 without `keep-alive`, or where it was asked to
    /// close. The guard leaves that to it.
    pub(super) fn ends_early(&self) -> bool {
        let old = (self.requests.last()).is_some_and(|last| last.version == Version::HTTP_10);
        let closes = self.answers.last().is_some_and(|(_, closes)| *closes);
        !self.was_refused() && (old || closes)
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
pub(super) fn serve(bytes: &[u8]) -> Served {
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
    let (said, failed) = runtime.block_on(async {
        client.write_all(bytes).await.unwrap();
        client.shutdown().await.unwrap();
        let connection = protocols
            .http1
            .serve_connection(TokioIo::new(server), service)
            .with_upgrades();
        let failed = connection.await.is_err();
        let mut said = String::new();
        client.read_to_string(&mut said).await.unwrap();
        (said, failed)
    });
    let answers = said.split("HTTP/1.").skip(1).map(|answer| {
        let status = answer.get(2..5).unwrap_or_default().to_owned();
        (status, answer.contains("connection: close"))
    });
    Served {
        failed,
        answers: answers.filter(|(status, _)| status != "100").collect(),
        requests: Arc::into_inner(requests).unwrap().into_inner().unwrap(),
    }
}

/// Watches the pieces; no upgrade is granted.
pub(super) fn watch(mut pieces: Vec<Vec<u8>>) -> (Guard, Vec<u8>) {
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

/// Nothing was refused, and nothing had to be.
fn agrees(guard: &Guard, without: &Served) {
    for (nth, request) in without.requests.iter().enumerate() {
        assert!(!without.was_framed_twice(nth), "{without:?}");
        let known = request.codings.is_empty() || request.codings == ["chunked"];
        assert!(known, "{without:?}");
    }
    let requests = guard.requests() as usize;
    if guard.state == State::Off {
        assert!(
            without.failed || without.has_broken_body() || without.ends_early(),
            "{without:?}"
        );
    } else if !without.failed && !without.has_broken_body() && !without.ends_early() {
        assert_eq!(requests, without.requests.len(), "{:?}", without);
    }
    assert!(requests >= without.requests.len(), "{without:?}");
}

/// What came before the refused request is served as ever, and that one had to be refused.
fn refuses_rightly(guard: &Guard, without: &Served, with: &Served) {
    let before = with.requests.len();
    assert!(before <= guard.requests() as usize);
    assert_eq!(Some(&*with.requests), without.requests.get(..before));
    if with.has_broken_body() || with.ends_early() || before < guard.requests() as usize {
        // hyper gave up before it came to that.
        return;
    }
    let last = with
        .answers
        .last()
        .map(|(status, closes)| (&**status, *closes));
    assert!(
        with.was_refused() && last == Some(("400", true)),
        "{with:?}"
    );
    if let Some(refused) = without.requests.get(before) {
        let unknown = refused.codings != ["chunked"];
        let broken = refused.body.is_none();
        assert!(
            unknown || broken || without.was_framed_twice(before),
            "{without:?}"
        );
    } else {
        // Of a head that never ends hyper says nothing, though there is something wrong in it already.
        let says_nothing = without.answers.len() <= before;
        assert!(without.was_refused() || says_nothing, "{without:?}");
    }
}
