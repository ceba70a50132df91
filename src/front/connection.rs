//! One client's connection, from its first byte to its end.

use std::{
    future::{Future, poll_fn},
    io,
    pin::{Pin, pin},
    sync::Arc,
    task::{Context, Poll, ready},
    time::Duration,
};

use http::{Request, Response};
use http_body::Body;
use hyper::{body::Incoming, server::conn::http1::Parts};
use hyper_util::rt::TokioIo;
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    time,
};
use tower_service::Service;
use tracing::debug;

use super::{
    clients::Place,
    guard::Guard,
    http::Protocols,
    io::Io,
    listen::Endpoint,
    preface::{self, Sniffed, Version},
    pulse::{Order, Phase, Pulse},
    service::Adapter,
    socket::{Peer, Socket},
    stream::Stream,
};
use crate::{Connection, error::BoxError};

/// How long a connection that was just accepted may take for its first byte once the front stops.
/// Its request may be here already; only nobody has looked yet.
const FIRST_BYTE_AT_SHUTDOWN: Duration = Duration::from_millis(100);

/// How long, and for how many bytes, a client is listened to after the last word to it, so that
/// what it still sends does not reset the connection before it read that word (RFC 9112, 9.6).
const LINGER: Duration = Duration::from_secs(1);
const LINGER_BYTES: usize = 1024 * 1024;

const REQUEST_TIMEOUT: &[u8] =
    b"HTTP/1.1 408 Request Timeout\r\nconnection: close\r\ncontent-length: 0\r\n\r\n";

/// A connection that was accepted.
#[derive(Debug)]
pub(super) struct Accepted {
    pub(super) socket: Socket,
    pub(super) peer: Peer,
    pub(super) endpoint: Arc<Endpoint>,
    pub(super) place: Place,
}

/// Serves one connection with the service that `make` makes for it.
pub(super) async fn serve<M, S, B>(accepted: Accepted, protocols: Arc<Protocols>, make: M)
where
    M: FnOnce(Connection) -> S,
    S: Service<Request<Incoming>, Response = Response<B>> + Clone + Send + 'static,
    S::Error: Into<BoxError>,
    S::Future: Send + 'static,
    B: Body + Send + 'static,
    B::Data: Send,
    B::Error: Into<BoxError>,
{
    let Accepted {
        socket,
        peer,
        endpoint,
        place,
    } = accepted;
    let pulse = place.pulse().clone();
    register(&pulse).await;
    let facts = facts(&socket, peer, &endpoint);
    let mut stream = Stream::Plain(socket);
    let (version, sniffed) = match sniff(&mut stream, &pulse).await {
        Ok(Some(found)) => found,
        Ok(None) => return,
        Err(error) => return debug!(client.addr = %peer, %error, "Connection failed"),
    };
    let service = Adapter::new(make(facts), peer, pulse.clone());
    let io = TokioIo::new(Io::new(stream, sniffed, place, guard(version)));
    let ended = match version {
        Version::Http1 => http1(&protocols, io, service, peer, &pulse).await,
        Version::Http2 => http2(&protocols, io, service, &pulse).await,
    };
    if let Err(error) = ended {
        debug!(client.addr = %peer, error = &error as &dyn std::error::Error, "Connection failed");
    }
}

/// What is known of a connection before it says anything.
fn facts(socket: &Socket, peer: Peer, endpoint: &Endpoint) -> Connection {
    let connection = peer.0.map_or_else(Connection::unknown, Connection::new);
    let connection = connection.with_scheme(endpoint.scheme());
    match socket.local() {
        Some(local) => connection.with_local(local),
        None => connection,
    }
}

fn guard(version: Version) -> Guard {
    match version {
        Version::Http1 => Guard::new(),
        Version::Http2 => Guard::off(),
    }
}

async fn register(pulse: &Pulse) {
    poll_fn(|cx| {
        pulse.set_waker(cx.waker());
        Poll::Ready(())
    })
    .await;
}

/// What the client speaks, or `None` when it is not to be served any more.
async fn sniff(stream: &mut Stream, pulse: &Pulse) -> io::Result<Option<(Version, Sniffed)>> {
    let mut sniff = pin!(preface::sniff(stream));
    let first = poll_fn(|cx| match sniff.as_mut().poll(cx) {
        Poll::Ready(found) => Poll::Ready(Some(found)),
        Poll::Pending if pulse.order() < Order::Finish => Poll::Pending,
        Poll::Pending => Poll::Ready(None),
    })
    .await;
    match first {
        Some(found) => found,
        None if pulse.order() == Order::End => Ok(None),
        None => time::timeout(FIRST_BYTE_AT_SHUTDOWN, sniff)
            .await
            .unwrap_or(Ok(None)),
    }
}

async fn http1<S, B>(
    protocols: &Protocols,
    io: TokioIo<Io>,
    service: Adapter<S>,
    peer: Peer,
    pulse: &Pulse,
) -> hyper::Result<()>
where
    S: Service<Request<Incoming>, Response = Response<B>> + Clone + Send + 'static,
    S::Error: Into<BoxError>,
    B: Body + Send + 'static,
    B::Error: Into<BoxError>,
{
    let mut connection = protocols
        .http1
        .serve_connection(io, service)
        .with_upgrades();
    let ended = drive(Pin::new(&mut connection), pulse, |c| c.graceful_shutdown()).await;
    let Some(Parts { io, .. }) = connection.into_parts() else {
        pulse.set_tunnel();
        return Ok(());
    };
    let mut io = io.into_inner();
    if let Some(refusal) = io.refusal() {
        debug!(client.addr = %peer, reason = %refusal, "Request refused");
    }
    match &ended {
        Some(Ok(())) => linger(io.stream(), false).await,
        Some(Err(error)) if error.is_parse() => linger(io.stream(), true).await,
        Some(Err(_)) => {}
        None => say_timeout(io.stream(), pulse).await,
    }
    ended.unwrap_or(Ok(()))
}

async fn http2<S, B>(
    protocols: &Protocols,
    io: TokioIo<Io>,
    service: Adapter<S>,
    pulse: &Pulse,
) -> hyper::Result<()>
where
    S: Service<Request<Incoming>, Response = Response<B>> + Clone + Send + 'static,
    S::Error: Into<BoxError>,
    S::Future: Send + 'static,
    B: Body + Send + 'static,
    B::Data: Send,
    B::Error: Into<BoxError>,
{
    pulse.set_http2();
    let mut connection = pin!(protocols.http2.serve_connection(io, service));
    let ended = drive(connection.as_mut(), pulse, |c| c.graceful_shutdown()).await;
    ended.unwrap_or(Ok(()))
}

/// Polls a connection until it ends, or returns `None` when it is to end now.
///
/// The connection comes first: what arrived before an order counts as begun.
async fn drive<C>(
    mut connection: Pin<&mut C>,
    pulse: &Pulse,
    finish: fn(Pin<&mut C>),
) -> Option<C::Output>
where
    C: Future,
{
    let mut finishing = false;
    poll_fn(|cx| {
        if let Poll::Ready(ended) = connection.as_mut().poll(cx) {
            return Poll::Ready(Some(ended));
        }
        match pulse.order() {
            // Of HTTP/1, the next answer says so.
            Order::Retire if !pulse.is_http2() => Poll::Pending,
            Order::Retire | Order::Finish if !finishing => {
                finishing = true;
                finish(connection.as_mut());
                connection.as_mut().poll(cx).map(Some)
            }
            Order::None | Order::Retire | Order::Finish => Poll::Pending,
            Order::End => Poll::Ready(None),
        }
    })
    .await
}

/// Tells a client whose head took too long (RFC 9110, 15.5.9), if it sent anything at all and
/// nothing else is on its way to it.
async fn say_timeout(stream: &mut Stream, pulse: &Pulse) {
    let head = matches!(pulse.phase(), Phase::Head(_));
    if head && pulse.heard() && pulse.flushed() {
        // Who does not take these few bytes at once does not get them.
        poll_fn(|cx| {
            let mut stream = Pin::new(&mut *stream);
            if let Poll::Ready(Ok(_)) = stream.as_mut().poll_write(cx, REQUEST_TIMEOUT) {
                let _ = stream.poll_shutdown(cx);
            }
            Poll::Ready(())
        })
        .await;
    }
}

/// Reads off what the client still sends. Without `expected` only if something is there.
async fn linger(stream: &mut Stream, expected: bool) {
    let first = poll_fn(|cx| Poll::Ready(poll_discard(stream, cx))).await;
    match first {
        Poll::Ready(Ok(0) | Err(_)) => return,
        Poll::Pending if !expected => return,
        Poll::Ready(Ok(_)) | Poll::Pending => {}
    }
    let _ = time::timeout(LINGER, async {
        let mut discarded = 0;
        while discarded < LINGER_BYTES {
            match poll_fn(|cx| poll_discard(stream, cx)).await {
                Ok(0) | Err(_) => return,
                Ok(read) => discarded += read,
            }
        }
    })
    .await;
}

/// Not part of a future, so that the buffer is not part of every connection.
fn poll_discard(stream: &mut Stream, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
    let mut scratch = [0; 4096];
    let mut buf = ReadBuf::new(&mut scratch);
    ready!(Pin::new(stream).poll_read(cx, &mut buf))?;
    Poll::Ready(Ok(buf.filled().len()))
}
