//! Sends a request on whatever connection there is, and again where that is safe.

use bytes::Bytes;
use http::{Request, Response};
use tokio::time::Instant;
use tracing::debug;

use super::{
    backend::Backend,
    dial::is_shortage,
    gate::Opener,
    hints::Hints,
    io::Io,
    lease::Lease,
    limit,
    options::ProxyOptions,
    progress::Upload,
    seats::{Seat, Turn},
    upload::RequestBody,
    user::User,
    wire::{Asked, Failure, Listener, Wire},
};
use crate::{
    error::{BoxError, Error},
    headers::MS_ASPNETCORE_TOKEN,
};

/// How often a request may move to another process: one that dies as soon as it listens must not keep it for ever.
const MOVES: u8 = 3;

/// A request on its way to a process: which one, and how often it may still move.
#[derive(Debug)]
pub(super) struct Errand {
    pub(super) lease: Lease,
    pub(super) request: Request<RequestBody>,
    /// What the app is told in further lines of its head, whichever process gets it.
    told: Bytes,
    /// How its body is getting on, where it has one.
    pub(super) upload: Option<Upload>,
    /// Lets the body go that waits for the app's `100 Continue`.
    pub(super) opener: Option<Opener>,
    moves: u8,
    /// The process that may have taken it, and closed the connection instead of an answer.
    taken_by: Option<Backend>,
    user: User,
    pub(super) hints: Hints,
}

impl Errand {
    pub(super) const fn new(
        lease: Lease,
        request: Request<RequestBody>,
        told: Bytes,
        upload: Option<Upload>,
        opener: Option<Opener>,
        user: User,
        hints: Hints,
    ) -> Self {
        Self {
            lease,
            request,
            told,
            upload,
            opener,
            moves: MOVES,
            taken_by: None,
            user,
            hints,
        }
    }

    /// A new connection to the process, or to another one where it takes none, and its seat.
    pub(super) async fn dial(&mut self, options: &ProxyOptions) -> Result<(Io, Seat), Error> {
        let adopt = |wire: Box<Wire>| Err(wire.into_seat());
        self.connect(options, adopt, |io, seat| (io, seat)).await
    }

    /// What `adopt` makes of a connection that carries nothing any more, or `make` of a new one; in its turn, where all that
    /// there may be are in use. Of another process, where this one takes none.
    async fn connect<T>(
        &mut self,
        options: &ProxyOptions,
        adopt: impl Fn(Box<Wire>) -> Result<T, Seat>,
        make: impl Fn(Io, Seat) -> T,
    ) -> Result<T, Error> {
        let begun = Instant::now();
        let mut had_turn = false;
        loop {
            let backend = self.lease.backend().clone();
            let limits = options.connections().after(begun.elapsed());
            let seat = match backend.pool().turn(limits, had_turn).await? {
                Turn::Wire(wire) if self.taken_by.is_some() => wire.into_seat(),
                Turn::Wire(wire) => match adopt(wire) {
                    Ok(adopted) => return Ok(adopted),
                    Err(seat) => seat,
                },
                Turn::Seat(seat) => seat,
                Turn::Failed(why) => {
                    self.unconnected(why.error(), options).await?;
                    had_turn = false;
                    continue;
                }
            };
            let error = match seat.dial(&backend, options.said.connect_timeout).await {
                Ok((io, seat)) => return Ok(make(io, seat)),
                Err(error) => error,
            };
            // Another process is no easier to reach where no more files may be open.
            had_turn = is_shortage(&error);
            if !had_turn {
                self.unconnected(error, options).await?;
            } else if limits.is_over() {
                return Err(error);
            }
        }
    }

    /// Moves on from a process to which no connection could be opened, or else ends in `error`.
    pub(super) async fn unconnected(
        &mut self,
        error: Error,
        options: &ProxyOptions,
    ) -> Result<(), Error> {
        if self.lease.failed(&error) || error.is_unconnected() {
            self.go_elsewhere(error, options).await
        } else {
            Err(error)
        }
    }

    /// Moves on from a process that is gone, or else ends in `error`.
    pub(super) async fn go_elsewhere(
        &mut self,
        error: Error,
        options: &ProxyOptions,
    ) -> Result<(), Error> {
        let allowed = self.taken_by.is_none() || options.retry;
        let Some(moves) = self.moves.checked_sub(1).filter(|_| allowed) else {
            return Err(error);
        };
        self.moves = moves;
        debug!(%error, backend.addr = %self.lease.backend().address(), "Request moved");
        match self.lease.renew().await {
            // One that speaks another protocol needs a request that was made for it.
            Some(Ok(lease)) if lease.backend().protocol() != self.lease.backend().protocol() => {
                Err(error)
            }
            Some(Ok(lease)) => {
                self.take(lease);
                Ok(())
            }
            // Nobody else took it either: the first reason says more.
            Some(Err(renewal)) if !renewal.is_unconnected() => Err(renewal),
            Some(Err(_)) | None => Err(error),
        }
    }

    /// Goes on under `lease`, whose process knows another secret.
    fn take(&mut self, lease: Lease) {
        let headers = self.request.headers_mut();
        match lease.backend().token() {
            Some(token) => headers.insert(MS_ASPNETCORE_TOKEN, token.header_value().clone()),
            None => headers.remove(MS_ASPNETCORE_TOKEN),
        };
        self.lease = lease;
    }

    /// Tells the process who the user is: right before the request is sent there.
    pub(super) fn introduce(&mut self) -> Result<(), Error> {
        let headers = self.request.headers_mut();
        self.user.introduce(self.lease.backend(), headers)
    }

    /// A connection: one that is at hand, unless one such has failed.
    async fn wire(&mut self, options: &ProxyOptions) -> Result<Box<Wire>, Error> {
        if self.taken_by.is_none()
            && let Some(wire) = Wire::reuse(self.lease.backend())
        {
            return Ok(wire);
        }
        // In a box, because it is seldom and large: it would make every request's future as large.
        Box::pin(self.connect(options, Wire::adopt, Wire::new)).await
    }

    /// Whether the request may be sent once more if its connection closes instead of an answer: one without a body, whose
    /// method says that twice is as good as once (RFC 9110, 9.2.2).
    ///
    /// A connection that was at hand may have been closed before the request came, so the same process is asked again.
    /// One that closes a new connection is about to end, and a second process may be asked, but never a third: what
    /// two have died of is not for another one.
    pub(super) fn may_retry(&self, is_reused: bool, options: &ProxyOptions) -> bool {
        let elsewhere = options.retry && self.lease.is_renewable();
        let once_more = match &self.taken_by {
            None => is_reused || elsewhere,
            Some(process) => elsewhere && process.is(self.lease.backend()),
        };
        once_more && self.upload.is_none() && self.request.method().is_idempotent()
    }

    /// The process closed its connection on it.
    pub(super) fn taken(&mut self) {
        self.taken_by = Some(self.lease.backend().clone());
    }

    /// What `error` is to whoever asked.
    pub(super) fn failed(&self, error: impl Into<BoxError>) -> Error {
        if self.upload.as_ref().is_some_and(Upload::is_broken) {
            limit::broken_off(error.into())
        } else {
            Error::backend(error)
        }
    }
}

/// Sends a request on a connection that is at hand, or else on a new one, and waits for the head of the answer.
///
/// What was never sent is sent on the next connection, to another process if need be. What was, but got no answer, is
/// sent again if that is safe: see [`Errand::may_retry`].
pub(super) async fn send(
    errand: &mut Errand,
    options: &ProxyOptions,
) -> Result<(Response<()>, Box<Wire>), Error> {
    loop {
        let mut wire = errand.wire(options).await?;
        errand.introduce()?;
        let upload = errand.upload.as_ref();
        let listener = Listener {
            opener: errand.opener.as_ref(),
            hints: &errand.hints,
            via: options.via.as_ref(),
        };
        let asked = Asked {
            request: &mut errand.request,
            told: &errand.told,
        };
        let answer = wire.ask(asked, upload, listener, options.patience());
        let error = match answer.await {
            Ok(answer) => return Ok((answer, wire)),
            // The app had closed the connection, or closed it as soon as it stood.
            Err(Failure::Unsent(error)) => error,
            // The app closed it while the request was on its way.
            Err(Failure::Closed(error)) if errand.may_retry(wire.is_reused(), options) => {
                debug!(%error, "Request sent again");
                errand.taken();
                error
            }
            Err(Failure::Closed(error)) => return Err(errand.failed(error)),
            Err(Failure::Broken(error)) => return Err(errand.failed(error)),
            Err(Failure::Stalled) => return Err(Error::timeout("answer")),
            Err(Failure::Slow) => return Err(Error::client_slow()),
        };
        if !wire.is_reused() {
            drop(wire);
            // In a box, for the same reason as a dial.
            Box::pin(errand.go_elsewhere(Error::backend(error), options)).await?;
        }
    }
}
