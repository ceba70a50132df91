//! A connection to an app: dial, send, recycle. Everything that knows how HTTP/1.1 is spoken upstream stands here.
//!
//! A connection is driven by a task of its own, on the runtime that dialled it, so that an upload goes on while nobody
//! reads the answer. Dropping a connection ends that task and so closes the socket at once, whatever is under way.

use std::{
    error::Error as StdError, fmt, future::poll_fn, io, pin::pin, task::Poll, time::Duration,
};

use http::{Request, Response};
use hyper::{
    body::Incoming,
    client::conn::http1::{self, SendRequest},
};
use hyper_util::rt::TokioIo;
use tokio::{
    task::{AbortHandle, spawn_blocking},
    time::{Instant, timeout},
};
use tracing::debug;

use super::{
    backend::Backend,
    io::Io,
    stall::Stall,
    upload::{RequestBody, Upload},
};
use crate::error::{BoxError, Error};

/// A connection to an app, with at most one request on it.
pub(super) struct Upstream {
    sender: SendRequest<RequestBody>,
    task: Task,
    stall: Option<Stall>,
    /// When its last request was sent, or else when it was dialled.
    used: Instant,
    reused: bool,
}

/// Why a request got no answer.
#[derive(Debug)]
pub(super) enum Failure {
    /// Not a byte of it was sent: here it is again.
    Unsent(Box<Request<RequestBody>>, BoxError),
    /// The app closed before it answered.
    Closed(BoxError),
    /// What the app sent is not HTTP.
    Broken(BoxError),
    /// The app took too long.
    Stalled,
}

impl Upstream {
    /// A connection of `backend` that has carried a request before and can carry another.
    ///
    /// One that the app has closed meanwhile is noticed here, without a system call, if the runtime has heard of it;
    /// else by [`send`](Self::send), which then gives the request back.
    pub(super) async fn reuse(backend: &Backend) -> Option<Self> {
        let now = Instant::now();
        while let Some(mut upstream) = backend.pool().take(now) {
            (upstream.used, upstream.reused) = (now, true);
            if upstream.sender.is_ready() || upstream.sender.ready().await.is_ok() {
                return Some(upstream);
            }
        }
        None
    }

    /// A new connection, whose listener is known to be the app's own.
    pub(super) async fn dial(
        backend: &Backend,
        limit: Duration,
        upgrades: bool,
    ) -> Result<Self, Error> {
        let connect = Io::connect(backend.address());
        let io = match timeout(limit, connect).await {
            Ok(connected) => connected.map_err(Error::connect)?,
            Err(_) => return Err(Error::timeout("take a connection")),
        };
        if !is_owned(backend).await {
            return Err(Error::not_owner());
        }
        let (sender, connection) = http1::handshake(TokioIo::new(io))
            .await
            .map_err(Error::connect)?;
        // Outside of any request's span: it outlives the request.
        let task = if upgrades {
            let connection = connection.with_upgrades();
            tokio::spawn(async move { log_end(connection.await) })
        } else {
            tokio::spawn(async move { log_end(connection.await) })
        };
        Ok(Self {
            sender,
            task: Task(Some(task.abort_handle())),
            stall: None,
            used: Instant::now(),
            reused: false,
        })
    }

    /// Whether it has carried a request before, so that the app may have been about to close it.
    pub(super) const fn is_reused(&self) -> bool {
        self.reused
    }

    /// When its last request was sent, or else when it was dialled.
    pub(super) const fn used(&self) -> Instant {
        self.used
    }

    /// Sends `request` and waits for the head of the answer, for `limit` from when the app last took a part of it.
    ///
    /// Cancel safe in that dropping it and the connection breaks the exchange off.
    pub(super) async fn send(
        &mut self,
        request: Request<RequestBody>,
        upload: Option<&Upload>,
        limit: Option<Duration>,
    ) -> Result<Response<Incoming>, Failure> {
        let sent = Some(self.used);
        let since = || upload.map_or(sent, |upload| upload.since());
        let mut answer = pin!(self.sender.try_send_request(request));
        let mut stall = limit.map(|limit| Self::stall(&mut self.stall, limit));
        poll_fn(|cx| {
            if let Poll::Ready(answer) = answer.as_mut().poll(cx) {
                return Poll::Ready(answer.map_err(Failure::of));
            }
            match &mut stall {
                Some(stall) => stall.poll(cx, since).map(|()| Err(Failure::Stalled)),
                None => Poll::Pending,
            }
        })
        .await
    }

    /// Ready when the app has sent nothing for `limit` after `since`.
    pub(super) fn poll_stalled(
        &mut self,
        cx: &mut std::task::Context<'_>,
        limit: Duration,
        since: Instant,
    ) -> Poll<()> {
        Self::stall(&mut self.stall, limit).poll(cx, || Some(since))
    }

    /// Keeps it for the next request. Only for one that was sent whole and whose answer was read whole.
    pub(super) fn recycle(self, backend: &Backend) {
        if !self.sender.is_closed() {
            backend.pool().put(self);
        }
    }

    /// Lets the connection outlive this handle: it became a tunnel.
    pub(super) fn detach(mut self) {
        self.task.0 = None;
    }

    fn stall(slot: &mut Option<Stall>, limit: Duration) -> &mut Stall {
        if slot.as_ref().is_some_and(|stall| stall.limit() != limit) {
            *slot = None;
        }
        slot.get_or_insert_with(|| Stall::new(limit))
    }
}

impl fmt::Debug for Upstream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Upstream")
            .field("reused", &self.reused)
            .finish_non_exhaustive()
    }
}

impl Failure {
    fn of(mut failed: hyper::client::conn::TrySendError<Request<RequestBody>>) -> Self {
        let unsent = failed.take_message();
        let error = failed.into_error();
        match unsent {
            Some(request) => Self::Unsent(Box::new(request), error.into()),
            None if is_closed(&error) => Self::Closed(error.into()),
            None => Self::Broken(error.into()),
        }
    }
}

/// Whether `error` says that the app went away, and not that it sent something wrong.
fn is_closed(error: &hyper::Error) -> bool {
    let gone = |kind| {
        matches!(
            kind,
            io::ErrorKind::BrokenPipe
                | io::ErrorKind::ConnectionReset
                | io::ErrorKind::ConnectionAborted
                | io::ErrorKind::UnexpectedEof
        )
    };
    let source = error.source().and_then(|source| source.downcast_ref());
    error.is_incomplete_message()
        || error.is_canceled()
        || source.is_some_and(|source: &io::Error| gone(source.kind()))
}

/// Asks whose the listener is, where it is not to be known otherwise.
async fn is_owned(backend: &Backend) -> bool {
    if !backend.has_owner() {
        return true;
    }
    // The answer comes out of the operating system's tables, which may be long.
    let backend = backend.clone();
    let asked = spawn_blocking(move || backend.owns_listener());
    asked.await.unwrap_or(false)
}

fn log_end(end: Result<(), hyper::Error>) {
    if let Err(error) = end {
        debug!(%error, "Connection to the app ended");
    }
}

/// Ends the task that drives a connection, and so the connection, when it is dropped.
struct Task(Option<AbortHandle>);

impl Drop for Task {
    fn drop(&mut self) {
        if let Some(task) = &self.0 {
            task.abort();
        }
    }
}
