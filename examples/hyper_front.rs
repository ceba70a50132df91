//! A front end on bare hyper, with the layers of the host half composed by hand.
//!
//! `cargo run --example hyper_front --features host -- ./server --its-arguments`, where the command listens on the
//! port that `ASPNETCORE_PORT` names; then `curl http://127.0.0.1:8080/`.

use std::{env, error::Error, sync::Arc, time::Duration};

use ancm::{
    Connection,
    config::{Config, ProcessVars},
    error::ErrorPageLayer,
    proxy::Proxy,
    supervisor::{Supervised, Supervisor},
};
use hyper_util::{
    rt::{TokioExecutor, TokioIo, TokioTimer},
    server::{conn::auto, graceful::GracefulShutdown},
    service::TowerToHyperService,
};
use tokio::net::TcpListener;
use tower::ServiceBuilder;

/// Serves `supervisor`'s app on `listener` until `stop` completes, then lets requests end.
pub(crate) async fn serve(
    listener: TcpListener,
    supervisor: Supervisor,
    stop: impl Future<Output = ()>,
) -> Result<(), Box<dyn Error>> {
    let (graceful, proxy) = (GracefulShutdown::new(), Proxy::new());
    let mut http = auto::Builder::new(TokioExecutor::new());
    http.http1().timer(TokioTimer::new()); // without it, a slow client holds a connection for ever
    let mut stop = std::pin::pin!(stop);
    loop {
        let (stream, peer) = tokio::select! {
            accepted = listener.accept() => accepted?,
            () = &mut stop => break,
        };
        // From the client to the app: an error becomes a page, a request gets its process, and goes there.
        let service = ServiceBuilder::new()
            .layer(ErrorPageLayer::default())
            .layer_fn(|proxy| {
                Supervised::new(proxy, supervisor.clone()).for_connection(Connection::new(peer))
            })
            .service(proxy.clone());
        let service = TowerToHyperService::new(service);
        let connection = http.serve_connection_with_upgrades(TokioIo::new(stream), service);
        tokio::spawn(graceful.watch(connection.into_owned()));
    }
    tokio::time::timeout(Duration::from_secs(10), graceful.shutdown()).await?;
    supervisor.shutdown().await;
    Ok(())
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    tracing_subscriber::fmt::init();
    let mut command = env::args().skip(1);
    let config = Config::builder(".")
        .program(command.next().ok_or("expected a command")?)
        .arguments(command)
        .build()?;
    let supervisor = Supervisor::new(Arc::new(config), Arc::new(ProcessVars::default()))?;
    let listener = TcpListener::bind("127.0.0.1:8080").await?;
    serve(listener, supervisor, async {
        let _ = tokio::signal::ctrl_c().await;
    })
    .await
}
