//! The twin in the process of its front, and the twin without any of this crate.

use std::{
    env,
    io::{self, Write as _},
    net::SocketAddr,
    num::NonZeroUsize,
    process::ExitCode,
};

use ancm::{Host, config::Config, front::Front};
use axum::Router;
use serde_json::json;
use tokio::net::TcpListener;

/// Serves the app at `listen` until SIGTERM or Ctrl-Break.
pub(crate) async fn serve(listen: &str, routes: fn() -> Router) -> io::Result<ExitCode> {
    let listen: SocketAddr = listen.parse().unwrap();
    if env::var("TWIN_SERVER").is_ok_and(|server| server == "axum") {
        let listener = TcpListener::bind(listen).await?;
        say_listening(listener.local_addr()?)?;
        axum::serve(listener, routes())
            .with_graceful_shutdown(terminated())
            .await?;
        return Ok(ExitCode::SUCCESS);
    }
    let base = env::var("TWIN_BASE").unwrap_or_else(|_| "/".to_owned());
    let config = Config::builder(env::current_dir()?)
        .program(env::current_exe()?)
        .path_base(base.parse().unwrap())
        .build()
        .unwrap();
    // The one line in which the two models differ: `Host::new(config)` starts a process of its own.
    let app = move || routes().with_state(());
    let host = Host::in_process(config, move |_| async move { Ok::<_, io::Error>(app()) })?;
    let mut front = Front::new().extended_connect(true);
    if let Some(threads) = crate::number::<NonZeroUsize>("TWIN_THREADS") {
        front = front.threads(threads);
    }
    let bound = front.bind(&[listen])?;
    say_listening(bound.local_addresses()[0])?;
    let app = host.clone();
    let make = move |connection| app.for_connection(connection);
    bound.serve(make, terminated()).await?;
    host.shutdown().await;
    Ok(ExitCode::SUCCESS)
}

#[cfg(unix)]
async fn terminated() {
    use tokio::signal::unix::{SignalKind, signal};

    signal(SignalKind::terminate()).unwrap().recv().await;
}

#[cfg(windows)]
async fn terminated() {
    let mut asked = tokio::signal::windows::ctrl_break().unwrap();
    asked.recv().await;
}

/// Says it as `ancm run` does in its log.
fn say_listening(address: SocketAddr) -> io::Result<()> {
    let line = json!({ "fields": { "message": "Listening", "address": address.to_string() } });
    writeln!(io::stderr(), "{line}")
}
