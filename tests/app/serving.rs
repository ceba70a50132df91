//! Serving on real sockets.

use std::{io, net::SocketAddr, time::Duration};

use ancm::{
    PathBase, Scheme,
    app::{AncmLayer, ClientAddress, Server},
};
use axum::{Router, routing::get};
use http::{Request, StatusCode};
use http_body_util::{BodyExt, Empty};
use hyper::{body::Bytes, client::conn};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    task::JoinHandle,
};

use super::{layer, module};

/// A server on a port of its own, that no signal ends.
pub(crate) async fn start(
    router: Router,
    layer: AncmLayer,
    change: impl FnOnce(Server<Router>) -> Server<Router>,
) -> (SocketAddr, JoinHandle<io::Result<()>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let server = change(Server::new(router).layer(layer).signals(false));
    (address, tokio::spawn(server.run_on(listener)))
}

pub(crate) fn off() -> AncmLayer {
    AncmLayer::new(None)
}

async fn show(
    scheme: Scheme,
    ClientAddress(client): ClientAddress,
    base: PathBase,
    version: http::Version,
) -> String {
    format!("{scheme} {} {base} {version:?}", client.ip())
}

fn app() -> Router {
    Router::new().route("/x", get(show))
}

/// Status and body over HTTP/1.1, the connection closed after it.
pub(crate) async fn fetch(address: SocketAddr, request: &str) -> (StatusCode, String) {
    let mut stream = TcpStream::connect(address).await.unwrap();
    let request = format!("{request}Host: test\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    let status = answer.get(9..12).unwrap().parse().unwrap();
    let (_, body) = answer.split_once("\r\n\r\n").unwrap();
    (status, body.to_owned())
}

#[tokio::test]
async fn a_missing_or_bad_host_is_refused_before_the_app() {
    let (address, _server) = start(app(), off(), |server| server).await;
    for (version, hosts, want) in [
        ("1.1", "Host: a\r\n", StatusCode::OK),
        ("1.1", "Host:\r\n", StatusCode::OK),
        ("1.0", "", StatusCode::OK),
        ("1.1", "", StatusCode::BAD_REQUEST),
        ("1.1", "Host: a\r\nHost: a\r\n", StatusCode::BAD_REQUEST),
        ("1.1", "Host: a,b\r\n", StatusCode::BAD_REQUEST),
        ("1.1", "Host: [::1\r\n", StatusCode::BAD_REQUEST),
    ] {
        let request = format!("GET /x HTTP/{version}\r\n{hosts}Connection: close\r\n\r\n");
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        assert_eq!(
            answer.get(9..12),
            Some(want.as_str()),
            "{request}: {answer}"
        );
    }
}

#[tokio::test]
async fn serves_by_itself_and_behind_the_module() {
    let (address, _server) = start(app(), off(), |server| server).await;
    let got = fetch(address, "GET /x HTTP/1.1\r\n").await;
    assert_eq!(
        got,
        (StatusCode::OK, "http 127.0.0.1 / HTTP/1.1".to_owned())
    );

    let (address, _server) = start(app(), layer("/app"), |server| server).await;
    let got = fetch(address, "GET /app/x HTTP/1.1\r\n").await;
    assert_eq!(got, (StatusCode::BAD_REQUEST, String::new()));
    let got = fetch(
        address,
        "GET /app/x HTTP/1.1\r\nMS-ASPNETCORE-TOKEN: TestToken\r\n\
         X-Forwarded-For: 192.0.2.7:80\r\nX-Forwarded-Proto: https\r\n",
    );
    let want = "https 192.0.2.7 /app HTTP/1.1".to_owned();
    assert_eq!(got.await, (StatusCode::OK, want));
}

#[tokio::test]
async fn serves_http2_to_who_knows_it() {
    let (address, _server) = start(app(), off(), |server| server).await;
    let stream = TokioIo::new(TcpStream::connect(address).await.unwrap());
    let (mut send, connection) = conn::http2::handshake(TokioExecutor::new(), stream)
        .await
        .unwrap();
    tokio::spawn(connection);
    // What an HTTP/2 client claims of its scheme is a claim.
    let request = Request::get("https://test/x").body(Empty::<Bytes>::new());
    let response = send.send_request(request.unwrap()).await.unwrap();
    let body = response.into_body().collect().await.unwrap().to_bytes();
    assert_eq!(body, "http 127.0.0.1 / HTTP/2.0");
}

#[tokio::test]
async fn an_address_that_is_taken_is_named_with_the_variable_that_says_it() {
    let taken = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    let layer = AncmLayer::new(module("/", &[("ASPNETCORE_PORT", &port)]));
    let server = Server::new(app()).layer(layer).signals(false);
    let error = server.run().await.unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::AddrInUse);
    let text = error.to_string();
    assert!(text.contains(&format!("127.0.0.1:{port}")), "{text}");
    assert!(text.contains("ASPNETCORE_PORT"), "{text}");
}

#[tokio::test]
async fn listens_where_the_module_says() {
    loop {
        let free = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = free.local_addr().unwrap();
        drop(free);
        let port = address.port().to_string();
        let layer = AncmLayer::new(module("/", &[("ASPNETCORE_PORT", &port)]));
        let server = Server::new(app()).layer(layer.clone()).signals(false);
        let shutdown = server.shutdown().clone();
        let running = tokio::spawn(server.run());
        while !running.is_finished() && TcpStream::connect(address).await.is_err() {
            tokio::task::yield_now().await;
        }
        let got = match running.is_finished() {
            false => Some(fetch(address, "GET /x HTTP/1.1\r\n").await),
            true => None,
        };
        shutdown.request();
        match running.await.unwrap() {
            Ok(()) => {
                assert_eq!(got, Some((StatusCode::BAD_REQUEST, String::new())));
                assert_eq!(layer.rejected(), 1);
                return;
            }
            // Somebody else was given the port in between.
            Err(error) => assert_eq!(error.kind(), io::ErrorKind::AddrInUse),
        }
    }
}

#[tokio::test]
async fn an_address_that_is_taken_is_named_under_a_normal_start_too() {
    let taken = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = taken.local_addr().unwrap();
    let server = Server::new(app()).layer(off()).default_address(address);
    let text = server.run().await.unwrap_err().to_string();
    assert!(text.contains(&address.to_string()), "{text}");
    assert!(!text.contains("ASPNETCORE_PORT"), "{text}");
}

/// Time runs as soon as everybody waits.
#[tokio::test(start_paused = true)]
async fn who_is_slow_with_a_head_is_sent_away() {
    let (address, _server) = start(app(), off(), |server| {
        server.header_timeout(Duration::from_secs(5))
    })
    .await;
    for begun in [
        "",
        "P",
        "PRI * HTTP/2.0\r\n",
        "GET /x HTTP/1.1\r\n",
        "GET /x HTTP/1.1\r\nHost: test\r\n",
    ] {
        let before = tokio::time::Instant::now();
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(begun.as_bytes()).await.unwrap();
        let mut answer = Vec::new();
        let end = stream.read_to_end(&mut answer);
        let end = tokio::time::timeout(Duration::from_secs(60), end).await;
        end.unwrap().unwrap();
        assert!(before.elapsed() < Duration::from_secs(20), "{begun:?}");
        assert!(!answer.starts_with(b"HTTP/1.1 200"), "{begun:?}");
    }
}

/// A service that is no `Router`, with a body that is not axum's.
#[tokio::test]
async fn serves_any_service() {
    let app = tower::service_fn(|_: Request<hyper::body::Incoming>| async {
        Ok::<_, std::convert::Infallible>(http::Response::new(http_body_util::Full::<Bytes>::from(
            "full",
        )))
    });
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let server = Server::new(app).layer(off()).signals(false);
    let _server = tokio::spawn(server.run_on(listener));
    assert_eq!(fetch(address, "GET / HTTP/1.1\r\n").await.1, "full");
}
