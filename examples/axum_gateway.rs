//! An axum gateway that mounts two apps beside a page of its own.
//!
//! `cargo run --example axum_gateway --features host,axum -- ./shop ./blog`, where both are publish folders; then
//! `curl http://127.0.0.1:8080/shop/`.

use std::{env, error::Error, net::SocketAddr, path::Path};

use ancm::{
    Host,
    config::{Config, ProcessVars},
};
use axum::{Router, routing::get};
use tokio::net::TcpListener;

/// Each request goes to the app whose prefix it has, with its path unchanged; the rest is the gateway's own.
pub(crate) fn gateway(shop: Host, blog: Host) -> Router {
    Router::new()
        .route(
            "/",
            get(|| async { "This page is the gateway's. Apps: /shop, /blog\n" }),
        )
        .nest_service("/shop", shop)
        .nest_service("/blog", blog)
}

/// The app of a publish folder. Its process starts with its first request.
pub(crate) fn host(folder: &Path, path_base: &str) -> Result<Host, Box<dyn Error>> {
    let loaded = Config::load(folder, None, &ProcessVars::default())?;
    for warning in &loaded.warnings {
        tracing::info!(%warning, "Not taken as written");
    }
    Ok(Host::new(loaded.config.with_path_base(path_base.parse()?))?)
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    tracing_subscriber::fmt::init();
    let mut folders = env::args_os().skip(1);
    let mut next = |path_base| {
        let folder = folders.next().ok_or("expected two publish folders")?;
        host(Path::new(&folder), path_base)
    };
    let (shop, blog) = (next("/shop")?, next("/blog")?);

    let listener = TcpListener::bind("127.0.0.1:8080").await?;
    let app = gateway(shop.clone(), blog.clone());
    // The apps hear who the client is from axum's `ConnectInfo`.
    axum::serve(
        listener,
        app.into_make_service_with_connect_info::<SocketAddr>(),
    )
    .with_graceful_shutdown(async {
        let _ = tokio::signal::ctrl_c().await;
    })
    .await?;
    tokio::join!(shop.shutdown(), blog.shutdown());
    Ok(())
}
