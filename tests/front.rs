//! The front over real sockets: what it answers, refuses, bounds, and how it ends.
#![cfg(feature = "front")]
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

#[path = "front/framing.rs"]
mod framing;
#[path = "front/listening.rs"]
mod listening;

use std::{
    convert::Infallible,
    future::pending,
    io,
    net::SocketAddr,
    num::NonZeroUsize,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use ancm::{
    Connection,
    front::{Drained, Front},
};
use bytes::Bytes;
use http::{Method, Request, Response, StatusCode};
use http_body_util::{BodyExt, Empty, Full, StreamBody, combinators::BoxBody};
use hyper::body::{Frame, Incoming};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    sync::{Notify, oneshot},
    task::JoinHandle,
    time::timeout,
};
use tower::service_fn;

/// Longer than anything here takes; a test that waits so long has failed.
const TOO_LONG: Duration = Duration::from_secs(if cfg!(windows) { 120 } else { 20 });

type Body = BoxBody<Bytes, Infallible>;

struct Server {
    address: SocketAddr,
    app: App,
    stop: oneshot::Sender<()>,
    ended: JoinHandle<io::Result<Drained>>,
}

/// The app: counts, echoes, waits, tunnels, panics.
#[derive(Clone, Default)]
struct App {
    connections: Arc<AtomicUsize>,
    requests: Arc<AtomicUsize>,
    /// A request for `/wait` has arrived.
    arrived: Arc<Notify>,
    /// `/wait` may answer.
    go: Arc<Notify>,
    /// A request for `/wait` was dropped before it was answered.
    dropped: Arc<Notify>,
}

struct OnDrop(Option<Arc<Notify>>);

impl Drop for OnDrop {
    fn drop(&mut self) {
        if let Some(dropped) = &self.0 {
            dropped.notify_one();
        }
    }
}

impl App {
    async fn answer(self, request: Request<Incoming>) -> Result<Response<Body>, Infallible> {
        self.requests.fetch_add(1, Ordering::SeqCst);
        match request.uri().path() {
            "/wait" => {
                let mut guard = OnDrop(Some(self.dropped.clone()));
                self.arrived.notify_one();
                self.go.notified().await;
                guard.0 = None;
                Ok(text("waited"))
            }
            "/early" => Ok(text("early")),
            "/hang" => pending().await,
            "/panic" => panic!("as the test wants it"),
            "/big" => Ok(text(&"x".repeat(32 * 1024 * 1024))),
            // Part by part, as somebody asks for them.
            "/parts" => {
                let part = Bytes::from(vec![b'x'; 16 * 1024]);
                let parts = (0..2048).map(move |_| Ok(Frame::data(part.clone())));
                let body = StreamBody::new(futures_util::stream::iter(parts));
                Ok(Response::new(BodyExt::boxed(body)))
            }
            // Of a length that nobody says.
            "/stream" => Ok(text("streamed").map(|body| body.map_frame(|frame| frame).boxed())),
            "/tunnel" => Ok(tunnel(request, StatusCode::SWITCHING_PROTOCOLS)),
            _ if request.method() == Method::CONNECT => Ok(tunnel(request, StatusCode::OK)),
            "/headers" => {
                let headers = format!("{:?}", request.headers());
                let body = request.into_body().collect().await.map(|b| b.to_bytes());
                Ok(text(&format!("{headers} {body:?}")))
            }
            _ => match request.into_body().collect().await {
                Ok(body) => Ok(Response::new(Full::new(body.to_bytes()).boxed())),
                Err(_) => Ok(status(StatusCode::BAD_REQUEST)),
            },
        }
    }

    fn requests(&self) -> usize {
        self.requests.load(Ordering::SeqCst)
    }
}

fn text(text: &str) -> Response<Body> {
    Response::new(Full::new(Bytes::copy_from_slice(text.as_bytes())).boxed())
}

fn status(status: StatusCode) -> Response<Body> {
    let mut response = Response::new(Empty::new().boxed());
    *response.status_mut() = status;
    response
}

/// Echoes bytes after the answer.
fn tunnel(request: Request<Incoming>, status: StatusCode) -> Response<Body> {
    tokio::spawn(async move {
        let mut io = TokioIo::new(hyper::upgrade::on(request).await.unwrap());
        let mut buffer = [0; 64];
        while let Ok(read @ 1..) = io.read(&mut buffer).await {
            io.write_all(&buffer[..read]).await.unwrap();
        }
    });
    Response::builder()
        .status(status)
        .header("connection", "upgrade")
        .header("upgrade", "echo")
        .body(Empty::new().boxed())
        .unwrap()
}

fn one() -> Front {
    Front::new().threads(NonZeroUsize::MIN)
}

fn start(front: Front) -> Server {
    let app = App::default();
    let bound = front.bind(&["127.0.0.1:0".parse().unwrap()]).unwrap();
    let address = bound.local_addresses()[0];
    let (stop, stopped) = oneshot::channel();
    let make = {
        let app = app.clone();
        move |connection: Connection| {
            assert!(connection.peer().is_some() && connection.local().is_some());
            app.connections.fetch_add(1, Ordering::SeqCst);
            let app = app.clone();
            service_fn(move |request| app.clone().answer(request))
        }
    };
    let ended = tokio::spawn(bound.serve(make, async {
        let _ = stopped.await;
    }));
    Server {
        address,
        app,
        stop,
        ended,
    }
}

impl Server {
    async fn connect(&self) -> Raw {
        Raw(TcpStream::connect(self.address).await.unwrap())
    }

    /// What the server says to `bytes` until it closes.
    async fn exchange(&self, bytes: impl AsRef<[u8]>) -> String {
        let mut raw = self.connect().await;
        raw.send(bytes).await;
        raw.rest().await
    }

    async fn h2(&self) -> hyper::client::conn::http2::SendRequest<Full<Bytes>> {
        let stream = TcpStream::connect(self.address).await.unwrap();
        let (sender, connection) =
            hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(stream))
                .await
                .unwrap();
        tokio::spawn(connection);
        sender
    }

    fn shut(self) -> JoinHandle<io::Result<Drained>> {
        self.stop.send(()).unwrap();
        self.ended
    }

    async fn ends_clean(self) {
        assert_eq!(
            within(self.shut()).await.unwrap().unwrap(),
            Drained::default()
        );
    }
}

struct Raw(TcpStream);

impl Raw {
    async fn send(&mut self, bytes: impl AsRef<[u8]>) {
        self.0.write_all(bytes.as_ref()).await.unwrap();
    }

    /// Reads one response without a body, or with one of `length` bytes.
    async fn response(&mut self, length: usize) -> String {
        let mut read = Vec::new();
        while !read.ends_with(b"\r\n\r\n") {
            read.push(within(self.0.read_u8()).await.unwrap());
        }
        let mut body = vec![0; length];
        within(self.0.read_exact(&mut body)).await.unwrap();
        read.extend(body);
        String::from_utf8(read).unwrap()
    }

    /// Reads until the server closes; a reset counts as nothing.
    async fn rest(&mut self) -> String {
        let mut read = Vec::new();
        let _ = within(self.0.read_to_end(&mut read)).await;
        String::from_utf8_lossy(&read).into_owned()
    }
}

async fn within<F: Future>(future: F) -> F::Output {
    timeout(TOO_LONG, future).await.expect("takes too long")
}

const GET: &str = "GET / HTTP/1.1\r\nhost: a\r\n\r\n";
const WAIT: &str = "GET /wait HTTP/1.1\r\nhost: a\r\n\r\n";

// ---- What is answered

#[tokio::test]
async fn answers_requests_one_after_another_and_pipelined() {
    let server = start(one());
    let mut raw = server.connect().await;
    for _ in 0..3 {
        raw.send(GET).await;
        assert!(raw.response(0).await.starts_with("HTTP/1.1 200 OK\r\n"));
    }
    raw.send(format!(
        "{}{GET}",
        "POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 2\r\n\r\nhi".repeat(9)
    ))
    .await;
    for _ in 0..9 {
        assert!(raw.response(2).await.ends_with("\r\n\r\nhi"));
    }
    raw.response(0).await;
    assert_eq!(server.app.requests(), 13);
    assert_eq!(server.app.connections.load(Ordering::SeqCst), 1);
    drop(raw);
    server.ends_clean().await;
}

#[tokio::test]
async fn reads_a_request_that_comes_byte_by_byte() {
    let server = start(one());
    let mut raw = server.connect().await;
    raw.0.set_nodelay(true).unwrap();
    for byte in "PROPFIND / HTTP/1.1\r\nhost: a\r\n\r\n".bytes() {
        raw.send([byte]).await;
        tokio::task::yield_now().await;
    }
    assert!(raw.response(0).await.starts_with("HTTP/1.1 200 OK\r\n"));
}

#[tokio::test]
async fn speaks_http2_on_the_same_port() {
    let server = start(one());
    let mut h2 = server.h2().await;
    let requests: Vec<_> = (0..50)
        .map(|number| {
            let request = Request::post(format!("http://{}/", server.address))
                .body(Full::new(Bytes::from(format!("{number}"))))
                .unwrap();
            h2.send_request(request)
        })
        .collect();
    for (number, response) in requests.into_iter().enumerate() {
        let response = within(response).await.unwrap();
        assert_eq!(response.version(), http::Version::HTTP_2);
        let body = response.into_body().collect().await.unwrap().to_bytes();
        assert_eq!(body, number.to_string());
    }
    drop(h2);
    server.ends_clean().await;
}

#[tokio::test]
async fn http10_closes_unless_asked_to_stay() {
    let server = start(one());
    let said = server.exchange("GET / HTTP/1.0\r\n\r\n").await;
    assert!(said.starts_with("HTTP/1.0 200 OK\r\n"), "{said}");

    let mut raw = server.connect().await;
    for _ in 0..2 {
        raw.send("GET / HTTP/1.0\r\nconnection: keep-alive\r\n\r\n")
            .await;
        let said = raw.response(0).await;
        assert!(said.contains("connection: keep-alive"), "{said}");
    }
}

#[tokio::test]
async fn http10_is_not_told_to_stay_where_the_end_is_the_connections() {
    let server = start(one());
    let said = server
        .exchange("GET /stream HTTP/1.0\r\nconnection: keep-alive\r\n\r\n")
        .await;
    assert!(said.contains("connection: close\r\n"), "{said}");
    assert!(!said.contains("keep-alive"), "{said}");
    assert!(said.ends_with("\r\n\r\nstreamed"), "{said}");
}

#[tokio::test]
async fn a_thousand_connections_at_once() {
    let server = start(Front::new().threads(NonZeroUsize::new(2).unwrap()));
    let mut raws = Vec::new();
    for _ in 0..1000 {
        raws.push(server.connect().await);
    }
    for raw in &mut raws {
        raw.send(WAIT).await;
    }
    // Every one of them is being served before the first is answered. Without a pause the loop would keep the server from it
    // under Wine, where one process answers the system calls of all.
    within(async {
        while server.app.requests() < 1000 {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    })
    .await;
    for _ in 0..1000 {
        server.app.go.notify_one();
        tokio::task::yield_now().await;
    }
    for raw in &mut raws {
        assert!(raw.response(6).await.ends_with("waited"));
    }
    drop(raws);
    server.ends_clean().await;
}

#[tokio::test]
async fn threads_share_the_port_or_the_socket() {
    let threads = NonZeroUsize::new(4).unwrap();
    let inherited = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = inherited.local_addr().unwrap();
    let bound = Front::new()
        .threads(threads)
        .listeners(vec![inherited])
        .unwrap();
    assert_eq!(bound.local_addresses(), [address]);
    let make = |_: Connection| {
        service_fn(|_: Request<Incoming>| async { Ok::<_, Infallible>(text("hi")) })
    };
    let (stop, stopped) = oneshot::channel::<()>();
    let ended = tokio::spawn(bound.serve(make, async { stopped.await.unwrap() }));
    for _ in 0..64 {
        let mut raw = Raw(TcpStream::connect(address).await.unwrap());
        raw.send(GET).await;
        assert!(raw.response(2).await.ends_with("hi"));
    }
    stop.send(()).unwrap();
    within(ended).await.unwrap().unwrap();
}

#[tokio::test]
async fn listens_on_several_addresses() {
    let mut addresses = vec![
        "127.0.0.1:0".parse().unwrap(),
        "127.0.0.2:0".parse().unwrap(),
    ];
    if std::net::TcpListener::bind("[::1]:0").is_ok() {
        addresses.push("[::1]:0".parse().unwrap());
    }
    if cfg!(not(target_os = "linux")) {
        addresses.remove(1); // Only Linux has all of 127/8.
    }
    let bound = one().bind(&addresses).unwrap();
    let locals = bound.local_addresses().to_vec();
    assert_eq!(locals.len(), addresses.len());
    let make = |connection: Connection| {
        let local = connection.local().unwrap();
        service_fn(move |_: Request<Incoming>| async move {
            Ok::<_, Infallible>(text(&local.to_string()))
        })
    };
    tokio::spawn(bound.serve(make, pending()));
    for local in locals {
        let mut raw = Raw(TcpStream::connect(local).await.unwrap());
        raw.send("GET / HTTP/1.0\r\n\r\n").await;
        assert!(raw.rest().await.ends_with(&format!("\r\n\r\n{local}")));
    }
}

#[tokio::test]
async fn a_port_that_is_taken_is_an_error() {
    let threads = NonZeroUsize::new(2).unwrap();
    let first = Front::new()
        .threads(threads)
        .bind(&["127.0.0.1:0".parse().unwrap()])
        .unwrap();
    let error = Front::new()
        .threads(threads)
        .bind(first.local_addresses())
        .unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::AddrInUse);
    let named = format!("can't listen on {}", first.local_addresses()[0]);
    assert_eq!(error.to_string(), named);
    assert!(std::error::Error::source(&error).is_some(), "why");
    assert!(Front::new().bind(&[]).is_err());
}

// ---- What is refused

/// Bytes, and the status they get: `None` for the end of the connection and no more.
const BAD: &[(&str, &[u8], Option<u16>)] = &[
    ("garbage", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", Some(400)),
    ("no version", b"GET /\r\n\r\n", Some(400)),
    ("HTTP/0.9", b"GET /\n\n", Some(400)),
    ("HTTP/2.0 in text", b"GET / HTTP/2.0\r\nhost: a\r\n\r\n", Some(400)),
    ("NUL in a value", b"GET / HTTP/1.1\r\nhost: a\r\nx: a\0b\r\n\r\n", Some(400)),
    ("NUL in a name", b"GET / HTTP/1.1\r\nhost: a\r\nx\0: a\r\n\r\n", Some(400)),
    ("space before the colon", b"GET / HTTP/1.1\r\nhost : a\r\n\r\n", Some(400)),
    ("no colon", b"GET / HTTP/1.1\r\nhost a\r\n\r\n", Some(400)),
    ("empty name", b"GET / HTTP/1.1\r\nhost: a\r\n: b\r\n\r\n", Some(400)),
    ("obs-fold", b"GET / HTTP/1.1\r\nhost: a\r\nx: b\r\n c\r\n\r\n", Some(400)),
    ("leading space", b"GET / HTTP/1.1\r\n host: a\r\n\r\n", Some(400)),
    ("bare CR", b"GET / HTTP/1.1\r\nhost: a\r\nx: b\rc\r\n\r\n", Some(400)),
    ("two spaces", b"GET  / HTTP/1.1\r\nhost: a\r\n\r\n", Some(400)),
    ("length twice", b"POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\nab", Some(400)),
    ("length list", b"POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 1, 2\r\n\r\nab", Some(400)),
    ("length +1", b"POST / HTTP/1.1\r\nhost: a\r\ncontent-length: +1\r\n\r\na", Some(400)),
    ("length -1", b"POST / HTTP/1.1\r\nhost: a\r\ncontent-length: -1\r\n\r\na", Some(400)),
    ("length hex", b"POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 0x1\r\n\r\na", Some(400)),
    ("length empty", b"POST / HTTP/1.1\r\nhost: a\r\ncontent-length:\r\n\r\na", Some(400)),
    ("length too long", b"POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 99999999999999999999\r\n\r\na", Some(400)),
    ("unknown coding", b"POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: gzip\r\n\r\n", Some(400)),
    ("chunked not last", b"POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked, gzip\r\n\r\n0\r\n\r\n", Some(400)),
    ("chunked not last, two lines", b"POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\ntransfer-encoding: identity\r\n\r\n0\r\n\r\n", Some(400)),
    ("coding in HTTP/1.0", b"POST / HTTP/1.0\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n", Some(400)),
];

#[tokio::test]
async fn refuses_what_is_not_http_and_forwards_nothing() {
    let server = start(one());
    for (what, bytes, want) in BAD {
        let said = server.exchange(bytes).await;
        let status = said.get(9..12).and_then(|status| status.parse().ok());
        assert_eq!(status, *want, "{what}: {said}");
        assert_eq!(said.matches("HTTP/1.").count(), 1, "{what}: {said}");
        assert_eq!(server.app.requests(), 0, "{what} was forwarded");
    }
    server.ends_clean().await;
}

#[tokio::test]
async fn heads_have_a_size() {
    let server = start(one().max_head_size(4096));
    let head = |filler: String| format!("GET / HTTP/1.1\r\nhost: a\r\n{filler}\r\n");
    for (what, bytes, want) in [
        ("fits", head(format!("x: {}\r\n", "x".repeat(3000))), "200"),
        (
            "too big",
            head(format!("x: {}\r\n", "x".repeat(5000))),
            "431",
        ),
        (
            "never ends",
            "GET / HTTP/1.1\r\nx: ".to_owned() + &"x".repeat(5000),
            "431",
        ),
        ("100 lines", head("x: y\r\n".repeat(99)), "200"),
        ("101 lines", head("x: y\r\n".repeat(100)), "431"),
    ] {
        let mut raw = server.connect().await;
        raw.send(bytes).await;
        let said = raw.response(0).await;
        assert_eq!(said.get(9..12), Some(want), "{what}: {said}");
    }
    assert_eq!(server.app.requests(), 2);

    let server = start(one().max_headers(2));
    let said = server.exchange(head("x: y\r\n".repeat(2))).await;
    assert!(said.starts_with("HTTP/1.1 431"), "{said}");
    let server = start(one().max_head_size(128 * 1024));
    let long = "x".repeat(70_000);
    let said = server
        .exchange(format!("GET /{long} HTTP/1.1\r\nhost: a\r\n\r\n"))
        .await;
    assert!(said.starts_with("HTTP/1.1 414"), "{said}");
    assert_eq!(server.app.requests(), 0);
}

/// The client still sends while it is answered: closing at once would reset it before it reads.
#[tokio::test]
async fn an_early_answer_is_readable_while_the_client_still_sends() {
    let server = start(one().max_head_size(4096));
    for (head, want) in [
        ("", "HTTP/1.1 431 "),
        (
            "POST /early HTTP/1.1\r\nhost: a\r\ncontent-length: 524288\r\n\r\n",
            "HTTP/1.1 200 ",
        ),
    ] {
        for _ in 0..20 {
            let mut raw = server.connect().await;
            raw.send(head).await;
            let (mut read, mut write) = raw.0.split();
            let sending = async {
                for _ in 0..32 {
                    if write.write_all(&[b'x'; 16 * 1024]).await.is_err() {
                        return;
                    }
                    tokio::task::yield_now().await;
                }
                let _ = write.shutdown().await;
            };
            let reading = async {
                let mut said = Vec::new();
                read.read_to_end(&mut said).await.map(|_| said)
            };
            let ((), said) = within(async { tokio::join!(sending, reading) }).await;
            let said = String::from_utf8(said.unwrap()).unwrap();
            assert!(said.starts_with(want), "{said}");
        }
    }
}

#[tokio::test]
async fn a_body_with_bad_chunks_fails_and_ends_the_connection() {
    for (what, chunks) in [
        ("no hex", "x\r\na\r\n0\r\n\r\n"),
        ("sign", "+1\r\na\r\n0\r\n\r\n"),
        ("prefix", "0x1\r\na\r\n0\r\n\r\n"),
        ("empty", "\r\na\r\n0\r\n\r\n"),
        ("overflow", "10000000000000001\r\na\r\n0\r\n\r\n"),
        ("longer than said", "1\r\nab\r\n0\r\n\r\n"),
        ("bare LF after the size", "1\na\r\n0\r\n\r\n"),
        ("bare LF in an extension", "1;x\na\r\n0\r\n\r\n"),
        ("bare CR in an extension", "1;x\ra\r\na\r\n0\r\n\r\n"),
        ("bare LF after the data", "1\r\na\n0\r\n\r\n"),
    ] {
        let server = start(one());
        let said = server
            .exchange(format!(
                "POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n{chunks}{GET}"
            ))
            .await;
        assert!(!said.contains(" 200 "), "{what}: {said}");
        assert_eq!(server.app.requests(), 1, "{what}");
    }
}

/// What is odd but HTTP reaches the service as it is: whose business it is decides there.
#[tokio::test]
async fn passes_on_what_is_for_others_to_judge() {
    for request in [
        "get / HTTP/1.1\r\nhost: a\r\n",
        "GET / HTTP/1.1\nhost: a\n",
        "GET http://b/ HTTP/1.1\r\nhost: a\r\n",
        "OPTIONS * HTTP/1.1\r\nhost: a\r\n",
        "GET / HTTP/1.1\r\n",
        "GET / HTTP/1.1\r\nhost: a\r\nhost: b\r\n",
        "POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 0\r\ncontent-length: 0\r\n",
        "GET / HTTP/1.1\r\nhost: a\r\nexpect: 100-continue\r\n",
    ] {
        let server = start(one());
        let said = server
            .exchange(format!("{request}connection: close\r\n\r\n"))
            .await;
        assert!(said.starts_with("HTTP/1.1 200 OK\r\n"), "{request}: {said}");
        assert_eq!(server.app.requests(), 1, "{request}");
    }
}

// ---- What is bounded

/// Short enough to wait for in a test.
const SHORT: Duration = Duration::from_millis(80);

#[tokio::test]
async fn a_slow_head_gets_408_and_a_silent_client_nothing() {
    let server = start(one().header_timeout(SHORT));
    assert_eq!(server.exchange("").await, "");
    // Could still be either version.
    assert_eq!(server.exchange("PRI * HT").await, "");

    let said = server
        .exchange("GET / HTTP/1.1\r\nhost: a\r\nx: never ends, this one")
        .await;
    assert!(said.starts_with("HTTP/1.1 408 "), "{said}");

    // Also when it follows another, and drips.
    let mut raw = server.connect().await;
    raw.send(GET).await;
    raw.response(0).await;
    let (mut read, mut write) = raw.0.into_split();
    let dripping = tokio::spawn(async move {
        for _ in 0..1000 {
            if write.write_all(b"G").await.is_err() {
                return;
            }
            tokio::time::sleep(SHORT / 8).await;
        }
    });
    let mut said = Vec::new();
    let _ = within(read.read_to_end(&mut said)).await;
    let said = String::from_utf8_lossy(&said);
    assert!(
        said.starts_with("HTTP/1.1 408 ") || said.is_empty(),
        "{said}"
    );
    within(dripping).await.unwrap();
    assert_eq!(server.app.requests(), 1);
}

#[tokio::test]
async fn an_idle_connection_is_closed_in_either_version() {
    let server = start(one().idle_timeout(SHORT));
    let mut raw = server.connect().await;
    raw.send(GET).await;
    raw.response(0).await;
    assert_eq!(raw.rest().await, "");

    let mut h2 = server.h2().await;
    let request = || Request::get("http://a/").body(Full::default()).unwrap();
    within(h2.send_request(request())).await.unwrap();
    within(async {
        while !h2.is_closed() {
            tokio::task::yield_now().await;
        }
    })
    .await;
}

#[tokio::test]
async fn a_request_may_take_longer_than_any_limit_of_the_client() {
    let server = start(
        one()
            .idle_timeout(SHORT)
            .header_timeout(SHORT)
            .write_timeout(SHORT),
    );
    let mut raw = server.connect().await;
    raw.send(WAIT).await;
    within(server.app.arrived.notified()).await;
    tokio::time::sleep(SHORT * 3).await;
    server.app.go.notify_one();
    assert!(raw.response(6).await.ends_with("waited"));
}

#[tokio::test]
async fn a_client_that_reads_nothing_is_cut() {
    let server = start(one().write_timeout(SHORT));
    let mut raw = server.connect().await;
    raw.send("GET /big HTTP/1.1\r\nhost: a\r\n\r\n").await;
    let Server {
        app, stop, ended, ..
    } = server;
    within(async {
        while app.requests() == 0 {
            tokio::task::yield_now().await;
        }
    })
    .await;
    // Were it not cut, the front could not end before the drain timeout, and would say so.
    tokio::time::sleep(SHORT * 3).await;
    stop.send(()).unwrap();
    assert_eq!(within(ended).await.unwrap().unwrap(), Drained::default());
}

/// An HTTP/2 client takes frames all right, but opens no window for the body.
#[tokio::test]
async fn an_http2_client_that_takes_no_data_is_cut() {
    let server = start(one().write_timeout(SHORT).h2_ping(SHORT / 4, TOO_LONG));
    let stream = TcpStream::connect(server.address).await.unwrap();
    let (mut h2, connection) = h2::client::Builder::new()
        .initial_window_size(0)
        .handshake::<_, Bytes>(stream)
        .await
        .unwrap();
    let ended = tokio::spawn(connection);
    let request = Request::get("http://a/big").body(()).unwrap();
    let (response, _) = h2.send_request(request, true).unwrap();
    let response = within(response).await.unwrap();
    assert_eq!(response.status(), StatusCode::OK);
    let _ = within(ended).await.unwrap();
    server.ends_clean().await;
}

/// Another one goes on meanwhile, so that the connection as a whole never stands still. It may end.
#[tokio::test]
async fn an_http2_client_that_keeps_a_stream_shut_is_let_go() {
    let server = start(one().write_timeout(SHORT).h2_ping(SHORT / 4, TOO_LONG));
    let stream = TcpStream::connect(server.address).await.unwrap();
    let (mut h2, connection) = h2::client::Builder::new()
        .initial_connection_window_size(1024 * 1024)
        .handshake::<_, Bytes>(stream)
        .await
        .unwrap();
    let ended = tokio::spawn(connection);
    let mut ask = |target| {
        let request = Request::get(target).body(()).unwrap();
        h2.send_request(request, true).map(|(answer, _)| answer)
    };
    let [shut, other] = ["http://a/parts"; 2].map(|target| ask(target).unwrap());
    let shut = within(shut).await.unwrap();
    let mut other = within(other).await.unwrap().into_body();
    let (mut heard, mut parts, mut late) = (0, 0, None);
    while let Some(part) = within(other.data()).await {
        let part = part.unwrap();
        heard += part.len();
        other.flow_control().release_capacity(part.len()).unwrap();
        parts += 1;
        if parts % 16 == 0 {
            tokio::time::sleep(SHORT / 8).await;
        }
        if heard >= 16 * 1024 * 1024 && late.is_none() {
            late = Some(ask("http://a/"));
        }
    }
    assert_eq!(heard, 32 * 1024 * 1024, "it ends whole");
    let _ = within(ended).await.unwrap();
    if let Some(Ok(late)) = late {
        assert!(within(late).await.is_err(), "it was let go before");
    }
    drop(shut);
    server.ends_clean().await;
}

/// One byte of room is no progress: the system opens the window again only when there is room for much more.
#[tokio::test]
async fn a_client_that_reads_a_byte_now_and_then_is_cut() {
    let server = start(one().write_timeout(SHORT * 2));
    let mut raw = server.connect().await;
    raw.send("GET /big HTTP/1.1\r\nhost: a\r\n\r\n").await;
    let reading = tokio::spawn(async move {
        while raw.0.read_u8().await.is_ok() {
            tokio::time::sleep(SHORT / 10).await;
        }
    });
    let Server {
        app, stop, ended, ..
    } = server;
    within(async {
        while app.requests() == 0 {
            tokio::task::yield_now().await;
        }
    })
    .await;
    tokio::time::sleep(SHORT * 6).await;
    stop.send(()).unwrap();
    assert_eq!(within(ended).await.unwrap().unwrap(), Drained::default());
    reading.abort();
}

/// The limit is for the head as a whole, not for its next byte.
#[tokio::test]
async fn a_head_that_comes_byte_by_byte_gets_408() {
    let server = start(one().header_timeout(SHORT * 3));
    let mut raw = server.connect().await;
    let (mut reading, mut writing) = raw.0.split();
    let trickle = async {
        loop {
            let _ = writing.write_all(b"x").await;
            tokio::time::sleep(SHORT / 5).await;
        }
    };
    let mut said = Vec::new();
    tokio::select! {
        _ = within(reading.read_to_end(&mut said)) => {}
        () = trickle => {}
    }
    assert!(said.starts_with(b"HTTP/1.1 408 "), "{said:?}");
    server.ends_clean().await;
}

#[tokio::test]
async fn a_slow_reader_is_not_cut() {
    // Far more than a busy machine keeps this test from reading, and less than it reads for in all.
    const TIMEOUT: Duration = Duration::from_secs(3);
    let server = start(one().write_timeout(TIMEOUT));
    let mut raw = server.connect().await;
    raw.send("GET /big HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n")
        .await;
    let mut total = 0;
    let mut buffer = vec![0; 256 * 1024];
    let begun = tokio::time::Instant::now();
    loop {
        match within(raw.0.read(&mut buffer)).await.unwrap() {
            0 => break,
            read => total += read,
        }
        if begun.elapsed() < TIMEOUT * 4 / 3 {
            tokio::time::sleep(TIMEOUT / 40).await;
        }
    }
    assert!(total > 32 * 1024 * 1024, "{total}");
    assert!(begun.elapsed() > TIMEOUT, "{:?}", begun.elapsed());
}

#[tokio::test]
async fn at_the_limit_idle_connections_make_room_and_the_others_wait() {
    let server = start(one().max_connections(NonZeroUsize::new(2).unwrap()));
    let mut idle = server.connect().await;
    idle.send(GET).await;
    idle.response(0).await;
    let mut busy = server.connect().await;
    busy.send(WAIT).await;
    within(server.app.arrived.notified()).await;

    // The idle one goes for another, and not before.
    idle.send(GET).await;
    idle.response(0).await;
    let mut third = server.connect().await;
    assert_eq!(idle.rest().await, "");
    third.send(WAIT).await;
    within(server.app.arrived.notified()).await;

    // Now all are busy: the fourth waits in the kernel.
    let mut fourth = server.connect().await;
    fourth.send(GET).await;
    let mut byte = [0];
    timeout(SHORT, fourth.0.read(&mut byte)).await.unwrap_err();
    assert_eq!(server.app.requests(), 4);
    server.app.go.notify_waiters();
    busy.response(6).await;
    fourth.response(0).await;
}

/// Without a free file descriptor the front closes idle connections, and does not spin.
#[cfg(unix)]
#[tokio::test]
async fn serves_everybody_with_few_file_descriptors() {
    use std::process::Stdio;
    use tokio::io::{AsyncBufReadExt, BufReader};

    let mut child = tokio::process::Command::new(std::env::current_exe().unwrap())
        .args([
            "--exact",
            "few_file_descriptors",
            "--ignored",
            "--nocapture",
        ])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let address: SocketAddr = loop {
        let line = within(lines.next_line()).await.unwrap().unwrap();
        if let Some((_, address)) = line.split_once("listens on ") {
            break address.parse().unwrap();
        }
    };
    let mut raws = Vec::new();
    for _ in 0..64 {
        let mut raw = Raw(TcpStream::connect(address).await.unwrap());
        raw.send(GET).await;
        raws.push(raw);
    }
    for raw in &mut raws {
        assert!(raw.response(0).await.starts_with("HTTP/1.1 200 "));
    }
    drop((raws, child.stdin.take()));
    assert!(within(child.wait()).await.unwrap().success());
}

/// The process that the test above starts.
#[cfg(unix)]
#[tokio::test]
#[ignore = "lowers a limit of its whole process"]
async fn few_file_descriptors() {
    use rustix::process::{Resource, Rlimit, setrlimit};

    let few = Rlimit {
        current: Some(32),
        maximum: Some(32),
    };
    setrlimit(Resource::Nofile, few).unwrap();
    let server = start(one());
    println!("listens on {}", server.address);
    let mut stdin = Vec::new();
    tokio::io::stdin().read_to_end(&mut stdin).await.unwrap();
    server.ends_clean().await;
}

#[tokio::test]
async fn rapid_resets_end_the_connection() {
    let server = start(one());
    let mut raw = server.connect().await;
    // GET http://a/, opened and reset, all in one packet.
    let mut flood = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0".to_vec();
    for stream in (1_u32..200).step_by(2) {
        let id = stream.to_be_bytes();
        flood.extend([0, 0, 6, 1, 5, id[0], id[1], id[2], id[3]]);
        flood.extend(b"\x82\x86\x84\x41\x01a");
        flood.extend([0, 0, 4, 3, 0, id[0], id[1], id[2], id[3], 0, 0, 0, 8]);
    }
    raw.send(flood).await;
    let mut said = Vec::new();
    let _ = within(raw.0.read_to_end(&mut said)).await;
    let mut frames = said.as_slice();
    let mut last = None;
    while let [_, high, low, kind, _, _, _, _, _, rest @ ..] = frames {
        let (payload, next) = rest.split_at(usize::from(*high) * 256 + usize::from(*low));
        last = Some((*kind, payload.to_vec()));
        frames = next;
    }
    let (kind, payload) = last.unwrap();
    assert_eq!(kind, 7, "GOAWAY comes last");
    assert_eq!(payload[4..8], [0, 0, 0, 0xb], "ENHANCE_YOUR_CALM");
    // And nobody else notices.
    server.exchange("GET / HTTP/1.0\r\n\r\n").await;
    server.ends_clean().await;
}

#[tokio::test]
async fn http2_says_its_limits() {
    let server = start(one().h2_max_streams(7).max_head_size(5000));
    let mut raw = server.connect().await;
    raw.send("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").await;
    raw.send([0, 0, 0, 4, 0, 0, 0, 0, 0]).await;
    let mut header = [0; 9];
    within(raw.0.read_exact(&mut header)).await.unwrap();
    assert_eq!(header[3], 4, "a SETTINGS frame comes first");
    let mut settings = vec![0; usize::from(header[2])];
    within(raw.0.read_exact(&mut settings)).await.unwrap();
    let settings: Vec<_> = settings
        .chunks(6)
        .map(|s| (s[1], u32::from_be_bytes([s[2], s[3], s[4], s[5]])))
        .collect();
    assert!(
        settings.contains(&(3, 7)),
        "MAX_CONCURRENT_STREAMS: {settings:?}"
    );
    assert!(
        settings.contains(&(6, 5000)),
        "MAX_HEADER_LIST_SIZE: {settings:?}"
    );
    assert!(
        !settings.iter().any(|(id, _)| *id == 8),
        "no extended CONNECT: {settings:?}"
    );
}

// ---- Who left, who half left, who panics

#[tokio::test]
async fn a_client_that_leaves_ends_its_request() {
    let server = start(one());
    let mut raw = server.connect().await;
    raw.send(WAIT).await;
    within(server.app.arrived.notified()).await;
    drop(raw);
    within(server.app.dropped.notified()).await;

    // The same for half a client, unless it is wanted.
    let mut raw = server.connect().await;
    raw.send(WAIT).await;
    within(server.app.arrived.notified()).await;
    raw.0.shutdown().await.unwrap();
    within(server.app.dropped.notified()).await;
    assert_eq!(raw.rest().await, "");
    server.ends_clean().await;
}

#[tokio::test]
async fn half_a_client_gets_its_answer_where_that_is_wanted() {
    let server = start(one().half_close(true));
    let mut raw = server.connect().await;
    raw.send(WAIT).await;
    within(server.app.arrived.notified()).await;
    raw.0.shutdown().await.unwrap();
    server.app.go.notify_one();
    assert!(raw.rest().await.ends_with("waited"));
}

#[tokio::test]
async fn a_reset_stream_ends_its_request_alone() {
    let server = start(one());
    let mut h2 = server.h2().await;
    let request = |path| {
        Request::get(format!("http://a{path}"))
            .body(Full::default())
            .unwrap()
    };
    let waiting = h2.send_request(request("/wait"));
    within(server.app.arrived.notified()).await;
    drop(waiting);
    within(server.app.dropped.notified()).await;
    assert_eq!(
        within(h2.send_request(request("/")))
            .await
            .unwrap()
            .status(),
        200
    );
}

#[tokio::test]
async fn a_panic_ends_its_connection_alone() {
    let server = start(one());
    let mut other = server.connect().await;
    other.send(GET).await;
    other.response(0).await;
    assert_eq!(
        server
            .exchange("GET /panic HTTP/1.1\r\nhost: a\r\n\r\n")
            .await,
        ""
    );
    let mut h2 = server.h2().await;
    let panic = Request::get("http://a/panic")
        .body(Full::default())
        .unwrap();
    within(h2.send_request(panic)).await.unwrap_err();
    other.send(GET).await;
    other.response(0).await;
    drop((other, h2));
    server.ends_clean().await;
}

// ---- How it ends

#[tokio::test]
async fn drains_requests_in_flight_and_closes_the_idle_at_once() {
    let server = start(one());
    let address = server.address;
    let mut idle = server.connect().await;
    idle.send(GET).await;
    idle.response(0).await;
    let mut fresh = server.connect().await;
    let mut busy = server.connect().await;
    busy.send(WAIT).await;
    within(server.app.arrived.notified()).await;

    let app = server.app.clone();
    let ended = server.shut();
    assert_eq!(idle.rest().await, "");
    assert_eq!(fresh.rest().await, "");
    assert!(TcpStream::connect(address).await.is_err(), "nobody listens");
    assert!(!ended.is_finished());

    app.go.notify_one();
    let said = busy.response(6).await;
    assert!(said.contains("connection: close"), "{said}");
    assert_eq!(busy.rest().await, "");
    assert_eq!(within(ended).await.unwrap().unwrap(), Drained::default());
}

#[tokio::test]
async fn drains_http2_with_goaway() {
    let server = start(one());
    let mut h2 = server.h2().await;
    let waiting = Request::get("http://a/wait").body(Full::default()).unwrap();
    let waiting = tokio::spawn(h2.send_request(waiting));
    within(server.app.arrived.notified()).await;
    let app = server.app.clone();
    let ended = server.shut();
    // What comes after the GOAWAY is not taken any more.
    let more = || Request::get("http://a/").body(Full::default()).unwrap();
    within(async { while h2.send_request(more()).await.is_ok() {} }).await;
    assert!(!ended.is_finished());
    app.go.notify_one();
    let response = within(waiting).await.unwrap().unwrap();
    let body = response.into_body().collect().await.unwrap().to_bytes();
    assert_eq!(body, "waited");
    assert_eq!(within(ended).await.unwrap().unwrap(), Drained::default());
}

#[tokio::test]
async fn the_drain_timeout_cuts_what_is_left() {
    let server = start(one().drain_timeout(SHORT));
    let mut raw = server.connect().await;
    raw.send(WAIT).await;
    within(server.app.arrived.notified()).await;
    let mut tunnel = server.connect().await;
    tunnel
        .send("GET /tunnel HTTP/1.1\r\nhost: a\r\nconnection: upgrade\r\nupgrade: echo\r\n\r\n")
        .await;
    tunnel.response(0).await;
    let drained = within(server.shut()).await.unwrap().unwrap();
    assert_eq!((drained.cut_connections, drained.cut_tunnels), (1, 1));
    assert_eq!(raw.rest().await, "");
    assert_eq!(tunnel.rest().await, "");
}

#[tokio::test]
async fn a_tunnel_outlives_the_limits_and_is_waited_for() {
    let server = start(one().idle_timeout(SHORT).header_timeout(SHORT));
    let mut tunnel = server.connect().await;
    tunnel
        .send(
            "GET /tunnel HTTP/1.1\r\nhost: a\r\nconnection: upgrade\r\nupgrade: echo\r\n\r\nearly",
        )
        .await;
    let said = tunnel.response(5).await;
    assert!(
        said.starts_with("HTTP/1.1 101 ") && said.ends_with("early"),
        "{said}"
    );
    tokio::time::sleep(SHORT * 3).await;
    let ended = server.shut();
    tunnel.send("late").await;
    let mut late = [0; 4];
    within(tunnel.0.read_exact(&mut late)).await.unwrap();
    assert_eq!(&late, b"late");
    assert!(!ended.is_finished());
    drop(tunnel);
    assert_eq!(within(ended).await.unwrap().unwrap(), Drained::default());
}

/// Who connected before the end is served, though nobody had accepted it yet.
#[tokio::test]
async fn nobody_in_the_queue_is_reset() {
    for _ in 0..20 {
        let server = start(Front::new().threads(NonZeroUsize::new(2).unwrap()));
        let mut raws = Vec::new();
        for _ in 0..50 {
            let mut raw = server.connect().await;
            raw.send(GET).await;
            raws.push(raw);
        }
        let ended = server.shut();
        for raw in &mut raws {
            assert!(raw.response(0).await.starts_with("HTTP/1.1 200 "));
        }
        assert_eq!(within(ended).await.unwrap().unwrap(), Drained::default());
    }
}

#[tokio::test]
async fn dropping_the_server_cuts_everything() {
    let server = start(one());
    let mut raw = server.connect().await;
    raw.send(WAIT).await;
    within(server.app.arrived.notified()).await;
    server.ended.abort();
    assert_eq!(raw.rest().await, "");
    within(server.app.dropped.notified()).await;
}

/// A service that is ready only when told to.
#[derive(Clone)]
struct Late {
    ready: tokio::sync::watch::Receiver<Option<Result<(), &'static str>>>,
    asked: Arc<Notify>,
}

impl tower::Service<Request<Incoming>> for Late {
    type Response = Response<Body>;
    type Error = Box<dyn std::error::Error + Send + Sync>;
    type Future = std::future::Ready<Result<Response<Body>, Self::Error>>;

    fn poll_ready(
        &mut self,
        cx: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Result<(), Self::Error>> {
        self.asked.notify_one();
        let mut ready = self.ready.clone();
        let told = std::pin::pin!(ready.wait_for(Option::is_some)).poll(cx);
        // The waker is kept by nobody but this future, so ask again.
        cx.waker().wake_by_ref();
        told.map(|told| Ok((*told?).unwrap()?))
    }

    fn call(&mut self, _: Request<Incoming>) -> Self::Future {
        std::future::ready(Ok(text("late")))
    }
}

#[tokio::test]
async fn waits_for_a_service_that_is_not_ready() {
    for (told, want) in [(Ok(()), "late"), (Err("no"), "")] {
        for early in [false, true] {
            let (tell, ready) = tokio::sync::watch::channel(None);
            let asked = Arc::new(Notify::new());
            let late = Late {
                ready,
                asked: asked.clone(),
            };
            let bound = one().bind(&["127.0.0.1:0".parse().unwrap()]).unwrap();
            let address = bound.local_addresses()[0];
            let (_stop, stopped) = oneshot::channel::<()>();
            tokio::spawn(bound.serve(move |_| late.clone(), async { stopped.await.unwrap() }));
            if early {
                tell.send(Some(told)).unwrap();
            }
            let mut raw = Raw(TcpStream::connect(address).await.unwrap());
            raw.send("GET / HTTP/1.0\r\n\r\n").await;
            within(asked.notified()).await;
            if !early {
                within(asked.notified()).await;
                tell.send(Some(told)).unwrap();
            }
            assert!(raw.rest().await.ends_with(want));
        }
    }
}
