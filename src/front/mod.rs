//! A hyper server for the host half: accepts, speaks HTTP/1.1 and HTTP/2, limits, drains.
//!
//! It is optional: the host half is a tower service, and any hyper server can be its front. This
//! one is made for it. Each core has a thread with a runtime of its own, each connection a service
//! of its own that knows who the client is, and what a client can do to a server is bounded from
//! the start: the [options](Front) say how, and why.
//!
//! ```
//! use std::{convert::Infallible, io::{Read, Write}, net::TcpStream, num::NonZeroUsize};
//! use ancm::{Connection, front::Front};
//! use http::{Request, Response};
//! use hyper::body::Incoming;
//! use tower::service_fn;
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> std::io::Result<()> {
//! let front = Front::new()
//!     .threads(NonZeroUsize::MIN)
//!     .bind(&["127.0.0.1:0".parse().unwrap()])?;
//! let address = front.local_addresses()[0];
//!
//! // One service for each connection: what is known of the client is known once.
//! let make = |connection: Connection| {
//!     let port = connection.peer().map(|peer| peer.port()).unwrap_or_default();
//!     service_fn(move |_: Request<Incoming>| async move {
//!         Ok::<_, Infallible>(Response::new(format!("port {port}")))
//!     })
//! };
//! let client = tokio::task::spawn_blocking(move || -> std::io::Result<_> {
//!     let mut client = TcpStream::connect(address)?;
//!     client.write_all(b"GET / HTTP/1.1\r\nhost: me\r\nconnection: close\r\n\r\n")?;
//!     let mut answer = String::new();
//!     client.read_to_string(&mut answer)?;
//!     Ok((client.local_addr()?.port(), answer))
//! });
//! let (stop, stopped) = tokio::sync::oneshot::channel();
//! let served = tokio::spawn(front.serve(make, async { stopped.await.unwrap() }));
//!
//! let (port, answer) = client.await??;
//! assert!(answer.starts_with("HTTP/1.1 200 OK"));
//! assert!(answer.ends_with(&format!("port {port}")));
//!
//! stop.send(()).unwrap();
//! assert_eq!(served.await??.cut_connections, 0);
//! # Ok(())
//! # }
//! ```
//!
//! # What is refused
//!
//! What is not HTTP gets 400, 414 or 431 and the end of its connection; the service sees nothing of
//! it. So does an HTTP/1 request whose end two servers may see at two places (RFC 9112, 6.3): one
//! with both `Content-Length` and `Transfer-Encoding`, with different lengths or a list of them, or
//! with any transfer coding but one `chunked`. hyper alone would pass some of those on, so a guard
//! goes over what is read before hyper sees it.
//!
//! Accepted are a bare LF at the end of a head's line (RFC 9112, 2.2), though not in a chunked body,
//! and a `Content-Length` that is repeated with the same value: neither gets past this server, which
//! reads the one way and leaves its service to write its own. A missing or repeated `Host` is for the
//! proxy to refuse, and how long a request's body may take is for it to say.
//!
//! # How it is built
//!
//! `accept` → `open` (`proxy_protocol`, `tls`) → `connection` (which version?) → `io` (`guard`) →
//! `http` (hyper) → `service` (yours).

mod accept;
mod clients;
mod connection;
mod drive;
mod early;
mod guard;
mod http;
pub mod https;
mod io;
#[cfg(all(unix, feature = "in-process"))]
pub(crate) mod lend;
mod linger;
mod listen;
mod memory;
mod open;
mod options;
mod patience;
mod preface;
mod proxy_protocol;
mod pulse;
mod server;
mod service;
mod socket;
mod spawn;
mod standby;
mod stream;
#[cfg(feature = "tls")]
pub mod tls;
mod worker;

#[doc(hidden)]
pub use self::guard::guard_bytes;
pub use self::{
    listen::{Endpoint, Listen},
    options::Front,
    server::{Bound, Drained},
    standby::Standby,
};

/// A connection's bytes, in the pieces that the first two say, by the guard and by hyper.
#[cfg(fuzzing)]
pub fn fuzz(data: &[u8]) {
    let [first, second, bytes @ ..] = data else {
        return;
    };
    let at = |cut: &u8| usize::from(*cut) % (bytes.len() + 1);
    let (first, second) = (at(first).min(at(second)), at(first).max(at(second)));
    let (rest, last) = bytes.split_at(second);
    let (begin, middle) = rest.split_at(first);
    guard::beside_hyper::compare([begin, middle, last].map(<[u8]>::to_vec).to_vec());
}
