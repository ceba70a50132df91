//! The twin of the stock ASP.NET Core app in `tests/aspnetcore/StockApp`: the same endpoints, in axum, behind the
//! app half of this crate. The scenarios host both and compare what they say.
//!
//! It is either model's: behind the module it is the app of a process of its own; told where to listen by `TWIN_LISTEN`, it
//! hosts itself in process, behind a front. `TWIN_SERVER=axum` leaves all of this crate out, to be measured against.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "it is a test's app: a wrong question may panic"
)]

mod answers;
#[cfg(all(unix, feature = "in-process"))]
mod hosted;
mod hosts;
mod reports;
mod sockets;
mod streams;

use std::{
    env,
    io::{self, Write},
    process::ExitCode,
    str::FromStr,
    time::Duration,
};

use axum::{Router, routing::any};

fn main() -> io::Result<ExitCode> {
    #[cfg(all(unix, feature = "in-process"))]
    if let Some(code) = hosted::worker() {
        return Ok(code);
    }
    let runtime = tokio::runtime::Runtime::new()?;
    runtime.block_on(serve())
}

async fn serve() -> io::Result<ExitCode> {
    if let Ok(listen) = env::var("TWIN_LISTEN") {
        return hosts::serve(&listen, routes).await;
    }
    if let Some(code) = number::<u8>("STARTUP_EXIT_CODE") {
        writeln!(io::stderr(), "exiting at start, as STARTUP_EXIT_CODE says")?;
        return Ok(ExitCode::from(code));
    }
    if let Some(milliseconds) = number("STARTUP_DELAY_MS") {
        tokio::time::sleep(Duration::from_millis(milliseconds)).await;
    }
    ancm::app::serve(routes()).await?;
    Ok(ExitCode::SUCCESS)
}

fn routes() -> Router {
    Router::new()
        .route("/env", any(reports::env))
        .route("/client-cert", any(reports::client_certificate))
        .route("/user", any(reports::user))
        .route("/upload", any(streams::upload))
        .route("/download", any(streams::download))
        .route("/duplex", any(streams::duplex))
        .route("/gzip", any(streams::gzip))
        .route("/sse", any(streams::server_sent_events))
        .route("/gate/{name}", any(streams::open_gate))
        .route("/trailers", any(streams::trailers))
        .route("/ws", any(sockets::echo))
        .route("/status/{code}", any(answers::status))
        .route("/headers", any(answers::headers))
        .route("/slow", any(answers::slow))
        .route("/hang/{name}", any(answers::hang))
        .route("/hang/{name}/began", any(answers::hang_began))
        .route("/hang/{name}/ended", any(answers::hang_ended))
        .route("/abort", any(answers::abort))
        .route("/stdout", any(answers::write_out))
        .route("/exit", any(answers::exit))
        .route("/crash", any(answers::crash))
        // Whatever else is asked for is told back.
        .fallback(reports::echo)
}

/// The number that a variable says, if it says one.
fn number<T: FromStr>(variable: &str) -> Option<T> {
    env::var(variable).ok()?.parse().ok()
}
