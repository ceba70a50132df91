//! The path base together with axum's routing.

use std::net::SocketAddr;

use ancm::{PathBase, app::PathBaseLayer};
use axum::{
    Router,
    body::Body,
    extract::{NestedPath, OriginalUri, Request, WebSocketUpgrade},
    routing,
};
use http::{StatusCode, Uri};
use tower::{Layer, ServiceExt};

use super::{get, layer, module, request};
use ancm::app::AncmLayer;

async fn show(uri: Uri, OriginalUri(original): OriginalUri, base: PathBase) -> String {
    format!("{uri} {original} {}", base.join("/link"))
}

async fn body(response: axum::response::Response) -> String {
    let body = axum::body::to_bytes(response.into_body(), 4096).await;
    String::from_utf8(body.unwrap().into()).unwrap()
}

#[tokio::test]
async fn works_with_nest_and_original_uri() {
    let inner = Router::new().route("/items/{id}", routing::get(show));
    let router = Router::new().nest("/api", inner);
    let app = PathBaseLayer::new("/shop".parse().unwrap()).layer(router);
    let request = Request::get("/Shop/api/items/a%2Fb?q=1").body(Body::empty());
    let response = app.clone().oneshot(request.unwrap()).await.unwrap();
    assert_eq!(
        body(response).await,
        "/items/a%2Fb?q=1 /Shop/api/items/a%2Fb?q=1 /Shop/link"
    );
    let request = Request::get("/shopping/api/items/1").body(Body::empty());
    let response = app.oneshot(request.unwrap()).await.unwrap();
    assert_eq!(response.status(), StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn works_inside_of_a_router_as_its_fallback() {
    async fn nested(nested: NestedPath) -> String {
        nested.as_str().to_owned()
    }
    let inner = Router::new().nest("/api", Router::new().route("/x", routing::get(nested)));
    let router: Router = Router::new().fallback_service(layer("/app").layer(inner));
    let response = router.oneshot(get("/app/api/x")).await.unwrap();
    assert_eq!(body(response).await, "/api");
}

#[tokio::test]
async fn works_as_a_layer_of_a_router_at_the_root() {
    let router: Router = Router::new()
        .route("/x", routing::get(|| async { "x" }))
        .layer(layer("/"));
    let response = router.clone().oneshot(get("/x")).await.unwrap();
    assert_eq!(body(response).await, "x");
    let request = Request::get("/x").body(Body::empty()).unwrap();
    let response = router.oneshot(request).await.unwrap();
    assert_eq!(response.status(), StatusCode::BAD_REQUEST);
}

#[test]
fn axum_serves_the_layered_router() {
    // Compiles, so the type of the responses is the one that axum wants.
    fn serve(listener: tokio::net::TcpListener, router: Router) -> impl Send {
        let app = layer("/").layer(router);
        let make =
            axum::ServiceExt::<Request>::into_make_service_with_connect_info::<SocketAddr>(app);
        axum::serve(listener, make)
    }
    let _ = serve;
}

/// Whether axum takes the request for the start of a WebSocket.
async fn upgrade(supported: &str) -> StatusCode {
    async fn handler(
        result: Result<WebSocketUpgrade, axum::extract::ws::rejection::WebSocketUpgradeRejection>,
    ) -> &'static str {
        use axum::extract::ws::rejection::WebSocketUpgradeRejection::{
            ConnectionNotUpgradable, InvalidUpgradeHeader,
        };
        match result {
            // No real connection here: everything before it was in order.
            Err(ConnectionNotUpgradable(_)) => "upgrade",
            Err(InvalidUpgradeHeader(_)) => "refused",
            other => panic!("{other:?}"),
        }
    }
    let module = module("/", &[("ASPNETCORE_IIS_WEBSOCKETS_SUPPORTED", supported)]);
    let app = AncmLayer::new(module).layer(Router::new().route("/", routing::get(handler)));
    let request = request("GET", "/")
        .header("connection", "Upgrade")
        .header("upgrade", "websocket")
        .header("sec-websocket-version", "13")
        .header("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ==");
    let response = app
        .oneshot(request.body(Body::empty()).unwrap())
        .await
        .unwrap();
    match &*body(response).await {
        "upgrade" => StatusCode::SWITCHING_PROTOCOLS,
        _ => StatusCode::BAD_REQUEST,
    }
}

#[tokio::test]
async fn websockets_are_refused_where_the_module_knows_none() {
    assert_eq!(upgrade("true").await, StatusCode::SWITCHING_PROTOCOLS);
    assert_eq!(upgrade("false").await, StatusCode::BAD_REQUEST);
}
