//! What a worker hosts, whatever it is.

use std::{
    fmt,
    future::Future,
    path::{Path, PathBuf},
    time::Duration,
};

use bytes::Buf;
use http::{Request, Response};
use hyper::body::Incoming;
use tower_service::Service;

use super::Failure;
use crate::{Connection, PathBase, error::BoxError};

/// An app that can be started in this process, once.
pub trait App: Send + 'static {
    /// The app, once it takes requests.
    type Running: Running;

    /// Starts it.
    ///
    /// `startupTimeLimit` is kept by whoever started the worker: the process is gone then. Dropped, the future may leave
    /// behind what it likes: the process ends.
    ///
    /// # Errors
    ///
    /// When it can't be hosted, and why. The process ends then: nothing has to be taken back.
    fn start(
        self,
        settings: &Settings,
    ) -> impl Future<Output = Result<Self::Running, Failure>> + Send;
}

/// An app that takes requests.
pub trait Running: Send + 'static {
    /// What takes the requests, from any thread.
    ///
    /// A request's extensions hold its [`Connection`](crate::Connection), which is the client's own, however it came here,
    /// the [`PathBase`] where its path was below it, which it is not any more, and the [`Identity`](crate::Identity) of the
    /// user whom the front authenticated, if it did.
    type Service: Service<
            Request<Incoming>,
            Response = Response<Self::Body>,
            Error: Into<BoxError>,
            Future: Send + 'static,
        > + Clone
        + Send
        + Sync
        + 'static;
    /// The body of its answers. Its default is the empty one.
    type Body: http_body::Body<Data: Buf + Send, Error: Into<BoxError>> + Default + Send + 'static;

    /// What takes the requests; asked for once or more.
    fn service(&self) -> Self::Service;

    /// What takes the requests of `connection`, if it need not be told by each of them whose it is: their extensions say
    /// nothing of the connection then. Defaults to none.
    fn service_of(service: &Self::Service, connection: &Connection) -> Option<Self::Service> {
        let _ = (service, connection);
        None
    }

    /// Waits until the app has ended, by itself or because it was told to; its exit code. Cancel safe.
    fn ended(&mut self) -> impl Future<Output = i32> + Send;

    /// Asks the app to stop, and returns: [`ended`](Self::ended) tells when it has.
    ///
    /// Requests under way may go on meanwhile, for `limit` at most, after which the process is killed.
    fn stop(&mut self, limit: Duration);
}

/// What an app is to be started with.
#[derive(Clone)]
#[non_exhaustive]
pub struct Settings {
    pub(super) program: PathBuf,
    pub(super) arguments: Vec<String>,
    pub(super) content_root: PathBuf,
    pub(super) path_base: PathBase,
    pub(super) startup_limit: Duration,
    pub(super) shutdown_limit: Duration,
    pub(super) detailed_errors: bool,
    pub(super) websockets: bool,
    pub(super) stack_size: Option<usize>,
    pub(super) call_startup_hook: bool,
    pub(super) max_request_body: Option<u32>,
}

impl Settings {
    /// `processPath`, as it was found.
    #[must_use]
    pub fn program(&self) -> &Path {
        &self.program
    }

    /// `arguments`, one by one.
    #[must_use]
    pub fn arguments(&self) -> &[String] {
        &self.arguments
    }

    /// The app's folder, which is the working directory of this process too, unless `setCurrentDirectory` is false.
    #[must_use]
    pub fn content_root(&self) -> &Path {
        &self.content_root
    }

    /// The prefix under which the app is mounted. Requests come without it.
    #[must_use]
    pub fn path_base(&self) -> &PathBase {
        &self.path_base
    }

    /// `startupTimeLimit`.
    #[must_use]
    pub fn startup_time_limit(&self) -> Duration {
        self.startup_limit
    }

    /// `shutdownTimeLimit`.
    #[must_use]
    pub fn shutdown_time_limit(&self) -> Duration {
        self.shutdown_limit
    }

    /// Whether the app's exceptions may be shown to clients: in Development.
    #[must_use]
    pub fn detailed_errors(&self) -> bool {
        self.detailed_errors
    }

    /// `webSocket enabled`: whether requests may become WebSockets.
    #[must_use]
    pub fn websockets(&self) -> bool {
        self.websockets
    }

    /// `stackSize`: the stack of each of the app's threads, in bytes, where it is set.
    #[must_use]
    pub fn stack_size(&self) -> Option<usize> {
        self.stack_size
    }

    /// `callStartupHook`: whether what the app throws while it starts may be shown.
    #[must_use]
    pub fn call_startup_hook(&self) -> bool {
        self.call_startup_hook
    }

    /// `maxAllowedContentLength`: the largest body that the app may read unless it says otherwise, in bytes, where it is set.
    #[must_use]
    pub fn max_request_body(&self) -> Option<u32> {
        self.max_request_body
    }
}

impl fmt::Debug for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Settings")
            .field("program", &self.program)
            .field("arguments", &self.arguments)
            .field("content_root", &self.content_root)
            .field("path_base", &self.path_base)
            .finish_non_exhaustive()
    }
}
