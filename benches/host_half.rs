//! What the parts of the host half cost a request, each by itself: counted, not timed.
//!
//! ```text
//! cargo bench --bench host_half --features front
//! ```
//!
//! The requests are made before. What all of it costs together, with hyper and the system, is for
//! `benches/instructions.py`.

#![allow(unsafe_code, reason = "an allocator that counts is an allocator")]
#![allow(clippy::print_stdout, reason = "a measurement is printed")]

mod counted;

use std::{
    convert::Infallible,
    future::{Future, Ready, ready},
    marker::PhantomData,
    pin::pin,
    task::{Context, Poll, Waker},
};

use ancm::{
    Connection, PairingToken,
    authentication::AuthenticationLayer,
    error::{Error, ErrorPageLayer},
    front::guard_bytes,
    offline::{Gate, OfflineLayer},
    proxy::{ProxyOptions, encode_head, parse_head, rewrite_head},
};
use bytes::{Bytes, BytesMut};
use counted::Cases;
use http::{HeaderMap, Request, Response};
use http_body_util::Empty;
use tower_layer::Layer;
use tower_service::Service;

/// What a browser sends, as `benches/instructions.py` does.
const FIELDS: [(&str, &str); 11] = [
    ("host", "localhost"),
    (
        "user-agent",
        "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0",
    ),
    (
        "accept",
        "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8",
    ),
    ("accept-language", "en-GB,en;q=0.7"),
    ("accept-encoding", "gzip, deflate, br, zstd"),
    ("referer", "http://localhost/orders?page=2"),
    (
        "cookie",
        "session=9e107d9d372bb6826bd81d3542a419d6; theme=dark",
    ),
    ("sec-fetch-dest", "document"),
    ("sec-fetch-mode", "navigate"),
    ("sec-fetch-site", "same-origin"),
    ("priority", "u=0, i"),
];

const ANSWER: &[u8] =
    b"HTTP/1.1 200 OK\r\nDate: Thu, 01 Jan 2026 00:00:00 GMT\r\nServer: Kestrel\r\n\
    Content-Type: text/plain; charset=utf-8\r\nContent-Length: 1024\r\n\r\n";
/// Not as most apps write it.
const OTHER_ANSWER: &[u8] = b"HTTP/1.1 200 OK\r\nDate: Thu, 01 Jan 2026 00:00:00 GMT\r\nServer: Kestrel\r\n\
    Content-Type: text/plain; charset=utf-8\r\nX-Powered-By: ASP.NET\r\nContent-Length: 1024\r\n\r\n";

fn request() -> Request<()> {
    let mut request = Request::get("/orders/17");
    for (name, value) in FIELDS {
        request = request.header(name, value);
    }
    request.body(()).expect("a request")
}

fn text() -> Vec<u8> {
    let mut text = b"GET /orders/17 HTTP/1.1\r\n".to_vec();
    for (name, value) in FIELDS {
        text.extend_from_slice(format!("{name}: {value}\r\n").as_bytes());
    }
    text.extend_from_slice(b"\r\n");
    text
}

/// What stands behind a layer: answers at once, with nothing or with an error.
struct Behind<E>(fn() -> Option<E>, PhantomData<E>);

impl<E> Clone for Behind<E> {
    fn clone(&self) -> Self {
        Self(self.0, PhantomData)
    }
}

impl<E> Service<Request<()>> for Behind<E> {
    type Response = Response<Empty<Bytes>>;
    type Error = E;
    type Future = Ready<Result<Self::Response, E>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), E>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: Request<()>) -> Self::Future {
        ready((self.0)().map_or_else(|| Ok(Response::new(Empty::new())), Err))
    }
}

/// Calls a service that answers without waiting.
fn answered<S: Service<Request<()>>>(service: &mut S, request: Request<()>) -> Option<S::Response> {
    match pin!(service.call(request)).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(answer) => answer.ok(),
        Poll::Pending => None,
    }
}

fn main() {
    let measured = Cases::new();
    measured.case("guard: a head", text, |mut text| guard_bytes(&mut text));

    let connection = Connection::new("192.0.2.7:4711".parse().expect("an address"));
    let (token, options) = (PairingToken::generate(), ProxyOptions::new());
    let parts = || request().into_parts().0;
    measured.case("heads: a request", parts, |mut parts| {
        rewrite_head(&mut parts, &connection, Some(&token), &options).map(|()| parts)
    });
    let mut room = Vec::with_capacity(4096);
    measured.case("wire: a request's head", request, |request| {
        room.clear();
        encode_head(&request, &mut room);
        request
    });
    for (name, answer) in [
        ("wire: an answer's head", ANSWER),
        ("wire: another answer's", OTHER_ANSWER),
    ] {
        let make = || (BytesMut::from(answer), HeaderMap::with_capacity(11));
        measured.case(name, make, |(mut bytes, mut spare)| {
            parse_head(&mut bytes, &mut spare)
        });
    }

    let well = Behind::<Infallible>(|| None, PhantomData);
    measured.case("a service that answers", request, |request| {
        answered(&mut well.clone(), request)
    });
    let mut service = AuthenticationLayer::new().layer(well.clone());
    measured.case("authentication: off", request, |request| {
        answered(&mut service, request)
    });
    let basic = AuthenticationLayer::new().anonymous(false);
    let mut service = basic.layer(well.clone());
    measured.case("authentication: refused", request, |request| {
        answered(&mut service, request)
    });
    let mut service = OfflineLayer::new(Gate::open()).layer(well);
    measured.case("offline: open", request, |request| {
        answered(&mut service, request)
    });
    let mut service = ErrorPageLayer::default().layer(Behind::<Error>(|| None, PhantomData));
    measured.case("errors: none", request, |request| {
        answered(&mut service, request)
    });
    let mut service =
        ErrorPageLayer::default().layer(Behind(|| Some(Error::queue_full()), PhantomData));
    measured.case("errors: a page", request, |request| {
        answered(&mut service, request)
    });
}
