//! What an axum handler sees.

use std::net::SocketAddr;

use ancm::{
    Connection, PathBase, Scheme,
    app::{AncmLayer, ClientAddress, ClientCertificate, Forwarded},
};
use axum::{Router, body::Body, extract::ConnectInfo, http::Request, routing};
use http::StatusCode;
use tower::{Layer, ServiceExt};

use super::{layer, request};

async fn send(layer: &AncmLayer, app: Router, request: Request<Body>) -> (StatusCode, String) {
    let response = layer.layer(app).oneshot(request).await.unwrap();
    let status = response.status();
    let body = axum::body::to_bytes(response.into_body(), 4096).await;
    (status, String::from_utf8(body.unwrap().into()).unwrap())
}

fn off() -> AncmLayer {
    AncmLayer::new(None)
}

async fn show(
    scheme: Scheme,
    ClientAddress(client): ClientAddress,
    ConnectInfo(info): ConnectInfo<SocketAddr>,
    base: PathBase,
    forwarded: Forwarded,
) -> String {
    let peer = forwarded.peer().map(|peer| peer.to_string());
    format!(
        "{scheme} {client} {info} {base} {}",
        peer.unwrap_or_default()
    )
}

fn app() -> Router {
    Router::new().route("/x", routing::get(show))
}

#[tokio::test]
async fn behind_the_module_it_is_the_client() {
    let request = request("GET", "/app/x")
        .header("x-forwarded-for", "[2001:db8::7]:4711")
        .header("x-forwarded-proto", "https")
        .extension(ConnectInfo(SocketAddr::from(([127, 0, 0, 1], 999))));
    let got = send(&layer("/app"), app(), request.body(Body::empty()).unwrap()).await;
    let want = "https [2001:db8::7]:4711 [2001:db8::7]:4711 /app 127.0.0.1:999";
    assert_eq!(got, (StatusCode::OK, want.to_owned()));
}

#[tokio::test]
async fn under_a_normal_start_it_is_the_peer() {
    let peer = SocketAddr::from(([192, 0, 2, 1], 80));
    let request = Request::get("/x")
        // Nobody is trusted here, because nobody was asked to be.
        .header("x-forwarded-for", "203.0.113.1")
        .header("x-forwarded-proto", "https")
        .extension(ConnectInfo(peer));
    let got = send(&off(), app(), request.body(Body::empty()).unwrap()).await;
    let want = "http 192.0.2.1:80 192.0.2.1:80 / 192.0.2.1:80";
    assert_eq!(got, (StatusCode::OK, want.to_owned()));
}

#[tokio::test]
async fn a_front_of_tls_says_the_scheme() {
    async fn scheme(scheme: Scheme) -> &'static str {
        scheme.as_str()
    }
    let connection = Connection::unknown().with_scheme(Scheme::Https);
    let request = Request::get("/").extension(connection).body(Body::empty());
    let app = Router::new().route("/", routing::get(scheme));
    assert_eq!(send(&off(), app, request.unwrap()).await.1, "https");
}

#[tokio::test]
async fn an_unknown_client_is_an_error_of_the_server_or_none() {
    async fn must(ClientAddress(client): ClientAddress) -> String {
        client.to_string()
    }
    async fn may(client: Option<ClientAddress>) -> String {
        format!("{client:?}")
    }
    let app = Router::new()
        .route("/must", routing::get(must))
        .route("/may", routing::get(may));
    let get = |path| Request::get(path).body(Body::empty()).unwrap();
    let (status, hint) = send(&off(), app.clone(), get("/must")).await;
    assert_eq!(status, StatusCode::INTERNAL_SERVER_ERROR);
    assert!(hint.contains("ancm::app::serve"), "{hint}");
    let got = send(&off(), app, get("/may")).await;
    assert_eq!(got, (StatusCode::OK, "None".to_owned()));
}

fn certificates() -> Router {
    async fn must(certificate: ClientCertificate) -> String {
        certificate.der().unwrap().len().to_string()
    }
    async fn may(certificate: Option<ClientCertificate>, headers: http::HeaderMap) -> String {
        let left = headers.contains_key("ms-aspnetcore-clientcert");
        format!("{} {left}", certificate.is_some())
    }
    Router::new()
        .route("/must", routing::get(must))
        .route("/may", routing::get(may))
}

#[tokio::test]
async fn the_certificate_is_decoded_and_its_header_is_gone() {
    for (value, must, may) in [
        (Some("MAMCAQE="), (StatusCode::OK, "5"), "true false"),
        (Some("rubbish"), (StatusCode::FORBIDDEN, ""), "false false"),
        (Some(""), (StatusCode::FORBIDDEN, ""), "false false"),
        (None, (StatusCode::FORBIDDEN, ""), "false false"),
    ] {
        for path in ["/must", "/may"] {
            let mut request = request("GET", path);
            if let Some(value) = value {
                request = request.header("MS-ASPNETCORE-CLIENTCERT", value);
            }
            let request = request.body(Body::empty()).unwrap();
            let (status, body) = send(&layer("/"), certificates(), request).await;
            if path == "/may" {
                assert_eq!((status, &*body), (StatusCode::OK, may), "{value:?}");
            } else {
                assert_eq!(status, must.0, "{value:?}");
                assert!(body.starts_with(must.1), "{body}");
            }
        }
    }
}

#[tokio::test]
async fn without_the_module_a_certificate_header_means_nothing() {
    let request = Request::get("/must").header("MS-ASPNETCORE-CLIENTCERT", "MAMCAQE=");
    let (status, _) = send(&off(), certificates(), request.body(Body::empty()).unwrap()).await;
    assert_eq!(status, StatusCode::FORBIDDEN);
}

#[tokio::test]
async fn secrets_and_user_handles_are_taken_out() {
    async fn names(headers: http::HeaderMap) -> String {
        let mut names: Vec<_> = headers.keys().map(http::HeaderName::as_str).collect();
        names.sort_unstable();
        names.join(" ")
    }
    let app = Router::new().fallback(names);
    for (keep, want) in [(false, "x-other"), (true, "ms-aspnetcore-token x-other")] {
        let request = request("GET", "/")
            .header("MS-ASPNETCORE-WINAUTHTOKEN", "3a4")
            .header("x-other", "1");
        let layer = layer("/").keep_token_header(keep);
        let got = send(&layer, app.clone(), request.body(Body::empty()).unwrap()).await;
        assert_eq!(got.1, want);
    }
}
