//! A front end on bare hyper, with the layers of the host half composed by hand.
//!
//! `cargo run --example hyper_front --features host -- ./server --its-arguments`, where the command listens on the
//! port that `ASPNETCORE_PORT` names; then `curl http://127.0.0.1:8080/`.

use std::{env, error::Error, sync::Arc, time::Duration};

use ancm::{
    Connection,
    config::{Config, ProcessVars},
    error::ErrorPageLayer,
    offline::{self, OfflineLayer},
    proxy::Proxy,
    supervisor::{Supervisor, SupervisorLayer},
};
use hyper::{Request, body::Incoming};
use hyper_util::{
    rt::{TokioExecutor, TokioIo, TokioTimer},
    server::{conn::auto, graceful::GracefulShutdown},
    service::TowerToHyperService,
};
use tokio::net::TcpListener;
use tower::ServiceBuilder;

/// Serves the app on `listener` until `stop` completes, then lets requests end and stops the app.
pub(crate) async fn serve(
    listener: TcpListener,
    config: Config,
    stop: impl Future<Output = ()>,
) -> Result<(), Box<dyn Error>> {
    let (gate, _watcher) = offline::watch(config.content_root())?;
    let supervisor = Supervisor::new(Arc::new(config), Arc::new(ProcessVars::default()))?;
    let (graceful, proxy) = (GracefulShutdown::new(), Proxy::new());
    let mut http = auto::Builder::new(TokioExecutor::new());
    http.http1().timer(TokioTimer::new()); // without it, a slow client holds a connection for ever
    let mut stop = std::pin::pin!(stop);
    loop {
        let (stream, peer) = tokio::select! {
            accepted = listener.accept() => accepted?,
            () = &mut stop => break,
        };
        let connection = Connection::new(peer);
        let service = ServiceBuilder::new()
            .layer(OfflineLayer::new(gate.clone())) // 503 while there is an app_offline.htm
            .layer(ErrorPageLayer::default()) // an error becomes a page
            .map_request(move |mut request: Request<Incoming>| {
                request.extensions_mut().insert(connection.clone());
                request
            })
            .layer(SupervisorLayer::new(supervisor.clone())) // which process?
            .service(proxy.clone());
        let service = TowerToHyperService::new(service);
        let served = http.serve_connection_with_upgrades(TokioIo::new(stream), service);
        tokio::spawn(graceful.watch(served.into_owned()));
    }
    let _ = tokio::time::timeout(Duration::from_secs(10), graceful.shutdown()).await;
    supervisor.shutdown().await;
    Ok(())
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    tracing_subscriber::fmt::init();
    let mut command = env::args().skip(1);
    let program = command.next().ok_or("expected a command")?;
    let config = Config::builder(".").program(program).arguments(command);
    let listener = TcpListener::bind("127.0.0.1:8080").await?;
    let stop = async { tokio::signal::ctrl_c().await.unwrap_or_default() };
    serve(listener, config.build()?, stop).await
}
