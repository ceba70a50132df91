//! The host half over real children: one start for all, replaced when it dies, explained when it fails.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test that can't go on panics"
)]

mod child;

use std::{net::TcpListener, time::Duration};

use ancm::{Host, config::Builder};
use bytes::Bytes;
use http::{Request, StatusCode};
use http_body_util::{BodyExt, Empty};
use tokio::{task::JoinSet, time::Instant};
use tower::ServiceExt;

/// Long enough for a busy machine; nothing here waits that long unless it fails.
const PATIENCE: Duration = Duration::from_secs(60);

struct App {
    host: Host,
    root: tempfile::TempDir,
}

impl App {
    fn new(role: &str) -> Self {
        Self::with(role, |config| config)
    }

    fn with(role: &str, change: impl FnOnce(Builder) -> Builder) -> Self {
        let root = tempfile::tempdir().unwrap();
        let config = change(child::config(root.path(), role)).build().unwrap();
        Self {
            host: Host::new(config).unwrap(),
            root,
        }
    }

    async fn get(&self, path: &str) -> (StatusCode, String) {
        let request = Request::get(path)
            .header("host", "localhost")
            .body(Empty::<Bytes>::new());
        let answer = self.host.clone().oneshot(request.unwrap());
        let response = tokio::time::timeout(PATIENCE, answer)
            .await
            .unwrap()
            .unwrap();
        let status = response.status();
        let body = response.into_body().collect().await.unwrap().to_bytes();
        (status, String::from_utf8_lossy(&body).into_owned())
    }

    async fn pid(&self) -> String {
        let (status, body) = self.get("/pid").await;
        assert_eq!(status, 200, "{body}");
        body
    }
}

#[tokio::test]
async fn first_request_starts_one_process_for_200_concurrent_requests() {
    let app = App::new("late:300");
    let mut requests = JoinSet::new();
    for _ in 0..200 {
        let host = app.host.clone();
        requests.spawn(async move {
            let request = Request::get("/pid").header("host", "localhost");
            let response = host
                .oneshot(request.body(Empty::<Bytes>::new()).unwrap())
                .await;
            response
                .unwrap()
                .into_body()
                .collect()
                .await
                .unwrap()
                .to_bytes()
        });
    }
    let pids = requests.join_all().await;
    assert_eq!(pids.len(), 200);
    assert!(pids.iter().all(|pid| pid == &pids[0]), "{pids:?}");
    app.host.shutdown().await;
}

#[tokio::test]
async fn crash_is_followed_by_an_answer_from_a_new_pid() {
    let app = App::new("serve");
    let first = app.pid().await;
    let (status, _) = app.get("/exit").await;
    assert_eq!(status, 502);
    let second = app.pid().await;
    assert_ne!(first, second);
    app.host.shutdown().await;
}

#[tokio::test]
async fn a_program_that_does_not_exist_is_named_at_its_stage() {
    let app = App::with("serve", |config| config.program("/no/such/program"));
    let (status, page) = app.get("/").await;
    assert_eq!(status, 502);
    assert!(
        page.contains("502.5") && page.contains("<b>spawn</b>"),
        "{page}"
    );
    assert!(
        !page.contains("/no/such/program"),
        "detail is for development: {page}"
    );
}

#[tokio::test]
async fn an_early_exit_is_told_with_its_code_and_output_in_development() {
    let app = App::with("exit:7", |config| {
        config.environment("ASPNETCORE_ENVIRONMENT", "Development")
    });
    let (status, page) = app.get("/").await;
    assert_eq!(status, 502);
    assert!(
        page.contains("<b>exited</b>") && page.contains("exit code 7"),
        "{page}"
    );
    assert!(
        page.contains("the child gives up") && page.contains("&lt;b&gt;bold"),
        "{page}"
    );
    assert!(!page.contains('\u{1b}'), "{page}");
}

#[tokio::test]
async fn a_process_that_never_listens_runs_into_the_limit() {
    for role in ["never", "elsewhere"] {
        let limit = Duration::from_secs(1);
        let app = App::with(role, |config| config.startup_time_limit(limit));
        let begun = Instant::now();
        let (status, page) = app.get("/").await;
        assert_eq!(status, 502, "{role}");
        assert!(page.contains("<b>not-listening</b>"), "{role}: {page}");
        // Two attempts, as the module makes.
        assert!(
            (2 * limit..PATIENCE).contains(&begun.elapsed()),
            "{role}: {:?}",
            begun.elapsed()
        );
    }
}

#[tokio::test]
async fn a_start_that_failed_is_tried_again_by_a_later_request() {
    let app = App::with("serve", |config| config.environment("ASPNETCORE_PORT", "1"));
    assert_eq!(app.get("/").await.0, 502);
    assert_eq!(app.get("/").await.0, 502);
}

#[tokio::test]
async fn a_stranger_on_the_preset_port_never_gets_a_request() {
    let stranger = (1025..48000)
        .find_map(|port| TcpListener::bind(("127.0.0.1", port)).ok())
        .unwrap();
    stranger.set_nonblocking(true).unwrap();
    let port = stranger.local_addr().unwrap().port().to_string();
    let app = App::with("never", |config| {
        config
            .environment("ASPNETCORE_PORT", &port)
            .startup_time_limit(Duration::from_secs(2))
    });
    let (status, page) = app.get("/").await;
    assert_eq!(status, 502);
    assert!(page.contains("<b>wrong-owner</b>"), "{page}");
    assert!(stranger.accept().is_err(), "somebody dialled the stranger");
}

#[tokio::test]
async fn a_launcher_s_grandchild_is_the_app_too() {
    let app = App::new("launcher");
    let pid = app.pid().await;
    assert_eq!(pid, app.pid().await);
    app.host.shutdown().await;
    assert!(gone(&pid).await, "{pid} outlived the shutdown");
}

#[tokio::test]
async fn shutdown_leaves_no_process_and_refuses_what_comes_later() {
    let app = App::new("serve");
    let pid = app.pid().await;
    app.host.shutdown().await;
    assert!(gone(&pid).await);
    assert_eq!(app.get("/").await.0, 503);
}

#[tokio::test]
async fn the_app_s_output_goes_to_the_module_s_log_file() {
    let app = App::with("exit:0", |config| config.stdout_log("logs/stdout"));
    assert_eq!(app.get("/").await.0, 502);
    let logs = std::fs::read_dir(app.root.path().join("logs")).unwrap();
    let mut logs: Vec<_> = logs.map(|log| log.unwrap().path()).collect();
    // The second attempt's, if within the same second, has the longer name.
    logs.sort_by_key(|log| log.as_os_str().len());
    let log = logs.first().expect("a log file");
    let name = log.file_name().unwrap().to_str().unwrap();
    // `stdout_<UTC to the second>_<our pid>.log`
    let (stamp, pid) = name
        .strip_prefix("stdout_")
        .unwrap()
        .split_once('_')
        .unwrap();
    assert_eq!(
        (stamp.len(), pid),
        (14, &*format!("{}.log", std::process::id())),
        "{name}"
    );
    assert!(
        std::fs::read_to_string(log)
            .unwrap()
            .contains("the child gives up")
    );
}

/// Whether the process is gone within a second; it may take the kernel a moment.
async fn gone(pid: &str) -> bool {
    let gone = async {
        while is_there(pid) {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(1), gone)
        .await
        .is_ok()
}

#[cfg(unix)]
fn is_there(pid: &str) -> bool {
    std::path::Path::new("/proc").join(pid).exists()
}

#[cfg(windows)]
fn is_there(pid: &str) -> bool {
    let filter = format!("PID eq {pid}");
    let list = std::process::Command::new("tasklist")
        .args(["/NH", "/FO", "CSV", "/FI", &filter])
        .output();
    let list = list.unwrap().stdout;
    // `"name","pid",…`, or a sentence without quotes where there is none.
    String::from_utf8_lossy(&list).contains(&format!("\"{pid}\""))
}
