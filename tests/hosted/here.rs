//! The app in the very process that serves it: no worker, and no parent that forwards.
//!
//! CoreCLR takes its environment from the process, once, so that the test is this program again.

use std::{env, process::Command, sync::Arc};

use ancm::{
    Connection,
    authentication::AuthenticationLayer,
    config::{Config, ProcessVars},
    front::{Front, Listen},
    in_process::clr::{Ended, Launch},
};
use serde_json::json;
use tokio_util::sync::CancellationToken;
use tower::Layer as _;

use crate::{
    connection::is_told_of_tls,
    site::{self, Users, copy_of_the_app, variables},
    support::{client::Protocol, pki::Ca},
    user::knows_its_users,
};

/// Where the app is, for the process that hosts it.
const FOLDER: &str = "HOSTED_HERE";

#[test]
fn without_a_worker_user_and_connection_are_the_apps_too() {
    site::prepare();
    let folder = copy_of_the_app();
    let output = Command::new(env::current_exe().unwrap())
        .args(["--ignored", "--exact", "here::hosts", "--nocapture"])
        .env_clear()
        .envs(variables())
        .env("ASPNETCORE_ENVIRONMENT", "Development")
        .env(FOLDER, folder.path())
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    let complained = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}{complained}");
    assert!(said.contains("1 passed"), "{said}");
}

#[test]
#[ignore = "another test starts it, in a process of its own"]
fn hosts() {
    let Some(folder) = env::var_os(FOLDER) else {
        return;
    };
    env::set_current_dir(&folder).unwrap();
    let config = Config::builder(&folder)
        .program(env::var("DOTNET_ROOT").unwrap() + "/dotnet")
        .arguments(["FullApp.dll"])
        .basic_authentication(true)
        .build()
        .unwrap();
    crate::run(async {
        let app = Launch::new(&config, &ProcessVars::default())
            .unwrap()
            .start();
        let app = app.await.unwrap();
        let ca = Ca::new();
        let listen = Listen::tcp("127.0.0.1:0".parse().unwrap()).tls(site::tls(&ca));
        let bound = Front::new().listen([listen]).unwrap();
        let address = bound.local_addresses()[0];
        let (service, stop) = (app.service(), CancellationToken::new());
        let proves = AuthenticationLayer::new().basic("test", Arc::new(Users));
        let make = move |connection: Connection| {
            let inner = service.for_connection(connection.clone());
            proves.clone().for_connection(connection).layer(inner)
        };
        let served = tokio::spawn(bound.serve(make, stop.clone().cancelled_owned()));

        for protocol in [Protocol::Http1, Protocol::Http2] {
            let alice = ca.client("alice");
            let (mut client, suite) = site::secure(address, ca.showing(&alice), protocol).await;
            knows_its_users(&mut client).await;
            let known = client.get("/connection").await.json();
            is_told_of_tls(&known, &suite);
            assert_eq!(known["certificate"], "CN=alice");
            assert_eq!(known["local"], json!(address.to_string()));
            assert_eq!(known["remote"], json!(client.local().to_string()));
        }
        app.stop();
        stop.cancel();
        served.await.unwrap().unwrap();
        assert_eq!(app.ended().await, Ended::Returned(42));
        assert_eq!(app.open_requests(), 0);
    });
}
