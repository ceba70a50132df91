//! Bodies that are not held in memory, either way.

use std::{
    collections::HashMap,
    convert::Infallible,
    sync::{Arc, LazyLock, Mutex, PoisonError},
    time::Duration,
};

use axum::{
    Json,
    body::Body,
    extract::{Path, Query, Request},
    response::{IntoResponse, Response},
};
use bytes::Bytes;
use futures_util::stream;
use http::{HeaderMap, HeaderValue, StatusCode, header};
use http_body_util::{BodyExt, StreamBody};
use hyper::body::Frame;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use tokio::{sync::Semaphore, time::sleep};

use crate::reports::content_length;

/// The query of a request, of which no name comes twice.
pub(crate) type Asked = Query<HashMap<String, String>>;

/// Counts and hashes what is sent.
pub(crate) async fn upload(request: Request) -> Json<Value> {
    let length = content_length(request.headers());
    let mut body = request.into_body();
    let (mut bytes, mut hash) = (0, Sha256::new());
    while let Some(frame) = body.frame().await {
        if let Ok(data) = frame.unwrap().into_data() {
            bytes += data.len();
            hash.update(&data);
        }
    }
    let hash = hash.finalize();
    Json(json!({
        "bytes": bytes,
        "sha256": hash.iter().map(|byte| format!("{byte:02x}")).collect::<String>(),
        "contentLength": length,
        "bodyLimit": null,
    }))
}

/// The bytes 0, 1, … 250, 0, 1, …: with their length where `length=true` asks for it.
pub(crate) async fn download(Query(asked): Asked) -> Response {
    let bytes: usize = asked["bytes"].parse().unwrap();
    let pattern: Bytes = (0..=250).cycle().take(251 * 256).collect();
    let pieces = stream::unfold(bytes, move |left| {
        let piece = pattern.slice(..pattern.len().min(left));
        async move { (left > 0).then(|| (Ok::<_, Infallible>(piece.clone()), left - piece.len())) }
    });
    let kind = [(header::CONTENT_TYPE, "application/octet-stream")];
    let mut response = (kind, Body::from_stream(pieces)).into_response();
    if asked.get("length").is_some_and(|wanted| wanted == "true") {
        response
            .headers_mut()
            .insert(header::CONTENT_LENGTH, bytes.into());
    }
    response
}

/// Sends every piece of the request back as it comes.
pub(crate) async fn duplex(request: Request) -> Body {
    Body::from_stream(request.into_body().into_data_stream())
}

/// Ten thousand times the letter z.
const ZIPPED: [u8; 45] = [
    0x1f, 0x8b, 0x08, 0x00, 0x00, 0x00, 0x00, 0x00, 0x02, 0x03, 0xed, 0xc1, 0x01, 0x0d, 0x00, 0x00,
    0x00, 0xc2, 0xa0, 0xde, 0x4f, 0x6f, 0x0e, 0x37, 0xa0, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
    0x00, 0x00, 0xe0, 0xdf, 0x00, 0x8c, 0xd6, 0x20, 0xdc, 0x10, 0x27, 0x00, 0x00,
];

/// Something that is compressed already.
pub(crate) async fn gzip() -> impl IntoResponse {
    let headers = [
        (header::CONTENT_TYPE, "text/plain"),
        (header::CONTENT_ENCODING, "gzip"),
        (header::VARY, "Accept-Encoding"),
    ];
    (headers, Bytes::from_static(&ZIPPED))
}

/// Every event after the first waits for its gate, or for `delay` milliseconds.
pub(crate) async fn server_sent_events(Query(asked): Asked) -> Response {
    let count: u32 = asked["count"].parse().unwrap();
    let delay = asked.get("delay").map_or(0, |delay| delay.parse().unwrap());
    let gate = asked.get("gate").map(|name| gate(name));
    let events = stream::unfold(0, move |id| {
        let gate = gate.clone();
        async move {
            match &gate {
                Some(gate) if id > 0 && id < count => gate.acquire().await.unwrap().forget(),
                None if id > 0 && id < count => sleep(Duration::from_millis(delay)).await,
                Some(_) | None => {}
            }
            let event = format!("id: {id}\ndata: event {id}\n\n");
            (id < count).then(|| (Ok::<_, Infallible>(event), id + 1))
        }
    });
    let headers = [
        (header::CONTENT_TYPE, "text/event-stream"),
        (header::CACHE_CONTROL, "no-cache"),
    ];
    (headers, Body::from_stream(events)).into_response()
}

/// Lets what waits at a gate go on, once.
pub(crate) async fn open_gate(Path(name): Path<String>) -> StatusCode {
    gate(&name).add_permits(1);
    StatusCode::NO_CONTENT
}

/// The gate of that name, which is closed at first.
pub(crate) fn gate(name: &str) -> Arc<Semaphore> {
    static GATES: LazyLock<Mutex<HashMap<String, Arc<Semaphore>>>> = LazyLock::new(Mutex::default);
    let mut gates = GATES.lock().unwrap_or_else(PoisonError::into_inner);
    let gate = gates.entry(name.to_owned());
    Arc::clone(gate.or_insert_with(|| Arc::new(Semaphore::new(0))))
}

/// A body and a trailer.
pub(crate) async fn trailers() -> Response {
    let mut trailers = HeaderMap::new();
    trailers.insert("x-checksum", HeaderValue::from_static("19"));
    let frames = [
        Ok::<_, Infallible>(Frame::data(Bytes::from_static(b"before the trailers"))),
        Ok(Frame::trailers(trailers)),
    ];
    let body = Body::new(StreamBody::new(stream::iter(frames)));
    ([(header::TRAILER, "x-checksum")], body).into_response()
}
