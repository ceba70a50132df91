//! What tells a request that it reaches the app without having left the process.

use std::{fmt, sync::Arc};

use crate::{PathBase, Shutdown};

/// In the extensions of a request that a host hands to an app of its own process: how the app is hosted.
///
/// Nothing crosses a socket then, so there is no pairing token and there are no forwarded headers: the request's
/// [`Connection`](crate::Connection) says who the client is. An [`AncmLayer`](crate::app::AncmLayer) recognises it by
/// this and gives the app what it finds behind a module: the path without the path base, the client's address, its
/// certificate. Cheap to clone.
#[derive(Clone)]
pub struct InProcess {
    facts: Arc<Facts>,
    /// Whether the app half has seen the request.
    admitted: bool,
}

struct Facts {
    path_base: PathBase,
    shutdown: Shutdown,
}

impl InProcess {
    /// An app at `path_base` that ends when `shutdown` says so.
    #[must_use]
    pub fn new(path_base: PathBase, shutdown: Shutdown) -> Self {
        let facts = Facts {
            path_base,
            shutdown,
        };
        Self {
            facts: Arc::new(facts),
            admitted: false,
        }
    }

    /// Where the app is mounted.
    #[must_use]
    pub fn path_base(&self) -> &PathBase {
        &self.facts.path_base
    }

    /// The signal that the app is to end.
    #[must_use]
    pub fn shutdown(&self) -> &Shutdown {
        &self.facts.shutdown
    }

    /// Whether the app half sees the request for the first time.
    pub(crate) fn admit(&mut self) -> bool {
        !std::mem::replace(&mut self.admitted, true)
    }
}

impl fmt::Debug for InProcess {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("InProcess")
            .field("path_base", &self.facts.path_base)
            .finish_non_exhaustive()
    }
}
