//! A user on the way through both halves.

use ancm::{
    Identity, PairingToken,
    app::{AncmLayer, RequireUserLayer},
    proxy::{Address, Backend, FixedLayer, Proxy},
};
use axum::{Router, routing::get};
use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt, Empty};
use tower::{Layer, ServiceExt};

use super::{module, serving};

async fn whoami(user: Option<Identity>) -> String {
    user.map_or_else(
        || "nobody".to_owned(),
        |user| format!("{} {} {:?}", user.name(), user.realm(), user.groups()),
    )
}

fn app() -> Router {
    let admins = RequireUserLayer::new().in_group("admins");
    Router::new()
        .route(
            "/admin",
            get(|user: Identity| async move { user.name().to_owned() }),
        )
        .route_layer(admins)
        .route("/whoami", get(whoami))
}

/// What the app says to `user`, who also claims to be `claim`.
async fn ask(token: &str, path: &str, user: Option<Identity>, claim: &str) -> (StatusCode, String) {
    let layer = AncmLayer::new(module("/", &[]));
    let (address, serving) = serving::start(app(), layer, |server| server).await;
    let token = PairingToken::new(token).unwrap();
    let backend = Backend::paired(Address::Tcp(address), token, None);
    let host = FixedLayer::new(backend).layer(Proxy::new());
    let mut request = Request::get(path)
        .header("host", "test")
        .header("ms-aspnetcore-identity", claim)
        .header("MS_ASPNETCORE_IDENTITY", claim)
        .body(Empty::<bytes::Bytes>::new())
        .unwrap();
    if let Some(user) = user {
        request.extensions_mut().insert(user);
    }
    let response: Response<_> = host.oneshot(request).await.unwrap();
    let status = response.status();
    let body = response.into_body().collect().await.unwrap().to_bytes();
    serving.abort();
    (status, String::from_utf8(body.to_vec()).unwrap())
}

fn alice() -> Identity {
    Identity::new("Negotiate", "alice")
        .with_realm("EXAMPLE.ORG")
        .with_groups(["staff", "admins"])
}

#[tokio::test]
async fn the_app_knows_who_it_is() {
    let want = r#"alice EXAMPLE.ORG ["staff", "admins"]"#;
    let got = ask("TestToken", "/whoami", Some(alice()), "mallory").await;
    assert_eq!(got, (StatusCode::OK, want.to_owned()));
    let got = ask("TestToken", "/admin", Some(alice()), "").await;
    assert_eq!(got, (StatusCode::OK, "alice".to_owned()));
}

#[tokio::test]
async fn a_client_can_not_say_who_it_is() {
    // Even a seal that would open is not the client's to send.
    let now = std::time::SystemTime::now();
    let token = PairingToken::new("TestToken").unwrap();
    let minute = std::time::Duration::from_secs(60);
    let sealed = alice().seal(&token, now, minute).unwrap();
    for claim in ["alice", &sealed] {
        let got = ask("TestToken", "/whoami", None, claim).await;
        assert_eq!(got, (StatusCode::OK, "nobody".to_owned()));
        let (status, _) = ask("TestToken", "/admin", None, claim).await;
        assert_eq!(status, StatusCode::UNAUTHORIZED);
    }
}

#[tokio::test]
async fn who_is_in_no_such_group_is_refused() {
    let bob = Identity::new("Basic", "bob").with_groups(["staff"]);
    let (status, _) = ask("TestToken", "/admin", Some(bob), "").await;
    assert_eq!(status, StatusCode::FORBIDDEN);
}

#[tokio::test]
async fn another_process_hears_of_nobody() {
    let (status, body) = ask("AnotherToken", "/whoami", Some(alice()), "").await;
    assert_eq!((status, &*body), (StatusCode::BAD_REQUEST, ""));
}
