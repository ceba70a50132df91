//! One client's connection, from its first byte to its end.

use std::{
    future::{Future, poll_fn},
    io,
    pin::{Pin, pin},
    sync::Arc,
    task::Poll,
    time::Duration,
};

use http::{Request, Response};
use http_body::Body;
use hyper::{
    body::Incoming,
    server::conn::http1::{Parts, UpgradeableConnection},
    service::HttpService,
};
use hyper_util::rt::TokioIo;
use tokio::{io::AsyncWrite, time};
use tower_service::Service;
use tracing::debug;

use super::{
    clients::Place,
    drive::{Driven, drive, rest},
    guard::Guard,
    http::Protocols,
    io::Io,
    linger::linger,
    listen::Endpoint,
    open::{self, Opened},
    preface::{self, Sniffed, Version},
    proxy_protocol,
    pulse::{Order, Phase, Pulse},
    service::Adapter,
    socket::{Peer, Socket},
    stream::Stream,
};
use crate::{Connection, error::BoxError};

/// How long a connection that was just accepted may take for its first byte once the front stops.
/// Its request may be here already; only nobody has looked yet.
const FIRST_BYTE_AT_SHUTDOWN: Duration = Duration::from_millis(100);

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
    let Opened {
        mut stream,
        facts,
        agreed,
    } = match Box::pin(open::open(socket, peer, &endpoint, &pulse)).await {
        Ok(Some(opened)) => opened,
        Ok(None) => return,
        Err(error) => return debug!(client.addr = %peer, %error, "Connection failed"),
    };
    let peer = Peer(facts.peer());
    let (version, sniffed) = match sniff(&mut stream, &pulse).await {
        Ok(Some((version, sniffed))) => (agreed.unwrap_or(version), sniffed),
        Ok(None) => return,
        Err(error) => return debug!(client.addr = %peer, %error, "Connection failed"),
    };
    if endpoint.proxies.is_some() && proxy_protocol::is_header(sniffed.read()) {
        return debug!(client.addr = %peer, "PROXY header of somebody who is not trusted");
    }
    // In boxes, here and below: what moves from one state of a future to another takes room in both, for all the time.
    let facts = match version {
        Version::Http1 => facts.with_door(pulse.clone()),
        Version::Http2 => facts,
    };
    let service = Box::new(Adapter::new(make(facts), peer, pulse.clone()));
    let io = Box::new(Io::new(stream, sniffed, place, guard(version)));
    let io = TokioIo::new(io);
    let ended = match version {
        Version::Http1 => http1(&protocols, io, service, peer, &pulse).await,
        Version::Http2 => Box::pin(http2(&protocols, io, service, &pulse)).await,
    };
    if let Err(error) = ended {
        debug!(client.addr = %peer, error = &error as &dyn std::error::Error, "Connection failed");
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
    mut io: TokioIo<Box<Io>>,
    mut service: Box<Adapter<S>>,
    peer: Peer,
    pulse: &Pulse,
) -> hyper::Result<()>
where
    S: Service<Request<Incoming>, Response = Response<B>> + Clone + Send + 'static,
    S::Error: Into<BoxError>,
    B: Body + Send + 'static,
    B::Error: Into<BoxError>,
{
    let builder = if !protocols.half_close && io.inner_mut().look_out() {
        &protocols.http1_unwatched
    } else {
        &protocols.http1
    };
    let (ended, mut io) = loop {
        // Boxed, so that it can be given back.
        let mut connection = Box::new(builder.serve_connection(io, service).with_upgrades());
        let ended = drive(Pin::new(&mut *connection), pulse, |c| c.graceful_shutdown()).await;
        let Some(parts) = taken_apart(connection) else {
            pulse.set_tunnel();
            return Ok(());
        };
        match ended {
            // It has read nothing that it did not hand on, or else it would not rest.
            Driven::Rests if parts.read_buf.is_empty() => {
                (io, service) = (parts.io, parts.service);
                // Empty, but the buffer is still there.
                drop(parts.read_buf);
                rest(io.inner_mut(), pulse).await;
            }
            Driven::Rests | Driven::Cut => break (None, parts.io.into_inner()),
            Driven::Ended(ended) => break (Some(ended), parts.io.into_inner()),
        }
    };
    if let Some(refusal) = io.refusal() {
        debug!(client.addr = %peer, reason = %refusal, "Request refused");
    }
    match &ended {
        Some(Ok(())) => Box::pin(linger(io.stream(), false)).await,
        Some(Err(error)) if error.is_parse() => Box::pin(linger(io.stream(), true)).await,
        Some(Err(_)) => {}
        None => say_timeout(io.stream(), pulse).await,
    }
    ended.unwrap_or(Ok(()))
}

/// What hyper had of a connection, unless that became a tunnel.
///
/// A function, because it frees the box, which lies between hyper's two buffers: freed only after them, where what was
/// taken out of it is not used any more, it would keep the allocator from giving the pages around it back.
#[expect(clippy::boxed_local, reason = "what it is for")]
fn taken_apart<I, S>(connection: Box<UpgradeableConnection<I, S>>) -> Option<Parts<I, S>>
where
    S: HttpService<Incoming>,
    S::Error: Into<BoxError>,
    S::ResBody: Body + 'static,
    <S::ResBody as Body>::Error: Into<BoxError>,
    I: hyper::rt::Read + hyper::rt::Write + Unpin,
{
    connection.into_parts()
}

async fn http2<S, B>(
    protocols: &Protocols,
    io: TokioIo<Box<Io>>,
    service: Box<Adapter<S>>,
    pulse: &Arc<Pulse>,
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
    let mut connection = pin!(protocols.http2(pulse).serve_connection(io, service));
    match drive(connection.as_mut(), pulse, |c| c.graceful_shutdown()).await {
        Driven::Ended(ended) => ended,
        Driven::Cut | Driven::Rests => Ok(()),
    }
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

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use bytes::Bytes;
    use http_body_util::{BodyExt as _, Full};
    use tokio::{
        io::{AsyncReadExt as _, AsyncWriteExt as _},
        net::{TcpListener, TcpStream},
        sync::Semaphore,
        task::{JoinHandle, yield_now},
        time::Instant,
    };
    use tower::service_fn;

    use super::*;
    use crate::front::{Front, clients::Clients};

    const GET: &[u8] = b"GET /a HTTP/1.1\r\nhost: a\r\n\r\n";

    /// A connection with its client, and the sweep of its thread, done by hand.
    struct Open {
        clients: Clients,
        front: Front,
        pulse: Arc<Pulse>,
        client: TcpStream,
        served: JoinHandle<()>,
    }

    impl Open {
        async fn new() -> Self {
            let front = Front::new();
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            let client = TcpStream::connect(listener.local_addr().unwrap());
            let (client, accepted) = tokio::join!(client, listener.accept());
            let (socket, peer) = accepted.unwrap();
            let clients = Clients::new();
            let permit = Arc::new(Semaphore::new(1)).try_acquire_owned().unwrap();
            let place = clients.enter(permit);
            let pulse = place.pulse().clone();
            let accepted = Accepted {
                socket: Socket::Tcp(socket),
                peer: Peer(Some(peer)),
                endpoint: Arc::default(),
                place,
            };
            let protocols = Arc::new(Protocols::new(&front.limits));
            let served = serve(accepted, protocols, |_| {
                service_fn(async |request: Request<Incoming>| {
                    let path = Bytes::copy_from_slice(request.uri().path().as_bytes());
                    // Answers before it has read, and goes on to read.
                    tokio::spawn(request.into_body().collect());
                    for _ in 0..5 {
                        yield_now().await;
                    }
                    Ok::<_, Infallible>(Response::new(Full::new(path)))
                })
            });
            let size = size_of_val(&served);
            assert!(size <= 1024, "{size} bytes for each connection");
            let served = tokio::spawn(served);
            Self {
                clients,
                front,
                pulse,
                client: client.unwrap(),
                served,
            }
        }

        async fn send(&mut self, bytes: &[u8]) {
            self.client.write_all(bytes).await.unwrap();
        }

        /// Reads an answer, which is to be of this path.
        async fn answer(&mut self, path: &str) {
            let mut answer = String::new();
            while !answer.ends_with(&format!("\r\n\r\n{path}")) {
                let mut bytes = [0; 1024];
                let read = self.client.read(&mut bytes).await.unwrap();
                assert_ne!(read, 0, "after {answer:?}");
                answer.push_str(std::str::from_utf8(&bytes[..read]).unwrap());
            }
            assert!(answer.starts_with("HTTP/1.1 200 OK"), "{answer:?}");
        }

        /// Has a sweep see the connection now, and one in a while.
        fn sweep(&self) -> usize {
            let now = Instant::now();
            self.clients.sweep(now, &self.front.limits);
            let later = now + Duration::from_secs(1);
            self.clients.sweep(later, &self.front.limits).rested
        }

        async fn rests(&self) {
            while !self.pulse.could_rest() {
                yield_now().await;
            }
            assert_eq!(self.sweep(), 1);
            while self.pulse.could_rest() {
                yield_now().await;
            }
            assert!(matches!(self.pulse.phase(), Phase::Idle(_)));
            assert_eq!(self.sweep(), 0, "once is enough");
        }
    }

    #[tokio::test]
    async fn what_is_idle_rests_and_is_served_again() {
        let mut open = Open::new().await;
        for _ in 0..3 {
            open.send(GET).await;
            open.answer("/a").await;
            open.rests().await;
        }
        // However its next request comes.
        for byte in GET {
            open.send(&[*byte]).await;
            yield_now().await;
        }
        open.answer("/a").await;
        open.rests().await;
        open.send(&[b"GET /b HTTP/1.1\r\nhost: a\r\n\r\n", GET].concat())
            .await;
        open.answer("/a").await;
        open.rests().await;
        drop(open.client);
        open.served.await.unwrap();
    }

    #[tokio::test]
    async fn what_rests_hears_an_order() {
        for order in [Order::Finish, Order::End] {
            let mut open = Open::new().await;
            open.send(GET).await;
            open.answer("/a").await;
            open.rests().await;
            open.pulse.tell(order);
            open.served.await.unwrap();
            assert_eq!(open.client.read(&mut [0]).await.unwrap(), 0);
        }
    }

    #[tokio::test]
    async fn what_is_in_the_middle_of_something_does_not_rest() {
        let posted = "POST /p HTTP/1.1\r\nhost: a\r\n";
        for (part, last) in [
            ("GET / HT".to_owned(), "/a"),
            (format!("{posted}content-length: 2\r\n\r\na"), "/p"),
            (
                format!("{posted}transfer-encoding: chunked\r\n\r\n1\r\na\r\n"),
                "/p",
            ),
        ] {
            let mut open = Open::new().await;
            // In one piece with what is answered, so that nothing is heard after it.
            open.send(&[GET, part.as_bytes()].concat()).await;
            open.answer(last).await;
            for _ in 0..100 {
                yield_now().await;
            }
            assert!(!open.pulse.could_rest(), "{part:?}");
            assert_eq!(open.sweep(), 0, "{part:?}");
        }
    }
}
