//! Bodies, both ways: whole, in order, as they come.

use bytes::Bytes;
use http::{Request, StatusCode, header};
use http_body_util::{BodyExt, channel::Channel};
use hyper::body::Incoming;
use sha2::{Digest, Sha256};

use crate::{
    at::At,
    support::client::{Body, BoxError, empty, full},
};

const MIB: usize = 1024 * 1024;

/// The bytes 0, 1, … 250, 0, 1, …: what `/download` sends.
fn pattern(length: usize) -> Bytes {
    (0..=250).cycle().take(length).collect()
}

fn sha256(bytes: &[u8]) -> String {
    let digest = Sha256::digest(bytes);
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}

pub(crate) async fn of_known_length_arrive_whole(at: At) {
    let mut client = at.client().await;
    let bytes = pattern(10 * MIB);
    let request = Request::post(at.target("/upload")).body(full(bytes.clone()));
    let report = client.ask(request.unwrap()).await.json();
    assert_eq!(report["bytes"], bytes.len());
    assert_eq!(report["contentLength"], bytes.len());
    assert_eq!(report["sha256"], sha256(&bytes));
    // Out of process the limit is the module's; in process it is IIS's own.
    let limit = at.in_process.then_some(30_000_000);
    assert_eq!(report["bodyLimit"], serde_json::json!(limit));
}

pub(crate) async fn of_unknown_length_arrive_whole(at: At) {
    let mut client = at.client().await;
    let bytes = pattern(10 * MIB);
    let (mut sender, body) = channel();
    let request = Request::post(at.target("/upload")).body(body).unwrap();
    let pieces = bytes.clone();
    let sending = tokio::spawn(async move {
        // Pieces of odd sizes, the last one what is left.
        for piece in pieces.chunks(77_777) {
            sender.send_data(pieces.slice_ref(piece)).await.unwrap();
        }
    });
    let report = client.ask(request).await.json();
    sending.await.unwrap();
    assert_eq!(report["bytes"], bytes.len());
    assert!(report["contentLength"].is_null());
    assert_eq!(report["sha256"], sha256(&bytes));
}

pub(crate) async fn can_be_empty(at: At) {
    let mut client = at.client().await;
    let request = Request::put(at.target("/upload")).header(header::CONTENT_LENGTH, 0);
    let report = client.ask(request.body(empty()).unwrap()).await.json();
    assert_eq!(
        (&report["bytes"], &report["contentLength"]),
        (&0.into(), &0.into())
    );

    let (sender, body) = channel();
    drop(sender);
    let request = Request::put(at.target("/upload")).body(body).unwrap();
    assert_eq!(client.ask(request).await.json()["bytes"], 0);

    let answer = client
        .get(&at.target("/download?bytes=0&length=true"))
        .await;
    assert_eq!(answer.values("content-length"), ["0"]);
    assert!(answer.body.is_empty());
}

pub(crate) async fn come_back_whole(at: At) {
    let mut client = at.client().await;
    let expected = pattern(32 * MIB);
    for length in [true, false] {
        let target = format!("/download?bytes={}&length={length}", expected.len());
        let answer = client.get(&at.target(&target)).await;
        assert_eq!(answer.status(), StatusCode::OK);
        let announced = answer.head.headers.contains_key(header::CONTENT_LENGTH);
        assert_eq!(announced, length);
        assert!(answer.body == expected, "length announced: {length}");
    }
}

/// The app's answer to one piece arrives before the client sends the next one.
pub(crate) async fn flow_both_ways_at_once(at: At) {
    let mut client = at.client().await;
    let (mut sender, body) = channel();
    let request = Request::post(at.target("/duplex")).body(body).unwrap();
    let response = client.send(request).await.unwrap();
    assert_eq!(response.status(), StatusCode::OK, "before any of the body");
    let mut answers = response.into_body();
    for piece in ["one", "two", "", "three"].map(Bytes::from) {
        sender.send_data(piece.clone()).await.unwrap();
        assert_eq!(read(&mut answers, piece.len()).await, piece);
    }
    drop(sender);
    assert!(answers.collect().await.unwrap().to_bytes().is_empty());
}

pub(crate) async fn bring_their_trailers(at: At) {
    let mut client = at.client().await;
    let request = Request::get(at.target("/trailers")).header(header::TE, "trailers");
    let answer = client.ask(request.body(empty()).unwrap()).await;
    assert_eq!(answer.text(), "before the trailers");
    assert_eq!(answer.trailers.unwrap()["x-checksum"], "19");
}

/// The next `length` bytes, in however many frames they come.
pub(crate) async fn read(body: &mut Incoming, length: usize) -> Bytes {
    let mut bytes = Vec::new();
    while bytes.len() < length {
        let frame = body.frame().await.expect("more of the body").unwrap();
        bytes.extend_from_slice(&frame.into_data().expect("data"));
    }
    bytes.into()
}

pub(crate) type Sender = http_body_util::channel::Sender<Bytes, BoxError>;

/// A body that is sent piece by piece.
pub(crate) fn channel() -> (Sender, Body) {
    let (sender, body) = Channel::new(1);
    (sender, body.boxed_unsync())
}
