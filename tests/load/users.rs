//! Clients with a Windows user, whose token goes to the app with every request.

use ancm::{Connection, Host, config::Config};
use bytes::Bytes;
use http::Request;
use http_body_util::{BodyExt, Empty};
use serde_json::Value;
use tempfile::TempDir;
use tokio::task::JoinSet;
use tower::ServiceExt;

use crate::{
    run,
    support::{
        apps::twin,
        process::{handles, own_token},
    },
};

const REQUESTS: usize = 10_000;
/// So many at a time.
const CROWD: usize = 20;
/// How many handles more or less say nothing: threads, sockets and events come and go.
const NOISE: u32 = 200;

async fn json(host: Host, target: &'static str) -> Value {
    let request = Request::get(target).header("host", "test");
    let answer = host.oneshot(request.body(Empty::<Bytes>::new()).unwrap());
    let answer = answer.await.unwrap();
    assert_eq!(answer.status(), 200);
    let Ok(body) = answer.into_body().collect().await else {
        panic!("the answer broke off");
    };
    serde_json::from_slice(&body.to_bytes()).unwrap()
}

/// From the connection of the client to the app's own layers: the header, the handle, and its end.
#[test]
fn of_ten_thousand_requests_leave_no_handle_behind() {
    run(async {
        let folder = TempDir::new().unwrap();
        let config = Config::builder(folder.path())
            .program(twin())
            .windows_authentication(true);
        let host = Host::new(config.build().unwrap()).unwrap();
        let known = Connection::unknown().with_windows_user(own_token());
        let (known, unknown) = (host.for_connection(known), host.clone());

        let pid = json(unknown.clone(), "/env").await["pid"].as_u64().unwrap();
        let (us, app) = (std::process::id(), u32::try_from(pid).unwrap());
        assert_eq!(json(unknown, "/user").await["sid"], Value::Null);
        let user = json(known.clone(), "/user").await["sid"].clone();
        assert!(user.as_str().unwrap().starts_with("S-1-5-"), "{user}");

        let before = (handles(us), handles(app));
        for _ in 0..REQUESTS / CROWD {
            let crowd: JoinSet<_> = (0..CROWD).map(|_| json(known.clone(), "/user")).collect();
            for answer in crowd.join_all().await {
                assert_eq!(answer["sid"], user);
            }
        }
        let after = (handles(us), handles(app));
        assert!(after.0 < before.0 + NOISE, "ours: {before:?}, {after:?}");
        assert!(
            after.1 < before.1 + NOISE,
            "the app's: {before:?}, {after:?}"
        );
        host.shutdown().await;
    });
}
