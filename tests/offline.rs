//! `app_offline.htm`, from the file to the response. The names in capitals are the module's own
//! tests (`AppOfflineTests`), as far as they need no process.
#![cfg(feature = "host")]
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

use std::{
    convert::Infallible,
    fs,
    future::pending,
    path::{Path, PathBuf},
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    task::{Context, Poll},
    time::Duration,
};

use ancm::offline::{Gate, OfflineLayer, Watcher, watch};
use bytes::Bytes;
use http::{Method, Request, Response, StatusCode, header};
use http_body::Frame;
use http_body_util::{BodyExt, Full};
use tempfile::{TempDir, tempdir};
use tokio::time::timeout;
use tower::{Layer, Service, ServiceExt, service_fn};

/// Longer than anything here takes; a test that waits so long has failed.
const TOO_LONG: Duration = Duration::from_secs(20);

struct Site {
    root: TempDir,
    gate: Gate,
    _watcher: Watcher,
}

impl Site {
    fn new() -> Self {
        Self::at(tempdir().unwrap())
    }

    fn at(root: TempDir) -> Self {
        let (gate, watcher) = watch(root.path()).unwrap();
        Self {
            root,
            gate,
            _watcher: watcher,
        }
    }

    fn file(&self) -> PathBuf {
        self.root.path().join("app_offline.htm")
    }

    async fn get(&self) -> (StatusCode, Bytes) {
        let response = respond(&self.gate, Request::new(Full::default())).await;
        let status = response.status();
        (
            status,
            response.into_body().collect().await.unwrap().to_bytes(),
        )
    }

    async fn goes(&mut self, offline: bool) {
        let changed = timeout(TOO_LONG, self.gate.changed()).await;
        assert_eq!(changed.expect("nobody tells"), Some(offline));
    }
}

async fn respond(
    gate: &Gate,
    request: Request<Full<Bytes>>,
) -> Response<ancm::ResponseBody<Full<Bytes>>> {
    let app = service_fn(|request: Request<Full<Bytes>>| async move {
        Ok::<_, Infallible>(Response::new(request.into_body()))
    });
    OfflineLayer::new(gate.clone())
        .layer(app)
        .oneshot(request)
        .await
        .unwrap()
}

fn put(path: &Path, content: &str) {
    fs::write(path, content).unwrap();
}

#[tokio::test]
#[allow(non_snake_case, reason = "the module's name for it")]
async fn AppOfflineDroppedWhileSiteIsDown_SiteReturns503() {
    let root = tempdir().unwrap();
    put(&root.path().join("app_offline.htm"), "The app is offline.");
    let site = Site::at(root);
    assert_eq!(
        site.get().await,
        (
            StatusCode::SERVICE_UNAVAILABLE,
            "The app is offline.".into()
        )
    );
    // Nothing holds the files.
    site.root.close().unwrap();
}

/// The module's test locks the file; a folder of its name is as unreadable, on every system.
#[tokio::test]
#[allow(non_snake_case, reason = "the module's name for it")]
async fn LockedAppOfflineDroppedWhileSiteIsDown_SiteReturns503() {
    let root = tempdir().unwrap();
    fs::create_dir(root.path().join("app_offline.htm")).unwrap();
    let site = Site::at(root);
    let (status, body) = site.get().await;
    assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE);
    assert!(body.starts_with(b"<!DOCTYPE html>"));
}

#[tokio::test]
#[allow(non_snake_case, reason = "the module's name for it")]
async fn AppOfflineDroppedWhileSiteRunning_SiteShutsDown_OutOfProcess() {
    let mut site = Site::new();
    for _ in 0..5 {
        put(&site.file(), "The app is offline.");
        site.goes(true).await;
        assert_eq!(site.get().await.0, StatusCode::SERVICE_UNAVAILABLE);
        fs::remove_file(site.file()).unwrap();
        site.goes(false).await;
        assert_eq!(site.get().await.0, StatusCode::OK);
    }
    site.root.close().unwrap();
}

#[tokio::test]
#[allow(non_snake_case, reason = "the module's name for it")]
async fn AppOfflineDropped_CanRemoveAppOfflineAfterAddingAndSiteWorks() {
    let root = tempdir().unwrap();
    put(&root.path().join("App_Offline.HTM"), "The app is offline.");
    let mut site = Site::at(root);
    assert_eq!(site.get().await.0, StatusCode::SERVICE_UNAVAILABLE);
    fs::remove_file(site.root.path().join("App_Offline.HTM")).unwrap();
    site.goes(false).await;
    assert_eq!(site.get().await, (StatusCode::OK, Bytes::new()));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[allow(non_snake_case, reason = "the module's name for it")]
async fn AppOfflineAddedAndRemovedStress() {
    let site = Site::new();
    let done = Arc::new(AtomicBool::new(false));
    let answers = Arc::new([AtomicUsize::new(0), AtomicUsize::new(0)]);
    let load: Vec<_> = (0..4)
        .map(|_| {
            let (gate, done, answers) = (site.gate.clone(), done.clone(), answers.clone());
            tokio::spawn(async move {
                while !done.load(Ordering::Relaxed) {
                    let response = respond(&gate, Request::new(Full::default())).await;
                    let status = response.status();
                    let body = response.into_body().collect().await.unwrap().to_bytes();
                    match status {
                        StatusCode::OK => assert!(body.is_empty()),
                        StatusCode::SERVICE_UNAVAILABLE => assert!(!body.is_empty()),
                        other => panic!("{other}"),
                    }
                    answers[usize::from(status != StatusCode::OK)].fetch_add(1, Ordering::Relaxed);
                    tokio::task::yield_now().await;
                }
            })
        })
        .collect();
    for _ in 0..100 {
        put(&site.file(), "The app is offline.");
        fs::remove_file(site.file()).unwrap();
    }
    // However many of these were noticed, the last word counts.
    put(&site.file(), "offline");
    timeout(TOO_LONG, async {
        while site.get().await.1 != "offline" || answers[1].load(Ordering::Relaxed) == 0 {
            tokio::task::yield_now().await;
        }
    })
    .await
    .unwrap();
    fs::remove_file(site.file()).unwrap();
    let before = answers[0].load(Ordering::Relaxed);
    timeout(TOO_LONG, async {
        while site.gate.is_closed() || answers[0].load(Ordering::Relaxed) == before {
            tokio::task::yield_now().await;
        }
    })
    .await
    .unwrap();
    done.store(true, Ordering::Relaxed);
    for load in load {
        load.await.unwrap();
    }
}

#[tokio::test]
async fn the_answer_is_a_503_that_no_cache_keeps() {
    let root = tempdir().unwrap();
    put(&root.path().join("app_offline.htm"), "<p>Straße</p>");
    let site = Site::at(root);
    for method in [Method::GET, Method::POST, Method::HEAD, Method::OPTIONS] {
        let request = Request::builder()
            .method(method.clone())
            .body(Full::from("a body"))
            .unwrap();
        let response = respond(&site.gate, request).await;
        assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE);
        let headers = response.headers();
        assert_eq!(headers[header::CONTENT_TYPE], "text/html");
        assert_eq!(headers[header::CONTENT_LENGTH], "14");
        assert_eq!(headers[header::CACHE_CONTROL], "no-store");
        assert!(!headers.contains_key(header::RETRY_AFTER));
        let size = http_body::Body::size_hint(response.body()).exact();
        let body = response.into_body().collect().await.unwrap().to_bytes();
        assert_eq!(size, Some(body.len() as u64));
        let want = if method == Method::HEAD {
            ""
        } else {
            "<p>Straße</p>"
        };
        assert_eq!(body, want, "{method}");
    }
}

#[tokio::test]
async fn the_built_in_page_says_its_charset() {
    let root = tempdir().unwrap();
    put(&root.path().join("app_offline.htm"), "");
    let site = Site::at(root);
    let response = respond(&site.gate, Request::new(Full::default())).await;
    assert_eq!(
        response.headers()[header::CONTENT_TYPE],
        "text/html; charset=utf-8"
    );
}

#[tokio::test]
async fn another_content_is_shown_without_telling_the_supervisor() {
    let mut site = Site::new();
    put(&site.file(), "one");
    site.goes(true).await;
    put(&site.file(), "two");
    timeout(TOO_LONG, async {
        while site.get().await.1 != "two" {
            tokio::task::yield_now().await;
        }
    })
    .await
    .unwrap();
    fs::remove_file(site.file()).unwrap();
    site.goes(false).await;
}

#[tokio::test]
async fn an_app_may_be_replaced_with_its_folder() {
    let base = tempdir().unwrap();
    let [app, old, new] = ["app", "old", "new"].map(|name| base.path().join(name));
    for folder in [&app, &new] {
        fs::create_dir(folder).unwrap();
    }
    let (mut gate, _watcher) = watch(&app).unwrap();
    let mut goes = async |offline| {
        let changed = timeout(TOO_LONG, gate.changed()).await;
        assert_eq!(changed.expect("nobody tells"), Some(offline));
    };
    put(&app.join("app_offline.htm"), "swapping");
    goes(true).await;
    fs::rename(&app, &old).unwrap();
    fs::rename(&new, &app).unwrap();
    goes(false).await;
    // What is watched is the new folder, not the old one.
    fs::remove_file(old.join("app_offline.htm")).unwrap();
    put(&app.join("app_offline.htm"), "again");
    goes(true).await;
    // Windows keeps the name of a folder for as long as somebody watches it.
    if cfg!(unix) {
        fs::remove_dir_all(&app).unwrap();
        fs::create_dir(&app).unwrap();
        goes(false).await;
    }
}

#[cfg(unix)]
#[tokio::test]
async fn a_link_may_choose_the_version() {
    use std::os::unix::fs::symlink;

    let base = tempdir().unwrap();
    let [current, one, two, next] =
        ["current", "one", "two", "next"].map(|name| base.path().join(name));
    fs::create_dir(&one).unwrap();
    fs::create_dir(&two).unwrap();
    put(&one.join("app_offline.htm"), "one");
    symlink(&one, &current).unwrap();
    let (mut gate, _watcher) = watch(&current).unwrap();
    assert!(gate.is_closed());
    symlink(&two, &next).unwrap();
    fs::rename(&next, &current).unwrap();
    assert_eq!(
        timeout(TOO_LONG, gate.changed()).await.unwrap(),
        Some(false)
    );
}

#[tokio::test]
async fn nobody_is_told_once_the_watcher_is_dropped() {
    let root = tempdir().unwrap();
    let (mut gate, watcher) = watch(root.path()).unwrap();
    drop(watcher);
    assert_eq!(timeout(TOO_LONG, gate.changed()).await.unwrap(), None);
    assert!(!gate.is_closed());
    assert_eq!(Gate::open().page(), None);
}

/// A request's body that fails the test when it is read.
struct Unread;

impl http_body::Body for Unread {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        panic!("the body was read")
    }
}

#[tokio::test]
async fn neither_reads_the_body_nor_calls_the_app() {
    let root = tempdir().unwrap();
    put(&root.path().join("app_offline.htm"), "offline");
    let site = Site::at(root);
    let app =
        service_fn(|_: Request<Unread>| pending::<Result<Response<Full<Bytes>>, Infallible>>());
    let mut app = OfflineLayer::new(site.gate.clone()).layer(app);
    let response = app.ready().await.unwrap().call(Request::new(Unread));
    assert_eq!(
        response.await.unwrap().status(),
        StatusCode::SERVICE_UNAVAILABLE
    );
}

#[test]
fn static_properties() {
    fn assert<T: Clone + Send + Sync + std::fmt::Debug>() {}
    assert::<Gate>();
    assert::<OfflineLayer>();
    assert::<ancm::offline::Offline<()>>();
    fn send<T: Send + std::fmt::Debug>() {}
    send::<Watcher>();
}
