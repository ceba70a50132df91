//! The requests that the parent forwards.

use std::{io, os::unix::net::UnixListener, time::Duration};

use http::{Request, Response};
use hyper::body::Incoming;
use tokio::task::JoinHandle;
use tower_service::Service;

use super::effective::Effective;
use crate::{
    PairingToken,
    app::{AncmLayer, ModuleEnvironment, Server, Shutdown},
    error::BoxError,
    in_process::Settings,
};

/// Longer than any drain: whoever started this process kills it before.
const DRAIN: Duration = Duration::from_secs(24 * 60 * 60);

/// A server of what the parent forwards.
pub(super) struct Forwarded {
    shutdown: Shutdown,
    serving: JoinHandle<io::Result<()>>,
}

impl Forwarded {
    /// Serves what `listener` accepts, on this runtime.
    pub(super) fn serve<S, B>(
        listener: UnixListener,
        token: &PairingToken,
        settings: &Settings,
        app: S,
    ) -> io::Result<Self>
    where
        S: Service<Request<Incoming>, Response = Response<B>> + Clone + Send + Sync + 'static,
        S::Future: Send,
        S::Error: Into<BoxError>,
        B: http_body::Body<Data: Send, Error: Into<BoxError>> + Default + Send + 'static,
    {
        listener.set_nonblocking(true)?;
        let listener = tokio::net::UnixListener::from_std(listener)?;
        let layer = AncmLayer::new(module(token, settings)?);
        let server = Server::new(Effective::new(app))
            .layer(layer)
            .drain_timeout(DRAIN)
            .signals(false);
        let shutdown = server.shutdown().clone();
        let serving = tokio::spawn(server.run_on_unix(listener));
        Ok(Self { shutdown, serving })
    }

    /// Takes no more connections, and waits for the requests of those that there are.
    pub(super) async fn finish(self) {
        self.shutdown.request();
        let _ = self.serving.await;
    }
}

/// What the app half has to know, which is otherwise said by the environment.
fn module(token: &PairingToken, settings: &Settings) -> io::Result<ModuleEnvironment> {
    let token = String::from_utf8_lossy(token.header_value().as_bytes()).into_owned();
    let module = ModuleEnvironment::from_vars(|name| match name {
        // It has an inherited socket, whatever its number was.
        "ANCM_LISTEN_FD" => Some("3".to_owned()),
        "ASPNETCORE_TOKEN" => Some(token.clone()),
        "ASPNETCORE_APPL_PATH" => Some(settings.path_base.as_str().to_owned()),
        "ASPNETCORE_IIS_WEBSOCKETS_SUPPORTED" => Some(settings.websockets.to_string()),
        _ => None,
    });
    let module = module.map_err(io::Error::other)?;
    module.ok_or_else(|| io::Error::other("the app half has all it needs"))
}
