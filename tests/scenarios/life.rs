//! The life of an app's process behind the module.

use http::{Request, StatusCode};
use serde_json::Value;

use crate::{
    at::{At, run},
    support::{
        apps::App,
        client::{Client, Protocol, empty},
        module::{Module, Start},
        process::runs,
    },
};

pub(crate) async fn env(client: &mut Client, prefix: &str) -> Value {
    client.get(&format!("{prefix}/env")).await.json()
}

pub(crate) fn pid(env: &Value) -> u32 {
    u32::try_from(env["pid"].as_u64().unwrap()).unwrap()
}

pub(crate) async fn connect(module: &Module) -> Client {
    Client::connect(module.address(), Protocol::Http1).await
}

/// Makes a test for each app out of a scenario that has the module for itself.
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
    sees_the_modules_variables,
    ends_when_the_module_is_stopped,
    begins_again_after_an_exit,
    begins_again_after_a_crash,
    that_never_begins_is_a_502_5,
    that_begins_late_is_waited_for,
    takes_no_request_around_the_module,
    keeps_its_token_out_of_the_log,
}

async fn sees_the_modules_variables(app: App) {
    for (base, prefix) in [("/", ""), ("/base", "/base")] {
        let at = At::new(app, base, Protocol::Http1);
        let env = env(&mut at.client().await, prefix).await;
        let variable = |name: &str| env["variables"][name].as_str().map(str::to_owned);
        let port: u16 = variable("ASPNETCORE_PORT").unwrap().parse().unwrap();
        assert!(port >= 1025, "{port}");
        assert_eq!(variable("ASPNETCORE_APPL_PATH").unwrap(), base);
        let token = variable("ASPNETCORE_TOKEN").unwrap();
        assert!(token.len() >= 32 && token.bytes().all(|b| b.is_ascii_hexdigit()));
        assert_eq!(variable("ASPNETCORE_IIS_HTTPAUTH").unwrap(), "anonymous;");
        assert_eq!(
            variable("ASPNETCORE_IIS_WEBSOCKETS_SUPPORTED").unwrap(),
            "true"
        );
        let startup = variable("ASPNETCORE_HOSTINGSTARTUPASSEMBLIES").unwrap();
        assert!(
            startup.ends_with("Microsoft.AspNetCore.Server.IISIntegration"),
            "{startup}"
        );
        let root = variable("ASPNETCORE_IIS_PHYSICAL_PATH").unwrap();
        assert_eq!(env["currentDirectory"], root.trim_end_matches(['/', '\\']));
        assert_eq!(env["contentRoot"], env["currentDirectory"]);
    }
}

async fn ends_when_the_module_is_stopped(app: App) {
    let module = Start::new(app, "/").run();
    let pid = pid(&env(&mut connect(&module).await, "").await);
    assert!(runs(pid));
    let status = module.stop().await;
    assert_eq!(status.code(), Some(0), "{status}");
    assert!(!runs(pid), "the app is gone before the module is");
}

async fn begins_again_after_an_exit(app: App) {
    let module = Start::new(app, "/").run();
    let mut client = connect(&module).await;
    let before = pid(&env(&mut client, "").await);
    let answer = client.get("/exit?code=3").await;
    assert_eq!(answer.status(), StatusCode::ACCEPTED);
    assert_ne!(next(&mut client, before).await, before);
}

async fn begins_again_after_a_crash(app: App) {
    let module = Start::new(app, "/").run();
    let mut client = connect(&module).await;
    let before = pid(&env(&mut client, "").await);
    let answer = client.get("/crash").await;
    assert_eq!(answer.status(), StatusCode::BAD_GATEWAY);
    assert_ne!(next(&mut client, before).await, before);
    assert!(!runs(before));
}

/// The process that answers once `before` no longer does.
async fn next(client: &mut Client, before: u32) -> u32 {
    loop {
        let answer = client.get("/env").await;
        // A request that the old process took with it was its last.
        if answer.status() == StatusCode::BAD_GATEWAY {
            continue;
        }
        let pid = pid(&answer.json());
        if pid != before {
            return pid;
        }
    }
}

async fn that_never_begins_is_a_502_5(app: App) {
    let module = Start::new(app, "/")
        .variable("STARTUP_EXIT_CODE", "7")
        .run();
    let answer = connect(&module).await.get("/").await;
    assert_eq!(answer.status(), StatusCode::BAD_GATEWAY);
    assert!(answer.text().contains("502.5"), "{}", answer.text());
    assert!(answer.text().ends_with("</html>\r\n"));
}

async fn that_begins_late_is_waited_for(app: App) {
    let module = Start::new(app, "/")
        .variable("STARTUP_DELAY_MS", "1500")
        .run();
    let mut asking = Vec::new();
    for _ in 0..8 {
        let mut client = connect(&module).await;
        asking.push(tokio::spawn(
            async move { pid(&env(&mut client, "").await) },
        ));
    }
    let mut pids = Vec::new();
    for asked in asking {
        pids.push(asked.await.unwrap());
    }
    pids.dedup();
    assert_eq!(pids.len(), 1, "one start serves all who wait");
}

async fn takes_no_request_around_the_module(app: App) {
    let at = At::new(app, "/base", Protocol::Http1);
    let env = env(&mut at.client().await, "/base").await;
    let port: u16 = env["variables"]["ASPNETCORE_PORT"]
        .as_str()
        .unwrap()
        .parse()
        .unwrap();
    let token = env["variables"]["ASPNETCORE_TOKEN"].as_str().unwrap();
    let mut direct = Client::connect(([127, 0, 0, 1], port).into(), Protocol::Http1).await;
    for presented in [None, Some(""), Some("wrong"), Some(&token[1..])] {
        for target in ["/base/echo", "/", "/iisintegration"] {
            let mut request = Request::get(target);
            if let Some(presented) = presented {
                request = request.header("ms-aspnetcore-token", presented);
            }
            let answer = direct.ask(request.body(empty()).unwrap()).await;
            assert_eq!(answer.status(), StatusCode::BAD_REQUEST, "{presented:?}");
            assert!(answer.body.is_empty());
        }
    }
    let request = Request::get("/base/echo").header("ms-aspnetcore-token", token);
    let answer = direct.ask(request.body(empty()).unwrap()).await;
    assert_eq!(
        answer.status(),
        StatusCode::OK,
        "only the token was missing"
    );
}

/// Not even where the app itself writes it out, as ASP.NET Core 3.1 does when somebody shows a wrong one.
async fn keeps_its_token_out_of_the_log(app: App) {
    let module = Start::new(app, "/").run();
    let mut client = connect(&module).await;
    let env = env(&mut client, "").await;
    let port: u16 = env["variables"]["ASPNETCORE_PORT"]
        .as_str()
        .unwrap()
        .parse()
        .unwrap();
    let mut direct = Client::connect(([127, 0, 0, 1], port).into(), Protocol::Http1).await;
    assert_eq!(direct.get("/").await.status(), StatusCode::BAD_REQUEST);

    // What the app wrote last may be told when it is gone.
    client.get("/crash").await;
    next(&mut client, pid(&env)).await;
    let token = env["variables"]["ASPNETCORE_TOKEN"].as_str().unwrap();
    let log = module.log().text();
    assert!(!log.contains(token), "{log}");
}
