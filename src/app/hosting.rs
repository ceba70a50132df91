//! What an app that is hosted may ask about that.

use std::sync::Arc;

use super::{ModuleEnvironment, Shutdown};

/// In a request's extensions, where somebody put it: one pointer.
#[derive(Clone, Debug)]
#[cfg_attr(
    not(feature = "axum"),
    allow(dead_code, reason = "read by extractors only")
)]
pub(super) struct Hosting(pub(super) Arc<(Shutdown, Option<ModuleEnvironment>)>);

impl Hosting {
    pub(super) fn new(shutdown: Shutdown, module: Option<ModuleEnvironment>) -> Self {
        Self(Arc::new((shutdown, module)))
    }
}
