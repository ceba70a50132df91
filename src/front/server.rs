//! The front as a whole: starts its threads, waits for the end, sees that they end.

use std::{
    fmt,
    future::{Future, poll_fn},
    io,
    net::SocketAddr,
    pin::Pin,
    sync::Arc,
    task::Poll,
    thread::{self, JoinHandle},
};

use http::{Request, Response};
use http_body::Body;
use hyper::body::Incoming;
use tokio::{
    sync::{
        oneshot::{self, error::RecvError},
        watch,
    },
    time::Instant,
};
use tower_service::Service;
use tracing::info;

use super::{
    Front,
    accept::{Begin, Room},
    connection,
    http::Protocols,
    listen::{Endpoint, Sockets},
    socket::Listening,
    standby::Standby,
    worker::Worker,
};
use crate::{Connection, Scheme, error::BoxError};

/// A front that listens: the kernel takes connections already, and [`serve`](Self::serve) will
/// answer them.
#[must_use = "a front answers nobody until it is served"]
pub struct Bound {
    front: Front,
    addresses: Vec<SocketAddr>,
    endpoints: Vec<Endpoint>,
    /// For each thread, its listeners.
    shares: Vec<Share>,
    /// The Unix sockets that were made here.
    #[cfg(unix)]
    names: Vec<crate::files::SocketName>,
}

/// What one thread listens on.
type Share = Vec<(Listening, Arc<Endpoint>)>;

/// How a front ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Drained {
    /// The connections that were cut because they did not end in time.
    pub cut_connections: usize,
    /// The tunnels, WebSockets for example, that were cut because they did not end in time.
    pub cut_tunnels: usize,
}

/// A thread, and how it will have ended.
struct Running {
    thread: JoinHandle<()>,
    ended: oneshot::Receiver<io::Result<Drained>>,
    /// What `ended` said, if it was asked already.
    result: Option<Result<io::Result<Drained>, RecvError>>,
}

impl Bound {
    pub(super) fn new(front: Front, sockets: Vec<Sockets>) -> io::Result<Self> {
        if sockets.is_empty() {
            return Err(io::Error::new(
                io::ErrorKind::InvalidInput,
                "a front needs an address to listen on",
            ));
        }
        let mut bound = Self {
            shares: (0..front.threads.get()).map(|_| Share::new()).collect(),
            front,
            addresses: Vec::new(),
            endpoints: Vec::new(),
            #[cfg(unix)]
            names: Vec::new(),
        };
        for sockets in sockets {
            bound.add(sockets);
        }
        Ok(bound)
    }

    fn add(&mut self, sockets: Sockets) {
        let endpoint = Arc::new(sockets.endpoint.clone());
        for (share, listening) in self.shares.iter_mut().zip(sockets.listeners) {
            share.push((listening, endpoint.clone()));
        }
        self.addresses.extend(sockets.endpoint.tcp());
        self.endpoints.push(sockets.endpoint);
        #[cfg(unix)]
        self.names.extend(sockets.name);
    }

    /// The TCP addresses that are listened on, with the ports that the system chose.
    #[must_use]
    pub fn local_addresses(&self) -> &[SocketAddr] {
        &self.addresses
    }

    /// All that is listened on, in the order in which it was asked for.
    #[must_use]
    pub fn endpoints(&self) -> &[Endpoint] {
        &self.endpoints
    }

    /// The port of all that speaks TLS, if that is one: what `ASPNETCORE_ANCM_HTTPS_PORT` tells an app.
    ///
    /// ANCM: of a site's `https` bindings; none where they have two different ports.
    #[must_use]
    pub fn https_port(&self) -> Option<u16> {
        one_port(&self.endpoints)
    }

    /// Says whether it accepts, as [`Front::standby`] has it.
    #[must_use]
    pub fn standby(&self) -> &Standby {
        &self.front.standby
    }

    /// The sockets of each thread, once more.
    #[cfg(unix)]
    pub(super) fn duplicates(&self) -> io::Result<Vec<Vec<std::os::fd::OwnedFd>>> {
        if !self.endpoints.iter().all(Endpoint::is_plain) {
            return Err(io::Error::new(
                io::ErrorKind::Unsupported,
                "what comes there begins with TLS or a PROXY header, or has no address",
            ));
        }
        let of_share = |share: &Share| {
            let listenings = share.iter().map(|(listening, _)| listening.try_clone());
            listenings
                .map(|listening| Ok(listening?.into_descriptor()))
                .collect()
        };
        self.shares.iter().map(of_share).collect()
    }

    /// Serves until `shutdown` completes, then stops to accept and lets everything end.
    ///
    /// `make` makes the service of a connection, once for each, on the thread that serves it.
    ///
    /// After `shutdown`, a request that was begun is answered, an idle connection is closed, and
    /// HTTP/2 clients are told to go away. Returns once the last connection and the last tunnel
    /// have ended, or the [drain timeout](Front::drain_timeout) has passed; what is left then is
    /// cut. With it end all tasks that the services spawned on their thread's runtime.
    ///
    /// # Errors
    ///
    /// When a thread or its runtime can't be started, or one of them ends unasked; the other
    /// threads drain first.
    ///
    /// # Cancel safety
    ///
    /// Dropped before its end, it cuts every connection, and its threads end by themselves.
    pub async fn serve<M, S, B, F>(self, make: M, shutdown: F) -> io::Result<Drained>
    where
        M: Fn(Connection) -> S + Clone + Send + Sync + 'static,
        S: Service<Request<Incoming>, Response = Response<B>> + Clone + Send + 'static,
        S::Error: Into<BoxError>,
        S::Future: Send + 'static,
        B: Body + Send + 'static,
        B::Data: Send,
        B::Error: Into<BoxError>,
        F: Future<Output = ()>,
    {
        let protocols = Arc::new(Protocols::new(&self.front.limits));
        self.run(
            Arc::new(move |accepted| {
                let connection = connection::serve(accepted, protocols.clone(), make.clone());
                tokio::spawn(connection);
            }),
            shutdown,
        )
        .await
    }

    async fn run(
        mut self,
        begin: Begin,
        shutdown: impl Future<Output = ()>,
    ) -> io::Result<Drained> {
        let drain_timeout = self.front.limits.drain_timeout;
        let (stop, stopped) = watch::channel(None);
        let mut threads = self.start(&begin, &stopped)?;
        let endpoints: Vec<_> = self.endpoints.iter().map(Endpoint::to_string).collect();
        info!(?endpoints, "Front started");
        tokio::select! {
            biased;
            () = shutdown => {}
            () = one_ended(&mut threads) => {}
        }
        let _ = stop.send(Some(Instant::now() + drain_timeout));
        // Nobody is to come any more by names that lead to closed doors.
        #[cfg(unix)]
        self.names.clear();
        let mut drained = Ok(Drained::default());
        for running in threads {
            drained = add(drained, running.end().await);
        }
        info!("Front stopped");
        drained
    }

    fn start(
        &mut self,
        begin: &Begin,
        stopped: &watch::Receiver<Option<Instant>>,
    ) -> io::Result<Vec<Running>> {
        let room = Arc::new(Room::new(self.front.limits.max_connections));
        let limits = Arc::new(self.front.limits.clone());
        let (standby, adopted) = (self.front.standby.clone(), self.front.adopted);
        #[cfg(all(unix, feature = "in-process"))]
        let lends = self.front.lends;
        std::mem::take(&mut self.shares)
            .into_iter()
            .enumerate()
            .map(|(number, listeners)| {
                Running::start(
                    number,
                    Worker {
                        listeners,
                        limits: limits.clone(),
                        room: room.clone(),
                        begin: begin.clone(),
                        stop: stopped.clone(),
                        standby: standby.clone(),
                        adopted,
                        #[cfg(all(unix, feature = "in-process"))]
                        lends,
                    },
                )
            })
            .collect()
    }
}

impl Running {
    fn start(number: usize, worker: Worker) -> io::Result<Self> {
        let (ending, ended) = oneshot::channel();
        let thread = thread::Builder::new()
            .name(format!("ancm-front-{number}"))
            .spawn(move || {
                let _ = ending.send(worker.run());
            })?;
        Ok(Self {
            thread,
            ended,
            result: None,
        })
    }

    async fn end(self) -> io::Result<Drained> {
        let ended = match self.result {
            Some(ended) => ended,
            None => self.ended.await,
        };
        // It has nothing left to do but to end.
        let joined = self.thread.join();
        match (ended, joined) {
            (Ok(drained), Ok(())) => drained,
            _ => Err(io::Error::other("a thread of the front panicked")),
        }
    }
}

/// Waits for a thread to end, which none does unasked unless it failed.
async fn one_ended(threads: &mut [Running]) {
    poll_fn(|cx| {
        for running in threads
            .iter_mut()
            .filter(|running| running.result.is_none())
        {
            if let Poll::Ready(ended) = Pin::new(&mut running.ended).poll(cx) {
                running.result = Some(ended);
                return Poll::Ready(());
            }
        }
        Poll::Pending
    })
    .await;
}

fn one_port(endpoints: &[Endpoint]) -> Option<u16> {
    let mut ports = endpoints
        .iter()
        .filter(|endpoint| endpoint.scheme() == Scheme::Https)
        .filter_map(Endpoint::tcp)
        .map(|address| address.port());
    let first = ports.next()?;
    ports.all(|port| port == first).then_some(first)
}

fn add(sum: io::Result<Drained>, one: io::Result<Drained>) -> io::Result<Drained> {
    let (sum, one) = (sum?, one?);
    Ok(Drained {
        cut_connections: sum.cut_connections + one.cut_connections,
        cut_tunnels: sum.cut_tunnels + one.cut_tunnels,
    })
}

impl fmt::Debug for Bound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Bound")
            .field("front", &self.front)
            .field("endpoints", &self.endpoints)
            .finish_non_exhaustive()
    }
}
