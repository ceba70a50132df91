//! The demo's app: an ordinary axum app with the app half, in a process of its own.

use std::{
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use ancm::{PathBase, app::Forwarded, error::chain};
use axum::{
    Router,
    extract::{OriginalUri, State},
    response::{Html, IntoResponse, Response},
    routing::post,
};
use http::{
    HeaderMap, HeaderName, HeaderValue,
    header::{ACCEPT, CACHE_CONTROL, CONTENT_SECURITY_POLICY, HOST, REFRESH},
    request::Parts,
};
use tokio::time::Instant;

use super::{
    facts::{self, Process, Seen},
    journal, page,
};
use crate::failure::Failure;

/// The status of a process that was told to end: not 0, as a crash.
const CRASHED: i32 = 3;
/// How long the answer to "end" has to reach the client.
const LAST_WORDS: Duration = Duration::from_millis(200);

/// The page holds no script and loads nothing.
const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; \
                      form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

/// Serves the page until the module or a signal says stop.
pub(super) async fn serve(journal: Option<&Path>) -> Result<(), Failure> {
    let app = App::new(journal)?;
    ancm::app::serve(router(app)).await.map_err(|error| {
        Failure::other(format_args!(
            "the demo's app can't serve: {}",
            chain(&error)
        ))
    })
}

fn router(app: App) -> Router {
    Router::new()
        .route("/end", post(end))
        .fallback(show)
        .with_state(Arc::new(app))
}

#[derive(Debug)]
struct App {
    pid: u32,
    before: Option<Vec<u32>>,
    folder: Option<PathBuf>,
    port: Option<String>,
    started: Instant,
    requests: AtomicU64,
}

impl App {
    fn new(journal: Option<&Path>) -> Result<Self, Failure> {
        let pid = std::process::id();
        let before = journal
            .map(|journal| journal::enter(journal, pid))
            .transpose()
            .map_err(|error| Failure::other(format_args!("the demo's journal: {error}")))?;
        Ok(Self {
            pid,
            before,
            folder: journal.and_then(Path::parent).map(Path::to_owned),
            port: std::env::var("ASPNETCORE_PORT").ok(),
            started: Instant::now(),
            requests: AtomicU64::new(0),
        })
    }

    fn process(&self) -> Process {
        Process {
            pid: self.pid,
            before: self.before.clone(),
            folder: self.folder.clone(),
            port: self.port.clone(),
            uptime: self.started.elapsed(),
            requests: self.requests.fetch_add(1, Ordering::Relaxed) + 1,
        }
    }

    fn seen(&self, parts: &Parts) -> Seen {
        let extensions = &parts.extensions;
        let forwarded = Forwarded::of(extensions);
        let path_base = extensions.get::<PathBase>().cloned().unwrap_or_default();
        let whole = extensions.get::<OriginalUri>();
        let target = whole
            .map_or(&parts.uri, |OriginalUri(uri)| uri)
            .path_and_query();
        Seen {
            method: parts.method.to_string(),
            target: target.map_or_else(String::new, ToString::to_string),
            scheme: forwarded.scheme().to_string(),
            host: host(parts),
            remote: forwarded.client_address(),
            path_base: path_base.as_str().to_owned(),
            headers: facts::headers(&parts.headers),
            process: self.process(),
        }
    }
}

fn host(parts: &Parts) -> String {
    let host = parts.headers.get(HOST).map(HeaderValue::as_bytes);
    String::from_utf8_lossy(host.unwrap_or_default()).into_owned()
}

async fn show(State(app): State<Arc<App>>, parts: Parts) -> Response {
    let seen = app.seen(&parts);
    if wants_html(&parts.headers) {
        (harmless(), Html(page::html(&seen))).into_response()
    } else {
        (harmless(), page::text(&seen)).into_response()
    }
}

/// Says goodbye and ends the process, as a crash would.
async fn end(State(app): State<Arc<App>>, parts: Parts) -> Response {
    let seen = app.seen(&parts);
    tokio::spawn(async {
        tokio::time::sleep(LAST_WORDS).await;
        std::process::exit(CRASHED);
    });
    let again = HeaderValue::try_from(format!("1; url={}", seen.path_base));
    let again = again.map(|again| [(REFRESH, again)]).ok();
    (harmless(), again, Html(page::farewell(&seen))).into_response()
}

fn wants_html(headers: &HeaderMap) -> bool {
    let mut values = headers.get_all(ACCEPT).iter();
    values.any(|value| {
        value
            .to_str()
            .is_ok_and(|value| value.contains("text/html"))
    })
}

/// What every answer says beside its content: don't keep me, don't run anything.
fn harmless() -> [(HeaderName, HeaderValue); 2] {
    [
        (CACHE_CONTROL, HeaderValue::from_static("no-store")),
        (CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY)),
    ]
}
