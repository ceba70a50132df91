//! An app that somebody else runs, at several addresses: there is little to be done to it, but something to be said.

use serde::Serialize;

use super::{
    message::{Reply, Request},
    operator::{Facts, Operator},
    report::ModuleReport,
};
use crate::proxy::{BackendStatus, Backends};

/// What a [`Socket`](super::Socket) can answer for.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Operated {
    /// An app whose processes we keep.
    Supervised(Operator),
    /// One that somebody else runs: its status can be asked for, and nothing else.
    Addresses(Backends),
}

impl From<Operator> for Operated {
    fn from(operator: Operator) -> Self {
        Self::Supervised(operator)
    }
}

impl From<Backends> for Operated {
    fn from(backends: Backends) -> Self {
        Self::Addresses(backends)
    }
}

/// How the addresses of an app are.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct AddressesReport {
    /// `ready` where any address is up, or else `unreachable`.
    pub state: &'static str,
    /// Each of them, and each name that has none.
    pub backends: Vec<BackendStatus>,
    /// Who forwards to them.
    pub module: ModuleReport,
}

impl Operated {
    /// Does what `request` says. `facts`: since when this is served.
    pub(super) async fn answer(&self, request: Request, facts: &Facts) -> Reply {
        match (self, request) {
            (Self::Supervised(operator), request) => operator.answer(request).await,
            (Self::Addresses(backends), Request::Status {}) => Reply::Addresses {
                status: Box::new(report(backends, facts)),
            },
            (Self::Addresses(_), Request::Logs { .. }) => Reply::Logs { logs: Vec::new() },
            (
                Self::Addresses(_),
                Request::Restart {} | Request::Stop {} | Request::Offline {} | Request::Online {},
            ) => Reply::Failed {
                error: "somebody else runs this app: nothing of it is started or stopped here"
                    .to_owned(),
                output: None,
            },
        }
    }
}

fn report(backends: &Backends, facts: &Facts) -> AddressesReport {
    let backends = backends.status();
    let ready = backends.iter().any(|backend| backend.state == "up");
    AddressesReport {
        state: if ready { "ready" } else { "unreachable" },
        backends,
        module: ModuleReport::new(facts),
    }
}
