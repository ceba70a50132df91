//! What the peers share: each is called with where to listen and where to forward to.

use std::{error::Error, future::Future, net::SocketAddr};

use axum::{
    Router,
    extract::{ConnectInfo, Request},
    http::HeaderValue,
    serve::ListenerExt as _,
};

/// What a peer can't go on after.
pub type Failure = Box<dyn Error + Send + Sync>;

/// Where to listen, and where to forward to.
pub fn arguments() -> Result<(String, String), Failure> {
    let mut arguments = std::env::args().skip(1);
    let both = arguments.next().zip(arguments.next());
    both.ok_or_else(|| "usage: PEER LISTEN APP".into())
}

/// Runs a peer on tokio, on the one thread that there is.
pub fn run(peer: impl Future<Output = Result<(), Failure>>) -> Result<(), Failure> {
    let mut builder = tokio::runtime::Builder::new_current_thread();
    builder.enable_all().build()?.block_on(peer)
}

/// Serves a router, which is told who its clients are.
pub async fn serve(listen: &str, router: Router) -> Result<(), Failure> {
    let listener = tokio::net::TcpListener::bind(listen).await?;
    // Small writes leave at once, as they do with the others.
    let listener = listener.tap_io(|stream| drop(stream.set_nodelay(true)));
    let service = router.into_make_service_with_connect_info::<SocketAddr>();
    axum::serve(listener, service).await?;
    Ok(())
}

/// Says whose request it is, for a proxy that does not by itself.
pub async fn forwarded(mut request: Request) -> Request {
    let client = request.extensions().get::<ConnectInfo<SocketAddr>>();
    let client = client.map(|client| client.0.ip().to_string());
    let headers = request.headers_mut();
    if let Some(Ok(client)) = client.map(HeaderValue::try_from) {
        headers.insert("x-forwarded-for", client);
    }
    headers.insert("x-forwarded-proto", HeaderValue::from_static("http"));
    request
}
