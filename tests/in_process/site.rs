//! A host with an app in this process, and what the app tells of itself.

use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use ancm::{
    Connection, Host, HostBody,
    config::{Builder, Config},
    in_process::Startup,
};
use axum::{Router, body::Body};
use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body_util::BodyExt as _;
use tempfile::TempDir;
use tokio::{sync::watch, time::timeout};
use tower::ServiceExt as _;

/// Longer than anything here takes; a test that waits so long has failed.
const TOO_LONG: Duration = Duration::from_secs(20);

/// An app and its folder.
pub(crate) struct Site {
    pub(crate) host: Host,
    pub(crate) folder: TempDir,
}

pub(crate) type Made = Result<Router, Box<dyn std::error::Error + Send + Sync>>;

impl Site {
    /// An app that `make` makes.
    pub(crate) fn new<M: Future<Output = Made> + Send + 'static>(
        make: impl Fn(Startup) -> M + Send + Sync + 'static,
    ) -> Self {
        Self::with(|config| config, make)
    }

    /// An app of a configuration that `change` has changed.
    pub(crate) fn with<M: Future<Output = Made> + Send + 'static>(
        change: impl FnOnce(Builder) -> Builder,
        make: impl Fn(Startup) -> M + Send + Sync + 'static,
    ) -> Self {
        let folder = TempDir::new().unwrap();
        let config = Config::builder(folder.path()).program(std::env::current_exe().unwrap());
        let config = change(config).build().unwrap();
        let host = Host::in_process(config, make).unwrap();
        Self { host, folder }
    }

    pub(crate) async fn ask(&self, request: Request<Body>) -> Response<HostBody> {
        within(self.host.clone().oneshot(request)).await.unwrap()
    }

    pub(crate) async fn get(&self, target: &str) -> (StatusCode, String) {
        read(self.ask(get(target)).await).await
    }
}

/// A request as a front would hand it over.
pub(crate) fn get(target: &str) -> Request<Body> {
    let connection = Connection::new("192.0.2.7:4711".parse().unwrap());
    let request = Request::get(target).header("host", "shop.example");
    request.extension(connection).body(Body::empty()).unwrap()
}

/// An answer's status, and its body as text.
pub(crate) async fn read(answer: Response<HostBody>) -> (StatusCode, String) {
    let status = answer.status();
    let body: Bytes = within(answer.into_body().collect())
        .await
        .unwrap()
        .to_bytes();
    (status, String::from_utf8(body.to_vec()).unwrap())
}

/// What `future` comes to, unless it takes too long.
pub(crate) async fn within<F: Future>(future: F) -> F::Output {
    timeout(TOO_LONG, future).await.expect("it takes too long")
}

/// Counts what goes on, and tells who waits.
#[derive(Clone, Debug, Default)]
pub(crate) struct Count(watch::Sender<usize>);

impl Count {
    pub(crate) fn add(&self) -> usize {
        self.0.send_modify(|count| *count += 1);
        self.get()
    }

    pub(crate) fn get(&self) -> usize {
        *self.0.borrow()
    }

    pub(crate) async fn reaches(&self, count: usize) {
        let mut counts = self.0.subscribe();
        within(counts.wait_for(|have| *have >= count))
            .await
            .unwrap();
    }
}

/// Counts how many apps were dropped: goes with an app as its state.
#[derive(Clone)]
pub(crate) struct Lives {
    _end: Arc<End>,
    pub(crate) number: usize,
}

struct End(Count);

impl Drop for End {
    fn drop(&mut self) {
        self.0.add();
    }
}

impl Lives {
    pub(crate) fn begin(number: usize, ended: &Count) -> Self {
        Self {
            _end: Arc::new(End(ended.clone())),
            number,
        }
    }
}

impl fmt::Debug for Lives {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Lives").field(&self.number).finish()
    }
}

/// A number that each call of the returned function makes one larger, from 1.
pub(crate) fn numbers() -> impl Fn() -> usize + Send + Sync + 'static {
    let last = AtomicUsize::new(0);
    move || last.fetch_add(1, Ordering::SeqCst) + 1
}
