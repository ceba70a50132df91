//! The requests that clients send themselves: the front's sockets, which the parent has too.

use std::{io, os::fd::OwnedFd, sync::Arc, time::Duration};

use http::Request;
use hyper::body::Incoming;
use tokio::{task::JoinHandle, time::timeout};
use tokio_util::sync::CancellationToken;
use tower_layer::Layer as _;
use tower_service::Service;

use super::{client::FromClient, extended::Upgrades, load::Counts};
use crate::{
    Connection,
    app::PathBaseLayer,
    error::BoxError,
    front::{Front, Standby},
    in_process::Settings,
    supervisor::worker::protocol::Load,
};

/// Longer than any drain: whoever started this process kills it before.
const DRAIN: Duration = Duration::from_secs(24 * 60 * 60);

/// How long clients may take for their next request, to whose answer they are told that it is the last on its connection.
/// What asks for nothing for so long is closed: nothing is on its way then, most likely.
const LAST_REQUEST: Duration = Duration::from_secs(2);

/// A front on the sockets that the parent has too.
pub(super) struct Direct {
    standby: Standby,
    stop: CancellationToken,
    counts: Arc<Counts>,
    serving: JoinHandle<io::Result<crate::front::Drained>>,
}

impl Direct {
    /// Is ready to [accept](Self::accept) for `app`, which `of_one` may make that of one connection; `None` where no sockets
    /// were handed over.
    pub(super) fn serve<S, B>(
        sockets: Vec<Vec<OwnedFd>>,
        settings: &Settings,
        app: S,
        of_one: fn(&S, &Connection) -> Option<S>,
    ) -> io::Result<Option<Self>>
    where
        S: Service<Request<Incoming>, Response = http::Response<B>> + Clone + Send + Sync + 'static,
        S::Future: Send + 'static,
        S::Error: Into<BoxError>,
        B: http_body::Body<Data: Send, Error: Into<BoxError>> + Default + Send + 'static,
    {
        if sockets.is_empty() {
            return Ok(None);
        }
        let (standby, stop) = (Standby::new(), CancellationToken::new());
        standby.pause();
        let front = Front::new()
            .standby(&standby)
            .drain_timeout(DRAIN)
            .lend_threads(true)
            .extended_connect(settings.websockets);
        let bound = front.adopt(sockets)?;
        let counts = Arc::<Counts>::default();
        let (counted, base) = (Arc::clone(&counts), settings.path_base.clone());
        let make = move |connection: Connection| {
            let (app, told) = match of_one(&app, &connection) {
                Some(app) => (app, None),
                None => (app.clone(), Some(connection)),
            };
            let app = FromClient::new(Upgrades::new(app), told, counted.connection());
            PathBaseLayer::new(base.clone()).layer(app)
        };
        let serving = tokio::spawn(bound.serve(make, stop.clone().cancelled_owned()));
        Ok(Some(Self {
            standby,
            stop,
            counts,
            serving,
        }))
    }

    /// Takes connections from now on.
    pub(super) fn accept(&self) {
        self.standby.resume();
    }

    /// Takes no more, and lets those that there are go: see [`drained`](Self::drained).
    pub(super) fn drain(&self) {
        self.standby.pause();
        let (counts, stop) = (Arc::clone(&self.counts), self.stop.clone());
        tokio::spawn(async move {
            let _ = timeout(LAST_REQUEST, counts.gone()).await;
            stop.cancel();
        });
    }

    /// Waits until nothing is under way any more, which is so only after a drain. Cancel safe.
    pub(super) async fn drained(&mut self) {
        if !self.serving.is_finished() {
            let _ = (&mut self.serving).await;
        }
    }

    pub(super) fn load(&self) -> Load {
        self.counts.load()
    }

    /// Takes no more connections, and waits for the requests of those that there are.
    pub(super) async fn finish(mut self) {
        self.stop.cancel();
        self.drained().await;
    }
}
