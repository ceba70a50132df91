//! An app that somebody else runs follows its configuration.

use std::{convert::Infallible, net::SocketAddr};

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Full;
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;

use crate::site::Site;

/// An app that says its own name to everybody.
async fn app(name: &'static str) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            let answer = service_fn(move |_: Request<Incoming>| async move {
                Ok::<_, Infallible>(Response::new(Full::<Bytes>::from(name)))
            });
            let server = http1::Builder::new();
            tokio::spawn(server.serve_connection(TokioIo::new(stream), answer));
        }
    });
    address
}

fn config(to: impl std::fmt::Display, more: &str) -> String {
    format!(
        r#"<configuration><system.webServer><aspNetCore><handlerSettings>
        <handlerSetting name="forwardTo" value="{to}"/>{more}
        </handlerSettings></aspNetCore></system.webServer></configuration>"#
    )
}

#[tokio::test]
async fn other_addresses_are_taken_without_a_new_start() {
    let (one, other) = (app("one").await, app("other").await);
    let site = Site::configured(&config(one, ""));
    assert_eq!(site.get().await, (200, "one".to_owned()));
    site.write("web.config", &config(other, ""));
    site.logged("Configuration is in force");
    assert_eq!(site.get().await, (200, "other".to_owned()));
    let status = site.status().await;
    assert_eq!(status["backends"].as_array().unwrap().len(), 1);
    assert_eq!(status["backends"][0]["address"], other.to_string());
    assert_eq!(status["config"]["pending"], false, "{status:#}");

    // A wrong one changes nothing, and neither does one that asks for another kind of app.
    for wrong in [config("nowhere", ""), crate::site::web_config("", "", "")] {
        site.write("web.config", &wrong);
        let (code, _, stderr) = site.ancm(&["restart", "app"]).await;
        assert_eq!(code, 1, "{stderr}");
        assert!(stderr.contains("nothing was changed"), "{stderr}");
        let status = site.status().await;
        assert_eq!(status["config"]["pending"], true, "{status:#}");
        assert_eq!(site.get().await, (200, "other".to_owned()));
    }
    let table = site.operate(&["status", "app"]).await;
    assert!(table.contains("newer than what is in force"), "{table}");
    assert!(table.contains("  wrong "), "{table}");

    site.write("web.config", &config(one, ""));
    let mended = |status: &serde_json::Value| status["config"]["pending"] == false;
    site.status_once(mended).await;
    assert_eq!(site.get().await, (200, "one".to_owned()));
}

#[tokio::test]
async fn a_command_reads_it_again_where_a_change_may_not() {
    let held = r#"<handlerSetting name="disallowRotationOnConfigChange" value="true"/>"#;
    let (one, other) = (app("one").await, app("other").await);
    let site = Site::configured(&config(one, held));
    site.write("web.config", &config(other, held));
    site.logged("Configuration changed, which changes nothing here before somebody says so");
    assert_eq!(site.get().await, (200, "one".to_owned()));
    assert_eq!(site.status().await["config"]["pending"], true);
    let said = site.operate(&["restart", "app"]).await;
    assert!(said.contains("its configuration was read again"), "{said}");
    assert_eq!(site.get().await, (200, "other".to_owned()));
}
