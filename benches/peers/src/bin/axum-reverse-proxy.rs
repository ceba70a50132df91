//! axum-reverse-proxy, which sets the forwarded headers itself.

use axum::Router;
use axum_reverse_proxy::{ProxyPolicy, ReverseProxy};
use peers::{Failure, arguments, run, serve};

fn main() -> Result<(), Failure> {
    let (listen, app) = arguments()?;
    run(async {
        let policy = ProxyPolicy::new().with_public_scheme("http");
        let proxy = ReverseProxy::new("/", format!("http://{app}")).with_policy(policy);
        serve(&listen, Router::new().fallback_service(proxy)).await
    })
}
