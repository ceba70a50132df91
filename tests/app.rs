//! The app half from outside: as a layer, with axum, and on real sockets.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "what a test's helper does not expect fails the test"
)]

#[path = "app/alone.rs"]
mod alone;
#[path = "app/extractors.rs"]
mod extractors;
#[path = "app/forwarded.rs"]
mod forwarded;
#[path = "app/hosting.rs"]
mod hosting;
#[cfg(feature = "host")]
#[path = "app/iis_config.rs"]
mod iis_config;
#[path = "app/iis_middleware.rs"]
mod iis_middleware;
#[path = "app/routing.rs"]
mod routing;
#[cfg(all(feature = "host", feature = "sealed"))]
#[path = "app/sealed.rs"]
mod sealed;
#[path = "app/serving.rs"]
mod serving;
#[path = "app/stopping.rs"]
mod stopping;

use ancm::app::{AncmLayer, ModuleEnvironment};
use axum::{body::Body, http::Request};

/// What the module says to an app at `path_base`, and `more`.
fn module(path_base: &str, more: &[(&str, &str)]) -> ModuleEnvironment {
    let base = [
        ("ASPNETCORE_PORT", "12345"),
        ("ASPNETCORE_APPL_PATH", path_base),
        ("ASPNETCORE_TOKEN", "TestToken"),
    ];
    let var = |name: &str| {
        let (_, value) = more.iter().chain(&base).find(|(have, _)| *have == name)?;
        Some((*value).to_owned())
    };
    ModuleEnvironment::from_vars(var).unwrap().unwrap()
}

fn layer(path_base: &str) -> AncmLayer {
    AncmLayer::new(module(path_base, &[]))
}

/// A request that came through the module.
fn request(method: &str, uri: &str) -> http::request::Builder {
    Request::builder()
        .method(method)
        .uri(uri)
        .header("ms-aspnetcore-token", "TestToken")
}

fn get(uri: &str) -> Request<Body> {
    request("GET", uri).body(Body::empty()).unwrap()
}
