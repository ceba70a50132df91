//! The tests of ASP.NET Core's own app half, under its names.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use ancm::{
    PathBase,
    app::{AncmLayer, ModuleEnvironment},
};
use axum::{Router, body::Body, http::Request};
use http::StatusCode;
use tower::{Layer, ServiceExt};

use super::{get, layer, module, request};

/// An app that counts how often it is called, and takes any method and path.
fn counting() -> (Router, Arc<AtomicUsize>) {
    let calls = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&calls);
    let app = move || async move {
        count.fetch_add(1, Ordering::Relaxed);
    };
    (Router::new().fallback(app), calls)
}

/// The status of `request` through `layer`, and whether the app was reached.
async fn send(layer: &AncmLayer, request: Request<Body>) -> (StatusCode, bool) {
    let (app, calls) = counting();
    let response = layer.layer(app).oneshot(request).await.unwrap();
    let status = response.status();
    let body = axum::body::to_bytes(response.into_body(), 1024).await;
    assert!(body.unwrap().is_empty());
    (status, calls.load(Ordering::Relaxed) == 1)
}

fn event(method: &str, path: &str, event: Option<&str>) -> Request<Body> {
    let mut request = request(method, path);
    if let Some(event) = event {
        request = request.header("MS-ASPNETCORE-EVENT", event);
    }
    request.body(Body::empty()).unwrap()
}

#[tokio::test]
async fn middleware_skipped_if_token_is_missing() {
    let module = ModuleEnvironment::from_vars(|name| match name {
        "ASPNETCORE_PORT" => Some("12345".to_owned()),
        "ASPNETCORE_APPL_PATH" => Some("/".to_owned()),
        _ => None,
    });
    let layer = AncmLayer::new(module.unwrap());
    assert!(!layer.is_active());
    let request = Request::new(Body::empty());
    assert_eq!(send(&layer, request).await, (StatusCode::OK, true));
}

#[tokio::test]
async fn middleware_rejects_request_if_token_header_is_missing() {
    let layer = layer("/");
    let want = (StatusCode::BAD_REQUEST, false);
    assert_eq!(send(&layer, Request::new(Body::empty())).await, want);
    // No answer tells a path from another, nor the event from a request.
    for path in ["/", "/iisintegration", "/nothing"] {
        let mut request = event("POST", path, Some("shutdown"));
        request.headers_mut().remove("ms-aspnetcore-token");
        assert_eq!(send(&layer, request).await, want);
    }
    assert_eq!(layer.rejected(), 4);
    assert!(!layer.shutdown().is_requested());
}

#[tokio::test]
async fn middleware_shutsdown_given_ancm_shutdown() {
    for (base, path) in [
        ("/", "/iisintegration"),
        ("/pathBase", "/pathBase/iisintegration"),
        ("/pathBase", "/PATHBASE/IISIntegration"),
    ] {
        for name in ["shutdown", "Shutdown", "shutdown "] {
            let layer = layer(base);
            let waits = layer.shutdown().requested();
            let got = send(&layer, event("POST", path, Some(name))).await;
            assert_eq!(got, (StatusCode::ACCEPTED, false));
            waits.await;
        }
    }
}

#[tokio::test]
async fn middleware_ignores_shutdown_given_wrong_method() {
    for method in ["PUT", "TRACE", "HEAD", "GET", "DELETE", "OPTIONS"] {
        let layer = layer("/");
        let got = send(&layer, event(method, "/iisintegration", Some("shutdown"))).await;
        assert_eq!(got, (StatusCode::OK, true), "{method}");
        assert!(!layer.shutdown().is_requested());
    }
}

#[tokio::test]
async fn middleware_ignores_shutdown_given_wrong_path() {
    for path in ["/", "/path", "/path/iisintegration"] {
        let layer = layer("/");
        let got = send(&layer, event("POST", path, Some("shutdown"))).await;
        assert_eq!(got, (StatusCode::OK, true), "{path}");
        assert!(!layer.shutdown().is_requested());
    }
}

#[tokio::test]
async fn middleware_ignores_shutdown_given_wrong_event() {
    for name in [Some("event"), Some(""), None] {
        let layer = layer("/");
        let got = send(&layer, event("POST", "/iisintegration", name)).await;
        assert_eq!(got, (StatusCode::OK, true), "{name:?}");
        assert!(!layer.shutdown().is_requested());
    }
}

#[test]
fn url_delay_registered_and_path_base_hidden_from_server() {
    // That `serve` listens there, and that the path base is no part of it, is seen in `serving`.
    assert_eq!(module("/pathBase", &[]).port(), 12345);
}

#[tokio::test]
async fn adds_use_path_base_middleware_when_path_base_specified() {
    async fn show(base: PathBase, uri: http::Uri) -> String {
        format!("{} {uri}", base.as_prefix())
    }
    for (base, uri, want) in [
        ("/pathbase", "/PathBase/Path", "/PathBase /Path"),
        ("/pathbase", "/PathBase", "/PathBase /"),
        ("/pathbase", "/pathbases", " /pathbases"),
        ("/pathbase", "/", " /"),
        ("/", "/PathBase/Path", " /PathBase/Path"),
    ] {
        let app = layer(base).layer(Router::new().fallback(show));
        let response = app.oneshot(get(uri)).await.unwrap();
        let body = axum::body::to_bytes(response.into_body(), 1024).await;
        assert_eq!(body.unwrap(), want);
    }
}

#[test]
fn only_anonymous_switches_authentication_off() {
    let auth = |text| module("/", &[("ASPNETCORE_IIS_HTTPAUTH", text)]);
    assert!(auth("").is_authentication_enabled());
    assert!(auth("windows;anonymous;").is_authentication_enabled());
    assert!(!auth("anonymous;").is_authentication_enabled());
}

#[tokio::test]
async fn calling_use_iis_integration_multiple_times_works() {
    let outer = layer("/app");
    let inner = layer("/app");
    let (app, calls) = counting();
    let app = outer.layer(inner.layer(app));
    let response = app.clone().oneshot(get("/app/x")).await.unwrap();
    assert_eq!(response.status(), StatusCode::OK);
    assert_eq!(calls.load(Ordering::Relaxed), 1);
    let response = app.oneshot(Request::new(Body::empty())).await.unwrap();
    assert_eq!(response.status(), StatusCode::BAD_REQUEST);
}

#[tokio::test]
async fn a_debug_request_is_the_apps() {
    assert_eq!(
        send(&layer("/"), event("DEBUG", "/", None)).await,
        (StatusCode::OK, true)
    );
}

proptest::proptest! {
    /// Whatever a stranger sends, it is neither believed nor a panic.
    #[test]
    fn nobody_guesses(
        tokens in proptest::collection::vec(proptest::collection::vec(0x20_u8..=0xff, 0..12), 0..3),
        event in proptest::collection::vec(0x20_u8..=0xff, 0..12),
        method in "[A-Za-z]{1,8}",
        path in "/[a-z/%]{0,16}",
    ) {
        let layer = layer("/");
        let mut request = Request::builder().method(&*method).uri(path);
        let tokens: Vec<_> = tokens.iter().filter_map(|t| http::HeaderValue::from_bytes(t).ok()).collect();
        for token in &tokens {
            request = request.header("ms-aspnetcore-token", token);
        }
        if let Ok(event) = http::HeaderValue::from_bytes(&event) {
            request = request.header("ms-aspnetcore-event", event);
        }
        let request = request.body(Body::empty()).unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let got = runtime.block_on(send(&layer, request));
        proptest::prop_assert_eq!(got, (StatusCode::BAD_REQUEST, false));
        proptest::prop_assert!(!layer.shutdown().is_requested());
    }
}
