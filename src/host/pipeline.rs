//! What a request passes, from the outermost stage to the app.

use std::sync::Arc;

use tower_layer::Layer;

use super::{live::Live, route::Route};
use crate::{
    Connection, PathBase,
    authentication::{Authenticated, AuthenticationLayer},
    control::{Follower, Operator, Running},
    error::{ErrorPage, ErrorPageLayer, ErrorPages},
    offline::{self, Gate, Offline, OfflineLayer},
    proxy::{Backend, Backends, BalancedLayer, FixedLayer, Proxy, Tunnels},
    supervisor::{Supervisor, SupervisorLayer},
};

pub(super) type Pipeline = Authenticated<Offline<ErrorPages<Route>>>;

/// The parts of one app that its connections share.
pub(super) struct App {
    pub(super) path_base: PathBase,
    pub(super) source: Source,
    pub(super) tunnels: Tunnels,
    pub(super) settings: Arc<Live<Settings>>,
}

/// What follows the configuration while connections are open.
#[derive(Clone, Debug)]
pub(super) struct Settings {
    pub(super) authentication: AuthenticationLayer,
    pub(super) page: ErrorPage,
    pub(super) proxy: Proxy,
}

/// Where the app runs.
pub(super) enum Source {
    /// In processes that we keep.
    Supervised {
        supervisor: Supervisor,
        gate: Gate,
        operator: Operator,
        _running: Running,
        _files: offline::Watcher,
    },
    /// Somewhere else.
    Fixed(Backend),
    /// At several places somewhere else.
    Balanced {
        backends: Backends,
        /// Who follows the configuration, where there is one.
        following: Option<(Follower, Running)>,
    },
}

impl App {
    /// What a request passes, from the outermost stage to the app.
    pub(super) fn pipeline(
        &self,
        settings: &Settings,
        authentication: &AuthenticationLayer,
        connection: Option<Connection>,
    ) -> Pipeline {
        let Settings { page, proxy, .. } = settings.clone();
        let page = page.shown_to(connection.as_ref().and_then(Connection::peer));
        let (gate, route) = match &self.source {
            Source::Supervised {
                supervisor, gate, ..
            } => {
                let layer = SupervisorLayer::new(supervisor.clone());
                let service = layer.layer(proxy);
                (
                    gate.clone(),
                    Route::Supervised(service).for_connection(connection),
                )
            }
            Source::Fixed(backend) => {
                let service = FixedLayer::new(backend.clone()).layer(proxy);
                (
                    Gate::open(),
                    Route::Fixed(service).for_connection(connection),
                )
            }
            Source::Balanced { backends, .. } => {
                let service = BalancedLayer::new(backends.clone()).layer(proxy);
                (
                    Gate::open(),
                    Route::Balanced(service).for_connection(connection),
                )
            }
        };
        let app = OfflineLayer::new(gate).layer(ErrorPageLayer::new(page).layer(route));
        authentication.layer(app)
    }
}
