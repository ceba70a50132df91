//! What a handler learns of how the app is hosted.

use ancm::app::{AncmLayer, ModuleEnvironment, Shutdown};
use axum::{Router, body::Body, http::Request, routing::get};
use http::StatusCode;
use tower::{Layer, ServiceExt};

use super::{get as request, module, serving};

async fn show(shutdown: Shutdown, module: Option<ModuleEnvironment>) -> String {
    let port = module.map_or(0, |module| module.port());
    format!("{} {port}", shutdown.is_requested())
}

fn app() -> Router {
    Router::new().route("/", get(show)).route(
        "/module",
        get(|module: ModuleEnvironment| async move { module.port().to_string() }),
    )
}

async fn send(layer: &AncmLayer, request: Request<Body>) -> (StatusCode, String) {
    let response = layer.layer(app()).oneshot(request).await.unwrap();
    let status = response.status();
    let body = axum::body::to_bytes(response.into_body(), 4096).await;
    (status, String::from_utf8(body.unwrap().into()).unwrap())
}

#[tokio::test]
async fn an_announcing_layer_tells() {
    let layer = AncmLayer::new(module("/", &[])).announce(true);
    assert_eq!(
        send(&layer, request("/")).await,
        (StatusCode::OK, "false 12345".to_owned())
    );
    assert_eq!(
        send(&layer, request("/module")).await,
        (StatusCode::OK, "12345".to_owned())
    );
    layer.shutdown().request();
    assert_eq!(
        send(&layer, request("/")).await,
        (StatusCode::OK, "true 12345".to_owned())
    );
}

#[tokio::test]
async fn under_a_normal_start_there_is_no_module() {
    let layer = AncmLayer::new(None).announce(true);
    assert_eq!(
        send(&layer, request("/")).await,
        (StatusCode::OK, "false 0".to_owned())
    );
    let (status, hint) = send(&layer, request("/module")).await;
    assert_eq!(status, StatusCode::INTERNAL_SERVER_ERROR);
    assert_eq!(hint, "No module started this process.");
}

#[tokio::test]
async fn who_is_told_nothing_says_what_to_do() {
    let layer = AncmLayer::new(module("/", &[]));
    for path in ["/", "/module"] {
        let (status, hint) = send(&layer, request(path)).await;
        assert_eq!(status, StatusCode::INTERNAL_SERVER_ERROR);
        assert!(hint.contains("announce(true)"), "{hint}");
    }
}

#[tokio::test]
async fn a_server_tells_by_itself() {
    let layer = AncmLayer::new(module("/", &[]));
    let (address, serving) = serving::start(app(), layer, |server| server).await;
    let head = "GET / HTTP/1.1\r\nms-aspnetcore-token: TestToken\r\n";
    let got = serving::fetch(address, head).await;
    assert_eq!(got, (StatusCode::OK, "false 12345".to_owned()));
    serving.abort();
}

/// RFC 8441, 3: a server that takes no WebSockets over HTTP/2 does not say that it does.
#[tokio::test]
async fn http2_offers_websockets_only_where_there_are_any() {
    for (said, offered) in [("true", true), ("false", false)] {
        let layer = AncmLayer::new(module(
            "/",
            &[("ASPNETCORE_IIS_WEBSOCKETS_SUPPORTED", said)],
        ));
        let (address, serving) = serving::start(app(), layer, |server| server).await;
        let stream = tokio::net::TcpStream::connect(address).await.unwrap();
        let (client, connection) = h2::client::handshake(stream).await.unwrap();
        let connection = tokio::spawn(connection);
        let mut client = client.ready().await.unwrap();
        let request = http::Request::get("http://test/").header("ms-aspnetcore-token", "TestToken");
        let (answer, _) = client
            .send_request(request.body(()).unwrap(), true)
            .unwrap();
        assert_eq!(answer.await.unwrap().status(), StatusCode::OK);
        assert_eq!(
            client.is_extended_connect_protocol_enabled(),
            offered,
            "{said}"
        );
        connection.abort();
        serving.abort();
    }
}
