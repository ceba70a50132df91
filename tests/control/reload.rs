//! Restarts because a file changed.

use std::fs;

use http::Request;

use crate::{
    site::{ANCM, Site, web_config},
    support::client::{Client, Protocol, empty},
};

#[tokio::test]
async fn an_invalid_configuration_changes_nothing_and_is_told_of() {
    let site = Site::new();
    let pid = site.pid().await;
    site.write("web.config", "<configuration><system.webServer>");
    let logged = site.logged("Configuration is wrong, the app goes on with the old one");
    assert!(
        logged["errors"].to_string().contains("web.config"),
        "{logged}"
    );
    assert_eq!(site.pid().await, pid);
    let status = site.status().await;
    let errors = status["config"]["errors"].as_array().unwrap();
    assert!(
        errors[0].as_str().unwrap().contains("web.config:"),
        "{status:#}"
    );
    assert_eq!(status["config"]["pending"], true);
    assert_eq!(status["restarts"], 0);
    let table = site.operate(&["status", "app"]).await;
    assert!(table.contains("newer than what is in force"), "{table}");
    assert!(table.contains("  wrong "), "{table}");

    // Nor does a command restart it.
    let (code, _, stderr) = site.ancm(&["restart", "app"]).await;
    assert_eq!(code, 1, "{stderr}");
    assert!(stderr.contains("the configuration is wrong"), "{stderr}");
    assert_eq!(site.pid().await, pid);

    // Once it is mended, it is taken by itself.
    site.write("web.config", &web_config("", "", ""));
    let mended = |status: &serde_json::Value| status["config"]["pending"] == false;
    let status = site.status_once(mended).await;
    assert_eq!(status["config"]["errors"].as_array().unwrap().len(), 0);
    assert_eq!(status["restarts"], 1);
    assert_ne!(site.pid().await, pid);
}

#[tokio::test]
async fn an_app_that_does_not_start_with_its_new_configuration_leaves_the_old_one() {
    let site = Site::new();
    let pid = site.pid().await;
    site.write("web.config", &web_config("--no-such-option", "", ""));
    let logged = site.logged("App not restarted");
    assert!(logged["failure"].to_string().contains("exited"), "{logged}");
    assert_eq!(site.pid().await, pid);
    let status = site.status().await;
    assert_eq!(status["last_failure"]["stage"], "exited", "{status:#}");
    assert_eq!(status["config"]["pending"], true, "{status:#}");
    assert_eq!(status["state"], "ready", "{status:#}");
    let command = status["app"]["command"].as_str().unwrap();
    assert!(!command.contains("--no-such-option"), "{command}");

    let (code, _, stderr) = site.ancm(&["restart", "app"]).await;
    assert_eq!(code, 1, "{stderr}");
    assert!(stderr.contains("exited"), "{stderr}");
    assert!(
        stderr.contains("unexpected argument"),
        "the output: {stderr}"
    );
    assert_eq!(site.pid().await, pid);
}

#[tokio::test]
async fn restart_txt_restarts_when_made_and_when_touched() {
    let site = Site::new();
    let first = site.pid().await;
    fs::write(site.path("restart.txt"), "").unwrap();
    site.status_once(|status| status["restarts"] == 1).await;
    let second = site.pid().await;
    site.touch("restart.txt", 10);
    site.status_once(|status| status["restarts"] == 2).await;
    let third = site.pid().await;
    assert!(first != second && second != third);

    // A folder that was not there when the watch began.
    fs::create_dir(site.path("tmp")).unwrap();
    fs::write(site.path("tmp/restart.txt"), "").unwrap();
    site.status_once(|status| status["restarts"] == 3).await;
}

#[tokio::test]
async fn a_named_file_restarts_once_for_a_deployment() {
    let files =
        r#"<recycleOnFileChange><file path="a.dll"/><file path="b.dll"/></recycleOnFileChange>"#;
    let site = Site::configured(&web_config("", "", files));
    let pid = site.pid().await;
    site.write("c.dll", "not named");
    for name in ["a.dll", "b.dll", "a.dll"] {
        site.write(name, name);
    }
    let logged = site.logged("App restarts because files changed");
    let paths = logged["paths"].to_string();
    assert!(
        paths.contains("a.dll") && paths.contains("b.dll"),
        "{paths}"
    );
    assert!(!paths.contains("c.dll"), "{paths}");
    let status = site.status_once(|status| status["restarts"] == 1).await;
    assert_eq!(site.count_logged("App restarts because files changed"), 1);
    assert_ne!(site.pid().await, pid);
    assert_eq!(status["failures"], 0);
}

#[tokio::test]
async fn a_configuration_that_may_not_restart_waits_for_a_command() {
    let fixed = r#"<handlerSettings><handlerSetting name="disallowRotationOnConfigChange" value="true"/></handlerSettings>"#;
    let site = Site::configured(&web_config("", "", fixed));
    let pid = site.pid().await;
    site.write(
        "web.config",
        &web_config("", "requestTimeout=\"00:03:00\"", fixed),
    );
    site.logged("Configuration changed, which restarts nothing here");
    let status = site.status().await;
    assert_eq!(status["config"]["pending"], true, "{status:#}");
    assert_eq!(site.pid().await, pid);
    site.operate(&["restart", "app"]).await;
    assert_ne!(site.pid().await, pid);
    assert_eq!(site.status().await["config"]["pending"], false);
}

#[tokio::test]
async fn what_the_front_does_follows_the_configuration() {
    // A program that never listens: the error page shows whether its setting is in force.
    let broken = |attributes: &str| {
        format!(
            r#"<configuration><system.webServer><aspNetCore processPath="{ANCM}" arguments="--version" {attributes}/></system.webServer></configuration>"#
        )
    };
    let site = Site::configured(&broken("rapidFailsPerMinute=\"100\""));
    let (status, page) = site.get().await;
    assert_eq!(status, 502);
    assert!(!page.is_empty());
    site.write(
        "web.config",
        &broken("rapidFailsPerMinute=\"100\" disableStartUpErrorPage=\"true\""),
    );
    // It fails again, but nothing runs that the old configuration would be good for.
    site.logged("App not restarted");
    site.status_once(|status| status["config"]["pending"] == false)
        .await;
    let (status, page) = site.get().await;
    assert_eq!((status, &*page), (502, ""));
}

/// The proxy's settings, too, on connections that were open before.
#[tokio::test]
async fn an_open_connection_follows_the_configuration() {
    let site = Site::new();
    let mut client = Client::connect(site.address, Protocol::Http1).await;
    let mut seen_upgrade = async || {
        let request = Request::get("/")
            .header("connection", "upgrade")
            .header("upgrade", "websocket")
            .header("sec-websocket-version", "13")
            .header("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ==");
        let answer = client.ask(request.body(empty()).unwrap()).await;
        assert_eq!(answer.status(), 200, "{}", answer.text());
        let signed = !answer.values("via").is_empty();
        (answer.text().to_lowercase().contains("upgrade"), signed)
    };
    assert_eq!(seen_upgrade().await, (true, false));
    let config = web_config("", "", "");
    let signs = r#"<handlerSettings><handlerSetting name="via" value="us"/></handlerSettings>"#;
    let without = "<webSocket enabled=\"false\"/></system.webServer>";
    site.write(
        "web.config",
        &web_config("", "", signs).replace("</system.webServer>", without),
    );
    site.status_once(|status| status["restarts"] == 1 && status["config"]["pending"] == false)
        .await;
    assert_eq!(seen_upgrade().await, (false, true));
    site.write("web.config", &config);
    site.status_once(|status| status["restarts"] == 2 && status["config"]["pending"] == false)
        .await;
    assert_eq!(seen_upgrade().await, (true, false));
}

#[tokio::test]
async fn a_refused_app_starts_at_once_when_its_configuration_is_mended() {
    let attributes = "rapidFailsPerMinute=\"0\"";
    let site = Site::configured(&web_config("--no-such-option", attributes, ""));
    assert_eq!(site.get().await.0, 502);
    site.status_once(|status| status["state"] == "refused")
        .await;
    site.write("web.config", &web_config("", attributes, ""));
    site.status_once(|status| status["state"] == "ready").await;
    site.pid().await;
}

#[tokio::test]
async fn a_deployment_behind_app_offline_comes_up_with_its_new_configuration() {
    let site = Site::new();
    site.pid().await;
    fs::write(site.path("app_offline.htm"), "moving").unwrap();
    site.status_once(|status| {
        status["state"] == "offline" && status["processes"].as_array().unwrap().is_empty()
    })
    .await;
    site.write("web.config", &web_config("", "startupTimeLimit=\"77\"", ""));
    site.logged("App restarts because files changed");
    let status = site
        .status_once(|status| status["config"]["pending"] == false)
        .await;
    assert!(
        status["processes"].as_array().unwrap().is_empty(),
        "{status:#}"
    );
    assert_eq!(site.get().await, (503, "moving".to_owned()));
    fs::remove_file(site.path("app_offline.htm")).unwrap();
    site.status_once(|status| status["state"] != "offline")
        .await;
    site.pid().await;
    let status = site.status().await;
    assert_eq!(
        status["restarts"].as_u64(),
        Some(1),
        "one start after the stop: {status:#}"
    );
}
