//! An app that runs in this process.

use std::{fmt, time::Duration};

use tracing::{error, info};

use super::{
    Launch, ResponseBody,
    lifetime::{self, Lifetime},
    native::Native,
    service::Service,
};
use crate::{
    Connection,
    config::ProcessVars,
    in_process::{App, Failure, Running, Settings},
};

/// The ASP.NET Core app of a worker: `worker.run(AspNetCore::new())`.
///
/// The arguments of the app, its environment and its current directory are those of the worker.
#[derive(Clone, Copy, Debug, Default)]
#[non_exhaustive]
pub struct AspNetCore;

impl AspNetCore {
    /// The app that the worker's settings name.
    #[must_use]
    pub const fn new() -> Self {
        Self
    }
}

impl App for AspNetCore {
    type Running = Hosted;

    async fn start(self, settings: &Settings) -> Result<Hosted, Failure> {
        Launch::assigned(settings, &ProcessVars::default())?
            .start()
            .await
    }
}

impl Running for Hosted {
    type Service = Service;
    type Body = ResponseBody;

    fn service(&self) -> Service {
        Self::service(self)
    }

    fn service_of(service: &Service, connection: &Connection) -> Option<Service> {
        Some(service.for_connection(connection.clone()))
    }

    async fn ended(&mut self) -> i32 {
        match Self::ended(self).await {
            Ended::Returned(code) => code,
            Ended::Threw { detail, .. } => {
                error!(app.exception = %detail, "App threw out of Main");
                ABORTED
            }
        }
    }

    fn stop(&mut self, _: Duration) {
        Self::stop(self);
    }
}

/// What a shell shows of a process that its runtime aborted because of an exception: 128 and SIGABRT.
const ABORTED: i32 = 134;

/// A running app; cheap to clone. It goes on when all of its handles are dropped: nothing can unload it.
#[derive(Clone)]
pub struct Hosted {
    native: &'static Native,
}

/// How an app ended.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Ended {
    /// Main returned this.
    Returned(i32),
    /// Main threw: the message in one line, and all of it.
    Threw {
        /// Type and message.
        message: String,
        /// With the stack.
        detail: String,
    },
}

impl Hosted {
    pub(super) const fn new(native: &'static Native) -> Self {
        Self { native }
    }

    /// The app as a service.
    #[must_use]
    pub fn service(&self) -> Service {
        Service::new(self.native)
    }

    /// How many requests the app has not finished with.
    #[must_use]
    pub fn open_requests(&self) -> u64 {
        self.native.open_requests()
    }

    /// Asks the app to stop, as a signal would: it takes no more requests, finishes those it has, and returns from
    /// Main. Returns at once; [`ended`](Self::ended) tells when it is done, which an app may never be.
    pub fn stop(&self) {
        info!("App is asked to stop");
        self.native.shut_down();
    }

    /// Waits until the app's server takes no request any more: asked to, or by itself. Cancel safe.
    pub async fn stopped(&self) {
        lifetime::wait(self.native.lifetime(), |lifetime| {
            lifetime.stopped || lifetime.has_ended()
        })
        .await;
    }

    /// Waits until Main has returned or thrown. Cancel safe.
    pub async fn ended(&self) -> Ended {
        ended(lifetime::wait(self.native.lifetime(), Lifetime::has_ended).await)
    }
}

fn ended(lifetime: Lifetime) -> Ended {
    if let Some(thrown) = lifetime.main_failed {
        return Ended::Threw {
            message: thrown.message,
            detail: thrown.detail,
        };
    }
    match (lifetime.main_ended, lifetime.ran) {
        (Some(code), _) | (None, Some(Ok(code))) => Ended::Returned(code),
        (None, Some(Err(reason))) => Ended::Threw {
            message: reason.clone(),
            detail: reason,
        },
        (None, None) => Ended::Returned(0),
    }
}

impl fmt::Debug for Hosted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Hosted")
            .field("open_requests", &self.open_requests())
            .finish()
    }
}
