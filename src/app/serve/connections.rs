//! The connections of a server, from the first to the last.

use std::{error::Error, io, time::Duration};

use http::{Request, Response};
use http_body::Body;
use hyper::body::Incoming;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    time::{sleep, timeout},
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tower_service::Service;
use tracing::{Instrument as _, debug_span, warn};

use super::{
    connection::{Shared, serve_connection},
    listener::Listener,
    socket::Socket,
};
use crate::{
    Connection,
    app::{Ancm, hosting::Hosting},
};

/// What tasks of the app get to notice that their upgraded connections are gone.
const FAREWELL: Duration = Duration::from_millis(500);
/// No more file handles, most of the time: trying again at once would only burn the processor.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// The connections of a server: the owner of their tasks. Dropping it breaks all of them off.
#[derive(Debug)]
pub(super) struct Connections<S> {
    app: Ancm<S>,
    shared: Shared,
    /// Counts sockets, not tasks: an upgraded one outlives the task that accepted it.
    open: TaskTracker,
}

impl<S> Connections<S> {
    pub(super) fn new(
        app: Ancm<S>,
        header_timeout: Duration,
        websockets: bool,
        hosting: Hosting,
    ) -> Self {
        let shared = Shared {
            stopping: CancellationToken::new(),
            closed: CancellationToken::new(),
            header_timeout,
            websockets,
            hosting,
        };
        let open = TaskTracker::new();
        Self { app, shared, open }
    }

    /// Takes no more requests, and waits for those under way.
    pub(super) async fn drain(&self, limit: Duration) {
        self.shared.stopping.cancel();
        self.open.close();
        if timeout(limit, self.open.wait()).await.is_err() {
            let open = self.open.len();
            warn!(
                open,
                "Connections broken off: they took longer than the drain timeout"
            );
        }
    }

    /// Breaks off what is left.
    pub(super) async fn close(&self) {
        self.shared.closed.cancel();
        let _ = timeout(FAREWELL, self.open.wait()).await;
    }
}

impl<S, B> Connections<S>
where
    S: Service<Request<Incoming>, Response = Response<B>> + Clone + Send + 'static,
    S::Future: Send,
    S::Error: Into<Box<dyn Error + Send + Sync>>,
    B: Body + Default + Send + 'static,
    B::Data: Send,
    B::Error: Into<Box<dyn Error + Send + Sync>>,
{
    /// Never ends by itself. Cancel safe: a connection that was accepted is served.
    pub(super) async fn accept_from<L: Listener>(&self, listener: &L) {
        loop {
            match listener.next().await {
                Ok((stream, connection)) => self.spawn(stream, connection),
                Err(error) if is_clients(&error) => {}
                Err(error) => {
                    warn!(%error, "Connection not accepted");
                    sleep(ACCEPT_PAUSE).await;
                }
            }
        }
    }

    fn spawn<T>(&self, stream: T, connection: Connection)
    where
        T: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let span = match connection.peer() {
            Some(peer) => debug_span!("connection", client.addr = %peer),
            None => debug_span!("connection"),
        };
        let shared = self.shared.of_connection();
        let socket = Socket::new(stream, shared.closed.clone(), self.open.token());
        let serving = serve_connection(socket, connection, self.app.clone(), shared);
        tokio::spawn(serving.instrument(span));
    }
}

impl<S> Drop for Connections<S> {
    fn drop(&mut self) {
        self.shared.closed.cancel();
    }
}

/// Whether the client gave up before it was accepted, which is no trouble of ours.
fn is_clients(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionAborted
            | io::ErrorKind::ConnectionRefused
            | io::ErrorKind::ConnectionReset
    )
}
