//! An app that somebody else runs, at several addresses: there is little to be done to it, but something to be said.

use super::{
    follow::Follower,
    message::{Reply, Request},
    operator::Operator,
    report::{AddressesReport, ConfigReport, Facts, ModuleReport},
};
use crate::proxy::Backends;

/// What a [`Socket`](super::Socket) can answer for.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Operated {
    /// An app whose processes we keep.
    Supervised(Operator),
    /// One that somebody else runs: its status can be asked for, and its configuration read again.
    Addresses(Addresses),
}

/// An app that somebody else runs, and who follows its configuration.
#[derive(Clone, Debug)]
pub struct Addresses {
    backends: Backends,
    /// `None` where it is not read from a file.
    follower: Option<Follower>,
}

impl From<Operator> for Operated {
    fn from(operator: Operator) -> Self {
        Self::Supervised(operator)
    }
}

impl From<Backends> for Operated {
    fn from(backends: Backends) -> Self {
        Self::Addresses(Addresses::new(backends, None))
    }
}

impl Operated {
    /// Does what `request` says. `facts`: since when this is served.
    pub(super) async fn answer(&self, request: Request, facts: &Facts) -> Reply {
        match self {
            Self::Supervised(operator) => operator.answer(request).await,
            Self::Addresses(addresses) => addresses.answer(request, facts).await,
        }
    }
}

impl Addresses {
    /// Those of `backends`, which follow their configuration if somebody does that.
    pub(crate) const fn new(backends: Backends, follower: Option<Follower>) -> Self {
        Self { backends, follower }
    }

    async fn answer(&self, request: Request, facts: &Facts) -> Reply {
        match (request, &self.follower) {
            (Request::Status {}, _) => Reply::Addresses {
                status: Box::new(self.report(facts)),
            },
            (Request::Logs { .. }, _) => Reply::Logs { logs: Vec::new() },
            (Request::Restart {}, Some(follower)) => match follower.reload().await {
                Ok(()) => Reply::Done {
                    note: Some(
                        "not the app, which somebody else runs: its configuration was read again"
                            .to_owned(),
                    ),
                },
                Err(errors) => Reply::Failed {
                    error: format!(
                        "the configuration is wrong, nothing was changed:\n{}",
                        errors.join("\n")
                    ),
                    output: None,
                },
            },
            (
                Request::Restart {} | Request::Stop {} | Request::Offline {} | Request::Online {},
                _,
            ) => Reply::Failed {
                error: "somebody else runs this app: nothing of it is started or stopped here"
                    .to_owned(),
                output: None,
            },
        }
    }

    fn report(&self, facts: &Facts) -> AddressesReport {
        let backends = self.backends.status();
        let ready = backends.iter().any(|backend| backend.state == "up");
        let follower = self.follower.as_ref();
        AddressesReport {
            state: if ready { "ready" } else { "unreachable" },
            backends,
            config: follower.map(|follower| ConfigReport::new(&follower.configured())),
            module: ModuleReport::new(facts),
        }
    }
}
