//! An app that says and hears exact bytes, a front on hyper, and a client of exact bytes.

use std::{convert::Infallible, fmt::Debug, future::Future, net::SocketAddr, time::Duration};

use ancm::{
    Connection, PairingToken,
    proxy::{Address, Backend, Body, Forward, Proxy},
};
use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{Either, Full};
use hyper::{body::Incoming, service::service_fn};
use hyper_util::{
    rt::{TokioExecutor, TokioIo},
    server::conn::auto,
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};

/// Waits for what has to come, so that a test that is wrong ends.
pub(crate) async fn soon<F: Future>(what: F) -> F::Output {
    tokio::time::timeout(Duration::from_secs(20), what)
        .await
        .expect("it comes soon")
}

/// An app: whoever accepts speaks for it.
pub(crate) struct App {
    listener: TcpListener,
}

impl App {
    pub(crate) async fn bind() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        Self { listener }
    }

    pub(crate) fn address(&self) -> Address {
        Address::Tcp(self.listener.local_addr().unwrap())
    }

    /// With the token `secret`, and nobody to ask whose the port is.
    pub(crate) fn backend(&self) -> Backend {
        Backend::paired(self.address(), PairingToken::new("secret").unwrap(), None)
    }

    pub(crate) async fn accept(&self) -> Wire {
        Wire::new(soon(self.listener.accept()).await.unwrap().0)
    }

    /// Whether nobody has dialled that was not accepted.
    pub(crate) async fn is_quiet(&self) -> bool {
        let accept = self.listener.accept();
        tokio::time::timeout(Duration::from_millis(50), accept)
            .await
            .is_err()
    }
}

/// One end of a connection.
pub(crate) struct Wire {
    pub(crate) stream: TcpStream,
    read: Vec<u8>,
}

impl Wire {
    pub(crate) fn new(stream: TcpStream) -> Self {
        stream.set_nodelay(true).unwrap();
        Self {
            stream,
            read: Vec::new(),
        }
    }

    pub(crate) async fn connect(address: SocketAddr) -> Self {
        Self::new(TcpStream::connect(address).await.unwrap())
    }

    pub(crate) async fn say(&mut self, text: impl AsRef<[u8]>) {
        soon(self.stream.write_all(text.as_ref())).await.unwrap();
    }

    /// What comes, up to and with `end`.
    pub(crate) async fn hear(&mut self, end: &str) -> String {
        loop {
            let found = self
                .read
                .windows(end.len())
                .position(|w| w == end.as_bytes());
            if let Some(at) = found {
                let rest = self.read.split_off(at + end.len());
                let heard = std::mem::replace(&mut self.read, rest);
                return String::from_utf8_lossy(&heard).into_owned();
            }
            let heard = self.more().await;
            let so_far = String::from_utf8_lossy(&self.read);
            assert!(heard > 0, "it ended before {end:?}, after {so_far:?}");
        }
    }

    /// A head, with its empty line, in lower case.
    pub(crate) async fn head(&mut self) -> String {
        self.hear("\r\n\r\n").await.to_ascii_lowercase()
    }

    pub(crate) async fn exactly(&mut self, length: usize) -> Vec<u8> {
        while self.read.len() < length {
            assert!(self.more().await > 0, "it ended early");
        }
        let rest = self.read.split_off(length);
        std::mem::replace(&mut self.read, rest)
    }

    /// All that comes until the other end closes or resets.
    pub(crate) async fn rest(&mut self) -> String {
        while self.more().await > 0 {}
        String::from_utf8_lossy(&std::mem::take(&mut self.read)).into_owned()
    }

    async fn more(&mut self) -> usize {
        // A reset is an end too.
        soon(self.stream.read_buf(&mut self.read))
            .await
            .unwrap_or(0)
    }

    /// Closes so that the other end gets a reset.
    pub(crate) fn reset(self) {
        self.stream.set_zero_linger().unwrap();
    }
}

/// A front on hyper, for HTTP/1.1 and HTTP/2. An error is answered with its status and text.
pub(crate) async fn front(proxy: Proxy, backend: Backend) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        loop {
            let (stream, peer) = listener.accept().await.unwrap();
            stream.set_nodelay(true).unwrap();
            let (proxy, backend) = (proxy.clone(), backend.clone());
            let service = service_fn(move |request| {
                answer(
                    proxy.clone(),
                    backend.clone(),
                    Connection::new(peer),
                    request,
                )
            });
            tokio::spawn(async move {
                let server = auto::Builder::new(TokioExecutor::new());
                let io = TokioIo::new(stream);
                // A client that goes away is what some tests are about.
                let _ = server.serve_connection_with_upgrades(io, service).await;
            });
        }
    });
    address
}

async fn answer(
    proxy: Proxy,
    backend: Backend,
    connection: Connection,
    request: Request<Incoming>,
) -> Result<Response<Either<Body, Full<Bytes>>>, Infallible> {
    let forward = Forward::new(backend.lease(), connection, request);
    Ok(match proxy.forward(forward).await {
        Ok(response) => response.map(Either::Left),
        Err(error) => {
            let text = Full::from(format!("{error}"));
            let mut response = Response::new(Either::Right(text));
            *response.status_mut() = error.status();
            response
        }
    })
}

/// An app, a front before it and a client connected to that.
pub(crate) async fn chain() -> (App, Wire) {
    let (app, address) = app_and_front(Proxy::new()).await;
    (app, Wire::connect(address).await)
}

pub(crate) async fn app_and_front(proxy: Proxy) -> (App, SocketAddr) {
    let app = App::bind().await;
    let address = front(proxy, app.backend()).await;
    (app, address)
}

/// Waits until `condition` holds, giving other tasks their turn meanwhile.
pub(crate) async fn until(what: impl Debug, condition: impl Fn() -> bool) {
    let turns = async {
        while !condition() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), turns)
        .await
        .unwrap_or_else(|_| panic!("{what:?}"));
}
