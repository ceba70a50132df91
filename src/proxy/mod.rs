//! Forwards a request to the app's process and its answer back.
//!
//! A [`Proxy`] takes a [`Forward`]: a request, the client's [`Connection`](crate::Connection), and the right to use a
//! [`Backend`] for it. It strips what only the module may say and what concerns one connection alone, adds the pairing
//! token and where the request came from, and sends the rest as it came: target, headers, body, trailers. Bodies stream
//! both ways at once, with back-pressure and nothing held back. A WebSocket becomes a tunnel of bytes.
//!
//! Runs on any tokio runtime that has I/O and time enabled.
//!
//! # What passes, and what does not
//!
//! | of the request | |
//! |---|---|
//! | `MS-ASPNETCORE*`, dash or underscore, any case, trailers too | dropped, then ours are set |
//! | `X-Forwarded-*`, `Forwarded` | replaced; appended to if the peer is [trusted](ProxyOptions::trusted_proxies) |
//! | `Connection`, what it nominates, `Keep-Alive`, `Proxy-Connection`, `HTTP2-Settings` | dropped |
//! | `TE` | dropped but for `trailers` |
//! | `Upgrade` | dropped but for a valid request for a WebSocket over HTTP/1.1, which to an app of HTTP/2 is a `CONNECT` (RFC 8441) |
//! | `Content-Length`, `Transfer-Encoding` | made anew from the body |
//! | target, `Host`, method, everything else, `Proxy-Authorization` too | passes |
//! | `CONNECT`, `TRACE` | refused: 405 |
//! | no `Host`, two, one that is not valid or not the target's | refused: 400 |
//!
//! Of the answer, what concerns one connection alone and `MS-ASPNETCORE*` are dropped; `Date`, `Server` and fields that
//! are repeated pass as they are.
//!
//! `Expect: 100-continue` goes end to end: the body is not asked for before the app says `100 Continue`, or for
//! [a while](ProxyOptions::continue_timeout). A front on hyper says it to its client when it is asked for the body.
//!
//! Trailers pass over HTTP/1.1 only if a `Trailer` field announces them, as is hyper's rule.
//!
//! # Example
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

mod address;
mod backend;
mod body;
mod dial;
mod driven;
mod fixed;
mod future;
mod gate;
mod h2c;
mod hints;
mod instance;
mod io;
mod lease;
mod leased;
mod limit;
mod linger;
mod options;
mod pool;
mod prepare;
pub(crate) mod probe;
mod progress;
mod request;
mod response;
mod seats;
mod send;
mod service;
mod several;
mod stall;
mod switch;
mod trust;
mod upgrade;
mod upload;
mod upstream;
mod user;
mod wire;

#[cfg(all(feature = "in-process", unix))]
pub(crate) use self::request::judge;
/// Chunks, as they are read of an app's answer.
#[cfg(all(feature = "in-process", unix))]
pub(crate) mod chunks {
    pub(crate) use super::wire::decode::{Decoder, Flaw, Step};
}

pub use self::{
    address::{Address, Owner},
    backend::Backend,
    body::Body,
    fixed::{Fixed, FixedLayer},
    future::ResponseFuture,
    instance::Instance,
    lease::{Forward, Lease, Renew, Renewal},
    leased::Leased,
    options::ProxyOptions,
    service::Proxy,
    several::{
        BackendStatus, Backends, BackendsBuilder, Balanced, BalancedLayer, Destination, HealthCheck,
    },
    upgrade::Tunnels,
    upload::RequestBody,
};
pub(crate) use self::{
    instance::{InstanceBody, Serve, Serving},
    io::Io,
    leased::Leases,
    trust::Ranges,
};
#[doc(hidden)]
pub use self::{
    request::rewrite_head,
    wire::{encode_head, parse_head},
};
pub use crate::config::{HeaderPolicy, Protocol, Underscores};

/// An answer, in pieces of as many bytes as the first says, by our codec and by hyper's: to HEAD where that is odd.
#[cfg(fuzzing)]
pub fn fuzz(data: &[u8]) {
    let [piece, bytes @ ..] = data else {
        return;
    };
    // Of fields we take more than hyper.
    if bytes.iter().filter(|byte| **byte == b'\n').count() < 100 {
        wire::beside_hyper::compare(bytes, usize::from(*piece), piece % 2 == 1);
    }
}
