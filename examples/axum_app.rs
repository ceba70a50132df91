//! An axum app that runs by itself and behind the module, from the same binary.
//!
//! By itself: `cargo run --example axum_app`, then `curl http://127.0.0.1:5000/`. Behind the module: name the binary as
//! `processPath`.

use ancm::{
    PathBase, Scheme,
    app::{AncmLayer, ClientAddress, ClientCertificate, Server},
};
use axum::{Router, response::Html, routing::get};

/// What a client sees of itself, wherever the app is mounted.
async fn index(
    scheme: Scheme,
    ClientAddress(client): ClientAddress,
    base: PathBase,
    certificate: Option<ClientCertificate>,
) -> Html<String> {
    let certificate = match certificate.as_ref().and_then(ClientCertificate::der) {
        Some(der) => format!("a certificate of {} bytes", der.len()),
        None => "no certificate".to_owned(),
    };
    // The base is as the client wrote it: text of the client's, so it is escaped.
    let link = base
        .join("/about")
        .replace('&', "&amp;")
        .replace('"', "&quot;");
    Html(format!(
        "<p>You are {}, you speak {scheme}, you showed {certificate}. <a href=\"{link}\">About</a>",
        client.ip(),
    ))
}

async fn about() -> &'static str {
    "The same binary, with and without the module."
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    tracing_subscriber::fmt::init();
    let router = Router::new()
        .route("/", get(index))
        .route("/about", get(about));
    // `ancm::app::serve(router)` is the same, where there is nothing to ask the layer for.
    let layer = AncmLayer::from_env()?;
    if let Some(module) = layer.module() {
        tracing::info!(path_base = %module.path_base(), "Started by the module");
    }
    Ok(Server::new(router).layer(layer).run().await?)
}
