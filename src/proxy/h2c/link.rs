//! One connection to an app, and the requests that share it.

use std::{
    fmt,
    pin::pin,
    sync::{
        Arc, Weak,
        atomic::{AtomicBool, AtomicU8, AtomicUsize, Ordering},
    },
};

use bytes::Bytes;
use h2::client::{Builder, SendRequest};
use tokio::sync::Notify;

use super::{driver, links::Links, opening::Opening, opening::Spoken};
use crate::{
    error::{BoxError, Error},
    proxy::{io::Io, seats::Seat},
};

/// What the app may send of an answer that nobody reads, for one stream and for all of a connection: what is on its way
/// in a network of 100 ms at 80 Mbit/s, and 16 such streams.
const STREAM_WINDOW: u32 = 1024 * 1024;
const CONNECTION_WINDOW: u32 = 16 * 1024 * 1024;

/// What is held of a request that the app does not take yet.
const SEND_BUFFER: usize = 256 * 1024;

/// What the head of an answer may take, as over HTTP/1.1.
const MAX_HEAD: u32 = 408 * 1024;

/// How many streams an app is taken to allow before it says so.
const STREAMS_AT_FIRST: usize = 100;

/// A connection that requests share. Cheap to clone; it ends after its last clone and its last stream.
#[derive(Clone)]
pub(super) struct Link {
    pub(super) sender: SendRequest<Bytes>,
    pub(super) state: Arc<State>,
}

/// What is known of a connection.
#[derive(Debug, Default)]
pub(super) struct State {
    streams: AtomicUsize,
    /// It takes no more requests.
    retired: AtomicBool,
    /// It is being asked whether it is still there.
    doubted: AtomicBool,
    pub(super) doubt: Notify,
    /// A request was sent since this was last asked.
    used: AtomicBool,
    /// A part of an answer came since this was last asked.
    heard: AtomicBool,
    /// It has brought an answer before.
    proven: AtomicBool,
    spoken: AtomicU8,
    /// The app's settings are known: it has answered anything that was sent.
    settled: AtomicBool,
    /// Somebody asked for that.
    settling: AtomicBool,
    /// Told when they are, or when there is nothing more to wait for.
    told: Notify,
}

impl Link {
    /// A connection that was just opened, for `links`.
    pub(super) async fn new(io: Io, seat: Seat, links: Weak<Links>) -> Result<Self, Error> {
        let state = Arc::<State>::default();
        let opening = Opening::new(io, Arc::clone(&state));
        let handshake = Builder::new()
            .enable_push(false)
            .initial_window_size(STREAM_WINDOW)
            .initial_connection_window_size(CONNECTION_WINDOW)
            .max_send_buffer_size(SEND_BUFFER)
            .max_header_list_size(MAX_HEAD)
            .initial_max_send_streams(STREAMS_AT_FIRST)
            .handshake(opening);
        let (sender, connection) = handshake.await.map_err(Error::connect)?;
        // Outside of any request's span: it outlives the request.
        tokio::spawn(driver::drive(connection, seat, Arc::clone(&state), links));
        Ok(Self { sender, state })
    }

    /// Whether one more request may go this way.
    pub(super) fn has_room(&self) -> bool {
        let streams = self.state.streams.load(Ordering::Relaxed);
        streams < self.sender.current_max_send_streams() && !self.state.is_doubted()
    }

    /// Whether it is known to take no more requests.
    pub(super) fn is_retired(&self) -> bool {
        self.state.is_retired()
    }

    /// How many requests are on it.
    pub(super) fn streams(&self) -> usize {
        self.state.streams.load(Ordering::Relaxed)
    }

    /// A place on it for one request.
    pub(super) fn take(&self) -> Place {
        self.state.place()
    }

    pub(super) fn is(&self, state: &Arc<State>) -> bool {
        Arc::ptr_eq(&self.state, state)
    }
}

impl State {
    /// A place for one request.
    pub(super) fn place(self: &Arc<Self>) -> Place {
        self.streams.fetch_add(1, Ordering::AcqRel);
        self.used.store(true, Ordering::Relaxed);
        Place(Arc::clone(self))
    }

    pub(super) fn is_retired(&self) -> bool {
        self.retired.load(Ordering::Acquire)
    }

    /// Whether it is being asked whether it is still there.
    pub(super) fn is_doubted(&self) -> bool {
        self.doubted.load(Ordering::Relaxed)
    }

    /// No more requests.
    pub(super) fn retire(&self) {
        self.retired.store(true, Ordering::Release);
        self.told.notify_waiters();
    }

    /// Somebody waited in vain: is it still there? Until that is known, nothing new is sent on it.
    pub(super) fn doubt(&self) {
        if !self.doubted.swap(true, Ordering::AcqRel) {
            self.doubt.notify_one();
        }
    }

    /// It is.
    pub(super) fn trust(&self) {
        self.doubted.store(false, Ordering::Release);
        self.settle();
    }

    /// Something came that the app can only have said after its settings (RFC 9113, 3.4).
    fn settle(&self) {
        if !self.settled.swap(true, Ordering::AcqRel) {
            self.told.notify_waiters();
        }
    }

    /// Waits until the app's settings are known, for which it is asked something that it has to answer after them, or until
    /// the connection takes no more requests. Cancel safe.
    pub(super) async fn settled(&self) {
        let mut told = pin!(self.told.notified());
        // Before the look: what is told between the two is heard.
        told.as_mut().enable();
        if self.settled.load(Ordering::Acquire) || self.is_retired() {
            return;
        }
        if !self.settling.swap(true, Ordering::AcqRel) {
            self.doubt.notify_one();
        }
        told.await;
    }

    pub(super) fn is_idle(&self) -> bool {
        self.streams.load(Ordering::Acquire) == 0
    }

    /// Whether a request was sent since this was last asked.
    pub(super) fn take_used(&self) -> bool {
        self.used.swap(false, Ordering::AcqRel)
    }

    /// A part of an answer came.
    pub(super) fn hear(&self) {
        if !self.heard.load(Ordering::Relaxed) {
            self.heard.store(true, Ordering::Relaxed);
        }
    }

    /// Whether a part of an answer came since this was last asked.
    pub(super) fn take_heard(&self) -> bool {
        self.heard.swap(false, Ordering::AcqRel)
    }

    /// It brought an answer.
    pub(super) fn prove(&self) {
        self.hear();
        self.proven.store(true, Ordering::Relaxed);
        self.settle();
    }

    /// Whether it has brought an answer before, so that the app may have been about to close it.
    pub(super) fn is_proven(&self) -> bool {
        self.proven.load(Ordering::Relaxed)
    }

    /// What the app's first bytes are.
    pub(super) fn hears(&self, spoken: Spoken) {
        self.spoken.store(spoken as u8, Ordering::Release);
    }

    /// Whether the app has shown that it speaks HTTP/2, so that it is there.
    pub(super) fn is_understood(&self) -> bool {
        Spoken::from_u8(self.spoken.load(Ordering::Acquire)) == Spoken::Http2
    }

    /// What to say of `error`, which ended an exchange here: where the app does not speak HTTP/2, that and what to do.
    pub(super) fn explain(&self, error: BoxError) -> BoxError {
        match Spoken::from_u8(self.spoken.load(Ordering::Acquire)) {
            Spoken::Http2 => error,
            Spoken::Nothing => Misunderstanding("it said nothing", error).into(),
            Spoken::Http1 => Misunderstanding("it speaks HTTP/1.1", error).into(),
            Spoken::Other => Misunderstanding("it speaks something else", error).into(),
        }
    }
}

/// An app that was spoken to in HTTP/2 and does not speak it.
#[derive(Debug)]
struct Misunderstanding(&'static str, BoxError);

impl fmt::Display for Misunderstanding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(what, error) = self;
        write!(
            f,
            "{what} where HTTP/2 without TLS was expected ({error}); have it listen for that (Kestrel: `Protocols` \
             \"Http2\" for the endpoint), or set `protocol` to \"http/1.1\""
        )
    }
}

impl std::error::Error for Misunderstanding {}

impl fmt::Debug for Link {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Link")
            .field("state", &self.state)
            .finish_non_exhaustive()
    }
}

/// A request's place on a connection, until its answer has ended.
#[derive(Debug)]
pub(super) struct Place(Arc<State>);

impl Place {
    pub(super) fn state(&self) -> &State {
        &self.0
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.0.streams.fetch_sub(1, Ordering::AcqRel);
    }
}
