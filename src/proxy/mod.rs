//! Forwards a request to the app's process and its answer back.
//!
//! A [`Proxy`] takes a [`Forward`]: a request, the client's [`Connection`](crate::Connection), and the right to use a
//! [`Backend`] for it. It strips what only the module may say and what concerns one connection alone, adds the pairing
//! token and where the request came from, and sends the rest as it came: target, headers, body, trailers. Bodies stream
//! both ways at once, with back-pressure and nothing held back. A WebSocket becomes a tunnel of bytes.
//!
//! ```
//! use std::convert::Infallible;
//!
//! use ancm::{Connection, proxy::{Address, Backend, Forward, Proxy}};
//! use bytes::Bytes;
//! use http::{Request, Response};
//! use http_body_util::{BodyExt, Empty};
//! use hyper::{server::conn::http1, service::service_fn};
//! use hyper_util::rt::TokioIo;
//! use tower::ServiceExt;
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
//! // An app that tells who asked.
//! let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
//! let address = listener.local_addr()?;
//! tokio::spawn(async move {
//!     let app = service_fn(|request: Request<hyper::body::Incoming>| async move {
//!         let from = request.headers()["x-forwarded-for"].clone();
//!         Ok::<_, Infallible>(Response::new(from.to_str().unwrap_or_default().to_owned()))
//!     });
//!     let (stream, _) = listener.accept().await.unwrap();
//!     http1::Builder::new().serve_connection(TokioIo::new(stream), app).await
//! });
//!
//! // The client says who it is, but the front knows.
//! let backend = Backend::fixed(Address::Tcp(address));
//! let connection = Connection::new("192.0.2.7:4711".parse()?);
//! let request = Request::get("/who")
//!     .header("host", "example.com")
//!     .header("x-forwarded-for", "203.0.113.9")
//!     .body(Empty::<Bytes>::new())?;
//!
//! let forward = Forward::new(backend.lease(), connection, request);
//! let response = Proxy::new().oneshot(forward).await?;
//! assert_eq!(response.into_body().collect().await?.to_bytes(), "192.0.2.7:4711");
//! # Ok(())
//! # }
//! ```

mod backend;
mod body;
mod fixed;
mod io;
mod options;
mod pool;
mod request;
mod response;
mod service;
mod stall;
mod upgrade;
mod upload;
mod upstream;

pub use self::{
    backend::{Address, Backend, Forward, Lease, Owner},
    body::Body,
    fixed::{Fixed, FixedLayer},
    options::{ProxyOptions, Underscores},
    service::{Proxy, ResponseFuture},
    upgrade::Tunnels,
};
