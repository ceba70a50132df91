//! What operators do to an app and to the module.

#[cfg(unix)]
use std::fs;
use std::time::Duration;

use bytes::Bytes;
use futures_util::{SinkExt, StreamExt};
use http::{Request, StatusCode};
use http_body_util::BodyExt;
use tokio_tungstenite::tungstenite::Message;

#[cfg(unix)]
use crate::support::apps::{own_copy, published};
use crate::{
    at::run,
    bodies::{channel, read},
    life::{connect, env, pid},
    sockets::connect_to,
    support::{apps::App, module::Start, process::runs},
};

/// `dotnet publish` writes a configuration for in-process hosting unless it is told otherwise.
#[cfg(unix)]
#[test]
fn what_publish_writes_by_default_is_hosted() {
    run(async {
        let module = Start::new(App::Stock, "/")
            .folder(published().apps.join("inprocess"))
            .run();
        let env = env(&mut connect(&module).await, "").await;
        let root = env["contentRoot"].as_str().unwrap();
        assert!(root.ends_with("/inprocess"), "{root}");
        assert_eq!(env["variables"]["ASPNETCORE_APPL_PATH"], "/");
    });
}

/// A changed configuration starts a new process, and nobody is turned away meanwhile.
#[cfg(unix)]
#[test]
fn a_changed_configuration_is_taken_over_without_a_gap() {
    run(async {
        let folder = own_copy();
        let module = Start::new(App::Stock, "/").folder(folder.path()).run();
        let mut client = connect(&module).await;
        let before = env(&mut client, "").await;
        assert!(before["variables"]["SCENARIO_VERSION"].is_null());

        let file = folder.path().join("web.config");
        let old = fs::read_to_string(&file).unwrap();
        let new = old.replace(
            r#"hostingModel="OutOfProcess" />"#,
            r#"hostingModel="OutOfProcess"><environmentVariables>
                 <environmentVariable name="SCENARIO_VERSION" value="2" />
               </environmentVariables></aspNetCore>"#,
        );
        assert_ne!(old, new);
        fs::write(&file, new).unwrap();
        loop {
            // Each of them is answered: `env` expects a 200.
            let now = env(&mut client, "").await;
            if pid(&now) != pid(&before) {
                assert_eq!(now["variables"]["SCENARIO_VERSION"], "2");
                break;
            }
        }
    });
}

#[cfg(unix)]
#[test]
fn an_app_is_offline_while_its_file_is_there() {
    run(async {
        let folder = own_copy();
        let module = Start::new(App::Stock, "/").folder(folder.path()).run();
        let mut client = connect(&module).await;
        assert_eq!(client.get("/headers").await.status(), StatusCode::OK);

        let file = folder.path().join("app_offline.htm");
        fs::write(&file, "<p>back soon</p>").unwrap();
        let offline = loop {
            let answer = client.get("/headers").await;
            if answer.status() != StatusCode::OK {
                break answer;
            }
        };
        assert_eq!(offline.status(), StatusCode::SERVICE_UNAVAILABLE);
        assert_eq!(offline.text(), "<p>back soon</p>");
        assert!(offline.values("content-type")[0].starts_with("text/html"));

        fs::remove_file(&file).unwrap();
        loop {
            let answer = client.get("/headers").await;
            if answer.status() == StatusCode::OK {
                break;
            }
            assert_eq!(answer.status(), StatusCode::SERVICE_UNAVAILABLE);
        }
    });
}

/// Makes a test for each app.
macro_rules! each_app {
    ($($scenario:ident),+ $(,)?) => {
        #[cfg(unix)]
        mod stock { $( #[test] fn $scenario() {
            super::run(super::$scenario(super::App::Stock));
        } )+ }
        #[cfg(unix)]
        mod modern { $( #[test] fn $scenario() {
            super::run(super::$scenario(super::App::Modern));
        } )+ }
        mod twin { $( #[test] fn $scenario() {
            super::run(super::$scenario(super::App::Twin));
        } )+ }
    };
}

each_app! {
    a_request_under_way_ends_before_the_module_does,
    an_app_that_writes_a_lot_is_not_blocked,
    an_open_websocket_does_not_keep_the_module,
    an_app_ends_with_a_killed_module,
}

async fn a_request_under_way_ends_before_the_module_does(app: App) {
    let module = Start::new(app, "/").run();
    let mut client = connect(&module).await;
    let (mut sender, body) = channel();
    let request = Request::post("/duplex").body(body).unwrap();
    let mut answer = client.send(request).await.unwrap().into_body();
    sender.send_data(Bytes::from("before")).await.unwrap();
    assert_eq!(read(&mut answer, 6).await, "before");

    module.ask_to_stop();
    let log = module.log().clone();
    let stopping = tokio::task::spawn_blocking(move || {
        log.wait_for("word of stopping", Duration::from_secs(10), |line| {
            line.contains("Stopping").then_some(())
        });
    });
    stopping.await.unwrap();
    sender.send_data(Bytes::from("after")).await.unwrap();
    assert_eq!(read(&mut answer, 5).await, "after");
    drop(sender);
    assert!(answer.collect().await.unwrap().to_bytes().is_empty());
    assert_eq!(module.ended().await.code(), Some(0));
}

async fn an_app_that_writes_a_lot_is_not_blocked(app: App) {
    let module = Start::new(app, "/").run();
    let mut client = connect(&module).await;
    let text = "x".repeat(100);
    let answer = client
        .get(&format!("/stdout?lines=20000&text={text}"))
        .await;
    assert_eq!(answer.status(), StatusCode::NO_CONTENT);
    assert_eq!(client.get("/headers").await.status(), StatusCode::OK);
}

/// Its client does nothing about it; the app may say goodbye, and then it is cut.
async fn an_open_websocket_does_not_keep_the_module(app: App) {
    let module = Start::new(app, "/").run();
    let Ok((mut socket, _)) = connect_to(module.address(), "/ws", None).await else {
        panic!("it does not open");
    };
    socket.send(Message::text("here")).await.unwrap();
    assert_eq!(socket.next().await.unwrap().unwrap(), Message::text("here"));
    assert_eq!(module.stop().await.code(), Some(0));
    let last = socket.next().await;
    assert!(
        !matches!(last, Some(Ok(Message::Text(_) | Message::Binary(_)))),
        "{last:?}"
    );
}

/// Not even a killed module leaves an app behind.
async fn an_app_ends_with_a_killed_module(app: App) {
    let module = Start::new(app, "/").run();
    let pid = pid(&env(&mut connect(&module).await, "").await);
    drop(module);
    // Of somebody else's child nobody tells the end.
    while runs(pid) {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}
