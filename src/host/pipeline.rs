//! What a request passes, from the outermost stage to the app.

use std::sync::Arc;

use tower_layer::Layer;

use super::{live::Live, route::Route, settings::Settings, source::Source};
use crate::{
    Connection, PathBase,
    authentication::{Authenticated, AuthenticationLayer},
    error::{ErrorPageLayer, ErrorPages},
    offline::{Gate, Offline, OfflineLayer},
    proxy::{BalancedLayer, FixedLayer, Tunnels},
    supervisor::SupervisorLayer,
};

pub(super) type Pipeline = Authenticated<Offline<ErrorPages<Route>>>;

/// The parts of one app that its connections share.
pub(super) struct App {
    pub(super) path_base: PathBase,
    pub(super) source: Source,
    pub(super) tunnels: Tunnels,
    pub(super) settings: Arc<Live<Settings>>,
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
                (gate.clone(), Route::Supervised(layer.layer(proxy)))
            }
            Source::Fixed(backend) => {
                let layer = FixedLayer::new(backend.clone());
                (Gate::open(), Route::Fixed(layer.layer(proxy)))
            }
            Source::Balanced { backends, .. } => {
                let layer = BalancedLayer::new(backends.clone());
                (Gate::open(), Route::Balanced(layer.layer(proxy)))
            }
        };
        let route = route.for_connection(connection);
        let app = OfflineLayer::new(gate).layer(ErrorPageLayer::new(page).layer(route));
        authentication.layer(app)
    }
}
