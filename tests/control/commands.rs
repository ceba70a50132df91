//! The commands.

use std::fs;

use serde_json::Value;

use crate::{
    site::{PATIENCE, Site},
    support::process::runs,
};

#[tokio::test]
async fn status_says_how_the_app_is() {
    let site = Site::new();
    let status = site.status().await;
    assert_eq!(status["state"], "idle", "{status:#}");
    assert_eq!(status["states"], serde_json::json!(["idle"]));
    assert!(status["processes"].as_array().unwrap().is_empty());

    let pid = site.pid().await;
    let status = site.status().await;
    assert_eq!(status["state"], "ready", "{status:#}");
    let process = &status["processes"][0];
    assert_eq!(process["pid"], pid);
    assert_eq!(process["generation"], 1);
    assert_eq!(process["state"], "ready");
    assert_eq!(process["in_flight"], 0);
    assert!(process["port"].as_u64().unwrap() > 1024);
    assert!(process["started"].as_str().unwrap().ends_with('Z'));
    assert_eq!(status["waiting"], 0);
    assert_eq!(status["restarts"], 0);
    assert_eq!(status["last_failure"], Value::Null);
    assert_eq!(status["offline"]["by_file"], false);
    assert_eq!(status["offline"]["by_command"], false);
    assert_eq!(status["app"]["path_base"], "/");
    let file = status["config"]["file"].as_str().unwrap();
    assert!(
        file.replace('\\', "/").ends_with("app/web.config"),
        "{file}"
    );
    assert_eq!(status["module"]["version"], env!("CARGO_PKG_VERSION"));

    let table = site.operate(&["status", "app"]).await;
    for part in [
        "state         ready",
        "GENERATION",
        &pid.to_string(),
        "web.config",
    ] {
        assert!(table.contains(part), "{part}: {table}");
    }
    assert!(!site.log.text().contains("MS-ASPNETCORE"));
}

#[tokio::test]
async fn restart_of_an_idle_app_starts_nothing() {
    let site = Site::new();
    let said = site.operate(&["restart", "app"]).await;
    assert!(said.contains("no process runs"), "{said}");
    assert_eq!(site.status().await["state"], "idle");
}

#[tokio::test]
async fn stop_lets_the_next_request_start_it_again() {
    let site = Site::new();
    let pid = site.pid().await;
    let said = site.operate(&["stop", "app"]).await;
    assert!(said.starts_with("stopped"), "{said}");
    let status = site.status().await;
    assert_eq!(status["state"], "idle");
    assert!(status["processes"].as_array().unwrap().is_empty());
    assert!(!runs(pid));
    assert_ne!(site.pid().await, pid);
}

#[tokio::test]
async fn offline_and_online_need_no_file() {
    let site = Site::new();
    let pid = site.pid().await;
    site.operate(&["offline", "app"]).await;
    assert!(!runs(pid));
    let (status, page) = site.get().await;
    assert_eq!(status, 503);
    assert!(page.contains("Down for maintenance"), "{page}");
    let status = site.status().await;
    assert_eq!(status["state"], "offline");
    assert_eq!(status["offline"]["by_command"], true);
    assert_eq!(status["offline"]["by_file"], false);

    // Both close it, and both have to open it.
    fs::write(site.path("app_offline.htm"), "by file").unwrap();
    site.status_once(|status| status["offline"]["by_file"] == true)
        .await;
    let said = site.operate(&["online", "app"]).await;
    assert!(said.contains("app_offline.htm"), "{said}");
    assert_eq!(site.get().await, (503, "by file".to_owned()));
    fs::remove_file(site.path("app_offline.htm")).unwrap();
    site.status_once(|status| status["state"] != "offline")
        .await;
    assert_ne!(site.pid().await, pid);
}

#[tokio::test]
async fn logs_shows_what_the_app_wrote() {
    let site = Site::configured(&crate::site::web_config("--no-such-option", "", ""));
    assert_eq!(site.get().await.0, 502);
    logs_once(&site, &["logs", "app"], "unexpected argument").await;
    let logs = logs_once(&site, &["logs", "app", "--json"], "--no-such-option").await;
    let log: Value = serde_json::from_str(&logs).unwrap();
    assert!(log["text"].as_str().unwrap().contains("--no-such-option"));
}

/// What is written, once `part` is: it is started again and again, and has said nothing yet when it only begins.
async fn logs_once(site: &Site, arguments: &[&str], part: &str) -> String {
    let begin = tokio::time::Instant::now();
    loop {
        let logs = site.operate(arguments).await;
        if logs.contains(part) {
            return logs;
        }
        assert!(begin.elapsed() < PATIENCE, "{logs}");
    }
}

#[tokio::test]
async fn nobody_to_ask_ends_with_1_and_says_what_to_do() {
    let site = Site::new();
    fs::create_dir(site.path("other")).unwrap();
    for command in ["status", "restart", "stop", "offline", "online", "logs"] {
        let (code, stdout, stderr) = site.ancm(&[command, "app/other"]).await;
        assert_eq!((code, &*stdout), (1, ""), "{command}: {stderr}");
        assert!(stderr.contains("no `ancm run`"), "{stderr}");
        assert!(stderr.contains("--control PATH"), "{stderr}");
    }
    let (code, _, stderr) = site.ancm(&["status", "no-such-folder"]).await;
    assert_eq!(code, 2, "{stderr}");
    let (code, _, stderr) = site.ancm(&["status", "--control", "nowhere"]).await;
    assert_eq!(code, 1, "{stderr}");
}

/// With a shell, and with links that need no special right.
#[cfg(unix)]
mod unix {
    use std::process::Stdio;

    use tokio::io::{AsyncBufReadExt, BufReader};

    use super::*;
    use crate::site::{ANCM, command};

    /// A shell that writes on two lines whatever comes next, the second one when it is told to.
    #[tokio::test]
    async fn logs_goes_on_when_it_follows() {
        let config = format!(
            r#"<configuration><system.webServer>
            <aspNetCore processPath="/bin/sh" arguments="talk {ANCM}"/>
            </system.webServer></configuration>"#
        );
        let site = Site::configured(&config);
        let script = "echo one-$$; (while [ ! -e go ]; do sleep 0.1; done; echo two-$$) & exec \"$1\" demo-app";
        fs::write(site.path("talk"), script).unwrap();
        let pid = site.pid().await;
        let mut follow = command(&site.folder);
        follow.args(["logs", "app", "-f"]).stdout(Stdio::piped());
        let mut follow = follow.spawn().unwrap();
        let mut lines = BufReader::new(follow.stdout.take().unwrap()).lines();
        let mut line_with = async |part: &str| {
            let find = async {
                while let Some(line) = lines.next_line().await.unwrap() {
                    if line.contains(part) {
                        return;
                    }
                    assert!(!line.contains("one-"), "shown twice");
                }
                panic!("it ended");
            };
            tokio::time::timeout(PATIENCE, find).await.unwrap();
        };
        line_with(&format!("one-{pid}")).await;
        fs::write(site.path("go"), "").unwrap();
        line_with(&format!("two-{pid}")).await;

        // The next process is read from its beginning.
        site.operate(&["restart", "app"]).await;
        let pid = site.pid().await;
        line_with(&format!("one-{pid}")).await;
        follow.kill().await.unwrap();
    }

    #[tokio::test]
    async fn the_folder_may_be_reached_by_a_link() {
        let site = Site::new();
        std::os::unix::fs::symlink("app", site.folder.path().join("current")).unwrap();
        let text = site.operate(&["status", "current", "--json"]).await;
        let status: Value = serde_json::from_str(&text).unwrap();
        assert_eq!(status["state"], "idle");
    }
}
