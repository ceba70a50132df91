//! The front over real sockets: what it answers, refuses, bounds, and how it ends.
#![cfg(feature = "front")]
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

mod answers;
mod ending;
mod framing;
mod leaving;
mod limits;
mod listening;
mod refusals;
mod slow;

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
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader},
    net::TcpStream,
    sync::{Notify, oneshot},
    task::JoinHandle,
    time::timeout,
};
use tower::service_fn;

/// Short enough to wait for in a test.
const SHORT: Duration = Duration::from_millis(80);

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
        Raw::to(self.address).await
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

struct Raw(BufReader<TcpStream>);

impl Raw {
    async fn to(address: SocketAddr) -> Self {
        Self(BufReader::new(TcpStream::connect(address).await.unwrap()))
    }

    async fn send(&mut self, bytes: impl AsRef<[u8]>) {
        self.0.write_all(bytes.as_ref()).await.unwrap();
    }

    /// Reads one response without a body, or with one of `length` bytes.
    async fn response(&mut self, length: usize) -> String {
        let mut read = Vec::new();
        while !read.ends_with(b"\r\n\r\n") {
            let line = within(self.0.read_until(b'\n', &mut read)).await.unwrap();
            assert_ne!(line, 0, "ends within a head");
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
