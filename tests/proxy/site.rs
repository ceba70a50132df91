//! An app that says and hears exact bytes, behind our front.

use std::{net::SocketAddr, num::NonZeroUsize, time::Duration};

use ancm::{
    Connection,
    error::{ErrorPage, ErrorPageLayer},
    front::{Drained, Front},
    proxy::{Backend, FixedLayer, Proxy, ProxyOptions},
};
use tokio::{sync::oneshot, task::JoinHandle};
use tower_layer::Layer as _;

use crate::support::App;

/// An app behind our front, which takes WebSockets over HTTP/2.
pub(crate) struct Site<A = App> {
    pub(crate) app: A,
    pub(crate) backend: Backend,
    pub(crate) proxy: Proxy,
    pub(crate) address: SocketAddr,
    pub(crate) stop: oneshot::Sender<()>,
    pub(crate) ended: JoinHandle<Drained>,
}

impl Site {
    pub(crate) async fn new() -> Self {
        Self::with(
            ProxyOptions::new(),
            Front::new()
                .extended_connect(true)
                .drain_timeout(Duration::from_millis(50)),
        )
        .await
    }

    pub(crate) async fn with(options: ProxyOptions, front: Front) -> Self {
        let app = App::bind().await;
        let backend = app.backend();
        Self::before(app, backend, options, front).await
    }
}

impl<A> Site<A> {
    /// An app of another kind, at `backend`.
    pub(crate) async fn before(
        app: A,
        backend: Backend,
        options: ProxyOptions,
        front: Front,
    ) -> Self {
        let proxy = Proxy::with_options(options);
        let front = front.threads(NonZeroUsize::MIN);
        let bound = front.bind(&["127.0.0.1:0".parse().unwrap()]).unwrap();
        let address = *bound.local_addresses().first().unwrap();
        let (stop, stopped) = oneshot::channel::<()>();
        let parts = (backend.clone(), proxy.clone());
        let make = move |connection: Connection| {
            let fixed = FixedLayer::new(parts.0.clone()).layer(parts.1.clone());
            ErrorPageLayer::new(ErrorPage::new()).layer(fixed.for_connection(connection))
        };
        let serving = bound.serve(make, async {
            let _ = stopped.await;
        });
        let ended = tokio::spawn(async { serving.await.unwrap() });
        Self {
            app,
            backend,
            proxy,
            address,
            stop,
            ended,
        }
    }
}
