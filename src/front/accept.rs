//! Takes connections from one listening socket, as fast as the limits allow.

use std::{
    io,
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    time::Duration,
};

use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore, watch},
    time::{self, Instant},
};
use tracing::{debug, warn};

use super::{
    clients::Clients,
    connection::Accepted,
    listen::Endpoint,
    socket::{Listener, Listening, Peer, Socket},
    standby::Turn,
};
use crate::occasionally::Occasionally;

/// How long to wait after an error of the whole process, such as no free file descriptor.
const FIRST_PAUSE: Duration = Duration::from_millis(10);
const LONGEST_PAUSE: Duration = Duration::from_secs(1);

/// How long until the next idle connection is looked for, while there is no room.
const LOOK_AGAIN: Duration = Duration::from_millis(20);

/// How many connections are still taken from the kernel's queue when the front stops.
const LAST_CALL: usize = 4096;

/// When everything has to have ended, once the front stops.
pub(super) type Stop = watch::Receiver<Option<Instant>>;

/// Starts to serve a connection.
pub(super) type Begin = Arc<dyn Fn(Accepted) + Send + Sync>;

/// Room for connections, over all threads.
pub(super) struct Room {
    permits: Arc<Semaphore>,
    /// How many wait for room, so that the other threads close idle connections too.
    waiting: AtomicUsize,
}

/// Counts as waiting until it is dropped.
struct Waiting<'a>(&'a AtomicUsize);

impl Room {
    pub(super) fn new(connections: usize) -> Self {
        Self {
            permits: Arc::new(Semaphore::new(connections.min(Semaphore::MAX_PERMITS))),
            waiting: AtomicUsize::new(0),
        }
    }

    pub(super) fn is_wanted(&self) -> bool {
        self.waiting.load(Relaxed) > 0
    }

    fn try_take(&self) -> Option<OwnedSemaphorePermit> {
        self.permits.clone().try_acquire_owned().ok()
    }

    async fn take(&self) -> Option<OwnedSemaphorePermit> {
        self.waiting.fetch_add(1, Relaxed);
        let _waiting = Waiting(&self.waiting);
        self.permits.clone().acquire_owned().await.ok()
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Relaxed);
    }
}

/// Accepts on one socket, for one thread.
pub(super) struct Acceptor {
    pub(super) endpoint: Arc<Endpoint>,
    pub(super) clients: Clients,
    pub(super) room: Arc<Room>,
    pub(super) begin: Begin,
    pub(super) stop: Stop,
    pub(super) turn: Turn,
    /// Somebody else has the socket too, and goes on with it.
    pub(super) adopted: bool,
}

/// Why nobody is accepted.
#[derive(Debug, PartialEq, Eq)]
enum Pause {
    /// The front stops.
    Stop,
    /// Somebody else accepts.
    Standby,
}

impl Acceptor {
    /// Accepts until the front stops, whenever it is its turn.
    pub(super) async fn run(mut self, mut listener: Listener) {
        while self.accept(&listener).await == Pause::Standby {
            self.clients.retire();
            // The runtime would be woken for each connection that somebody else takes.
            let Ok(listening) = listener.into_listening() else {
                return;
            };
            match self.stand_by(listening).await {
                Ok(back) => listener = back,
                Err(error) => return warn!(%error, "Front does not accept any more"),
            }
        }
        if self.adopted {
            return;
        }
        if let Ok(listener) = listener.into_listening() {
            self.last_call(&listener);
        }
    }

    /// Waits for its turn, or for the end. An error, such as no free file descriptor, may pass.
    async fn stand_by(&mut self, listening: Listening) -> io::Result<Listener> {
        let mut pause = FIRST_PAUSE;
        tokio::select! {
            biased;
            () = stopped(&mut self.stop) => {}
            () = self.turn.until(true) => {}
        }
        while pause < LONGEST_PAUSE {
            match Listener::adopt(listening.try_clone()?) {
                Ok(listener) => return Ok(listener),
                Err(_) => time::sleep(pause).await,
            }
            pause *= 2;
        }
        Listener::adopt(listening)
    }

    /// Accepts until the front stops or somebody else is to accept.
    async fn accept(&mut self, listener: &Listener) -> Pause {
        let mut pause = FIRST_PAUSE;
        let refused = Occasionally::default();
        loop {
            let accepted = tokio::select! {
                biased;
                () = stopped(&mut self.stop) => return Pause::Stop,
                () = self.turn.until(false) => return Pause::Standby,
                accepted = listener.accept() => accepted,
            };
            match accepted {
                Ok((socket, peer)) => {
                    pause = FIRST_PAUSE;
                    let Some(permit) = self.permit().await else {
                        return Pause::Stop;
                    };
                    self.begin(socket, peer, permit);
                }
                Err(error) if is_the_clients(&error) => debug!(%error, "Connection not accepted"),
                // A flood of clients must not become one of the log.
                Err(error) => {
                    if let Some(count) = refused.due() {
                        warn!(%error, count, "Connections can't be accepted");
                    }
                    if self.recover(pause).await.is_none() {
                        return Pause::Stop;
                    }
                    pause = (pause * 2).min(LONGEST_PAUSE);
                }
            }
        }
    }

    /// Room for one more connection, or `None` when the front stops.
    ///
    /// While it is waited for, whoever comes next waits in the kernel's queue.
    async fn permit(&mut self) -> Option<OwnedSemaphorePermit> {
        if let Some(permit) = self.room.try_take() {
            return Some(permit);
        }
        debug!("Too many connections, closing idle ones");
        let mut taking = pin!(self.room.take());
        loop {
            self.clients.close_longest_idle();
            tokio::select! {
                biased;
                () = stopped(&mut self.stop) => return None,
                permit = &mut taking => return permit,
                () = time::sleep(LOOK_AGAIN) => {}
            }
        }
    }

    /// Makes room and waits a little, or `None` when the front stops.
    async fn recover(&mut self, pause: Duration) -> Option<()> {
        self.clients.close_longest_idle();
        tokio::select! {
            biased;
            () = stopped(&mut self.stop) => None,
            () = time::sleep(pause) => Some(()),
        }
    }

    fn begin(&self, socket: Socket, peer: Peer, permit: OwnedSemaphorePermit) {
        if let Err(error) = socket.set_nodelay() {
            debug!(client.addr = %peer, %error, "Connection is gone already");
            return;
        }
        (self.begin)(Accepted {
            socket,
            peer,
            endpoint: self.endpoint.clone(),
            place: self.clients.enter(permit),
        });
    }

    /// Takes who is in the kernel's queue already: closing the socket would reset them.
    ///
    /// Asks the kernel itself, as the runtime may not have heard of them yet.
    fn last_call(&self, listener: &Listening) {
        for _ in 0..LAST_CALL {
            let Some(permit) = self.room.try_take() else {
                return;
            };
            match listener.accept() {
                Ok((socket, peer)) => self.begin(socket, peer, permit),
                Err(error) if is_the_clients(&error) => {}
                Err(_) => return,
            }
        }
    }
}

/// Waits until the front stops, or nobody is left to stop it.
async fn stopped(stop: &mut Stop) {
    let _ = stop.wait_for(Option::is_some).await;
}

/// Whether an error of `accept` is about one connection, so that the next may be fine.
fn is_the_clients(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionAborted
            | io::ErrorKind::ConnectionReset
            | io::ErrorKind::ConnectionRefused
            | io::ErrorKind::Interrupted
    )
}
