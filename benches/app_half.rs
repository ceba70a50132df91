//! What the app half costs a request: counted, not timed, so that a busy machine changes nothing.
//!
//! ```text
//! cargo bench --bench app_half --features sealed,x509
//! ```
//!
//! The requests are made before.

#![allow(unsafe_code, reason = "an allocator that counts is an allocator")]
#![allow(clippy::print_stdout, reason = "a measurement is printed")]

mod counted;

use std::{
    convert::Infallible,
    future::{Ready, ready},
    task::{Context, Poll},
};

use ancm::{
    Connection,
    app::{AncmLayer, ModuleEnvironment},
};
use counted::Cases;
use http::{HeaderValue, Request, Response, request};
use tower_layer::Layer;
use tower_service::Service;

/// The app: takes the request and keeps it, so that its end is not measured.
#[derive(Clone, Debug)]
struct App;

impl Service<Request<()>> for App {
    type Response = Response<Option<Request<()>>>;
    type Error = Infallible;
    type Future = Ready<Result<Self::Response, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<()>) -> Self::Future {
        ready(Ok(Response::new(Some(request))))
    }
}

fn layer(base: &str) -> AncmLayer {
    let module = ModuleEnvironment::from_vars(|name| match name {
        "ASPNETCORE_PORT" => Some("12345".to_owned()),
        "ASPNETCORE_APPL_PATH" => Some(base.to_owned()),
        "ASPNETCORE_TOKEN" => Some("7b1156561a35407f9db27e0e4d32c068".to_owned()),
        _ => None,
    });
    AncmLayer::new(module.expect("it makes sense"))
}

/// A browser's request, as a module sends it on.
fn request() -> request::Builder {
    let peer = "127.0.0.1:4711".parse().expect("an address");
    Request::get("/shop/cart?page=2")
        .extension(Connection::new(peer))
        .header("host", "shop.example")
        .header(
            "user-agent",
            "Mozilla/5.0 (X11; Linux x86_64) Gecko/20100101",
        )
        .header("accept", "text/html,application/xhtml+xml")
        .header("accept-language", "en-US,en;q=0.5")
        .header("accept-encoding", "gzip, deflate, br")
        .header("cookie", "session=0123456789abcdef")
        .header("ms-aspnetcore-token", "7b1156561a35407f9db27e0e4d32c068")
}

fn main() {
    let forwarded = |request: request::Builder| {
        request
            .header(
                "x-forwarded-for",
                HeaderValue::from_static("192.0.2.7:4711"),
            )
            .header("x-forwarded-proto", "https")
    };
    let cases: [(&str, &str, &dyn Fn() -> request::Builder); 4] = [
        ("off", "-", &request),
        ("token", "/", &request),
        ("forwarded", "/", &|| forwarded(request())),
        ("base", "/shop", &|| forwarded(request())),
    ];
    let measured = Cases::new();
    for (name, base, make) in cases {
        let layer = if base == "-" {
            AncmLayer::new(None)
        } else {
            layer(base)
        };
        let mut app = layer.layer(App);
        let make = || make().body(()).expect("a request");
        measured.case(name, make, |request| app.call(request));
    }
}
