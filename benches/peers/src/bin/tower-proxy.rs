//! tower-proxy, under axum, with the forwarded headers that it does not set itself.

use std::borrow::Cow;

use axum::{Router, body::Body, middleware::map_request};
use peers::{Failure, arguments, forwarded, run, serve};
use tower_proxy::{PathRewriter, ReusedServiceBuilder, builder_http};

/// Leaves the path as it is.
#[derive(Clone, Copy)]
struct Same;

impl PathRewriter for Same {
    fn rewrite<'a>(&'a mut self, path: &'a str) -> Cow<'a, str> {
        path.into()
    }
}

fn main() -> Result<(), Failure> {
    let (listen, app) = arguments()?;
    run(async {
        let builder: ReusedServiceBuilder<_, Body> = builder_http(app)?;
        let proxy = Router::new().fallback_service(builder.build(Same));
        serve(&listen, proxy.layer(map_request(forwarded))).await
    })
}
