//! The layer.

use tower_layer::Layer;

use super::{Gate, Offline};

/// Answers with the page while the app is offline. See the [module](super) for an example.
#[derive(Clone, Debug)]
pub struct OfflineLayer {
    gate: Gate,
}

impl OfflineLayer {
    /// Asks `gate` for each request.
    #[must_use]
    pub fn new(gate: Gate) -> Self {
        Self { gate }
    }
}

impl<S> Layer<S> for OfflineLayer {
    type Service = Offline<S>;

    fn layer(&self, inner: S) -> Self::Service {
        Offline::new(inner, self.gate.clone())
    }
}
