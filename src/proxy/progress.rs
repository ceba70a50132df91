//! How far a request's body is, for whoever waits for the answer.

use std::{
    num::NonZeroU32,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering},
    },
    task::{Context, Poll},
    time::Duration,
};

use bytes::Bytes;
use http_body::Frame;
use tokio::time::Instant;

use super::stall::Stall;
use crate::error::BoxError;

/// How long a client may keep the app waiting for the body of its request.
#[derive(Clone, Copy, Debug)]
pub(super) struct Haste {
    /// At once; `None` is for ever.
    pub(super) pause: Option<Duration>,
    /// Bytes for each second of all its pauses together, once these are longer than `grace`.
    pub(super) rate: Option<NonZeroU32>,
    pub(super) grace: Duration,
}

/// How much later it may be noticed that a client was too slow for longer than it may.
const LOOK: Duration = Duration::from_secs(1);

impl Haste {
    /// How long all pauses together may be once so many bytes have come; `None` is for ever.
    fn allows(&self, bytes: u64) -> Option<Duration> {
        let rate = u64::from(self.rate?.get());
        Some(
            self.grace
                .max(Duration::from_millis(bytes.saturating_mul(1000) / rate)),
        )
    }

    /// The shortest of its times.
    fn least(&self) -> Option<Duration> {
        let grace = self.rate.map(|_| self.grace);
        self.pause.into_iter().chain(grace).min()
    }
}

/// What came of a request's body.
type Polled = Poll<Option<Result<Frame<Bytes>, BoxError>>>;

/// How a request's body is getting on.
#[derive(Clone, Debug)]
pub(super) struct Upload {
    state: Arc<State>,
}

#[derive(Debug)]
struct State {
    phase: AtomicU8,
    begun: Instant,
    /// When a part of it was last taken, or else when the client was first waited for after that, in milliseconds
    /// after it began.
    moved: AtomicU64,
    /// For how many milliseconds the client was waited for before, and what it sent.
    waited: AtomicU64,
    bytes: AtomicU64,
    /// It comes as things happen that it tells of, and not as fast as it can.
    tells: AtomicBool,
}

/// The app is taking it.
const SENDING: u8 = 0;
/// The client has not sent more yet.
const WAITING: u8 = 1;
/// The app's connection has taken all of it.
const DONE: u8 = 2;
/// The client broke it off.
const BROKEN: u8 = 3;

impl Upload {
    pub(super) fn begin() -> Self {
        let state = State {
            // Until the app's connection asks for it, nobody waits for the client.
            phase: AtomicU8::new(SENDING),
            begun: Instant::now(),
            moved: AtomicU64::new(0),
            waited: AtomicU64::new(0),
            bytes: AtomicU64::new(0),
            tells: AtomicBool::new(false),
        };
        Self {
            state: Arc::new(state),
        }
    }

    /// Whether the client broke it off.
    pub(super) fn is_broken(&self) -> bool {
        self.state.phase.load(Ordering::Acquire) == BROKEN
    }

    /// Since when the app keeps it waiting, or `None` where the client does.
    pub(super) fn since(&self) -> Option<Instant> {
        match self.state.phase.load(Ordering::Acquire) {
            SENDING | DONE => Some(self.moved()),
            _ => None,
        }
    }

    /// Lets it be as slow as it is, but for its pauses.
    pub(super) fn tells(&self) {
        self.state.tells.store(true, Ordering::Relaxed);
    }

    /// What was sent is sent again: until that has been asked for more, nobody waits for the client.
    pub(super) fn begin_again(&self) {
        self.state.moved.store(self.now(), Ordering::Release);
        self.state.phase.store(SENDING, Ordering::Release);
    }

    /// Ready when the client has kept the app waiting for longer than it may. `slot` is made only where a client does.
    pub(super) fn poll_slow(
        &self,
        cx: &mut Context<'_>,
        slot: &mut Option<Stall>,
        haste: Haste,
    ) -> Poll<()> {
        let Some(least) = haste
            .least()
            .filter(|_| slot.is_some() || self.is_waiting())
        else {
            return Poll::Pending;
        };
        let deadline = || self.deadline(haste)?.checked_sub(least);
        Stall::of(slot, least).poll(cx, deadline)
    }

    /// Until when the client has to go on, or else when to look again; `None` is never. It never goes back by more than
    /// [`LOOK`].
    fn deadline(&self, haste: Haste) -> Option<Instant> {
        let state = &self.state;
        let waited = Duration::from_millis(state.waited.load(Ordering::Acquire));
        let allowed = haste.allows(state.bytes.load(Ordering::Acquire));
        let allowed = allowed.filter(|_| !state.tells.load(Ordering::Relaxed));
        let left = allowed.map(|allowed| allowed.saturating_sub(waited));
        let left = haste.pause.into_iter().chain(left).min()?;
        if self.is_waiting() {
            self.moved().checked_add(left)
        } else {
            Instant::now().checked_add(left.max(LOOK))
        }
    }

    fn is_waiting(&self) -> bool {
        self.state.phase.load(Ordering::Acquire) == WAITING
    }

    fn moved(&self) -> Instant {
        self.state.begun + Duration::from_millis(self.state.moved.load(Ordering::Acquire))
    }

    /// In milliseconds after it began.
    fn now(&self) -> u64 {
        u64::try_from(self.state.begun.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    pub(super) fn note(&self, polled: &Polled, ended: bool) {
        let phase = match polled {
            Poll::Pending => WAITING,
            Poll::Ready(Some(Err(_))) => BROKEN,
            Poll::Ready(None) => DONE,
            Poll::Ready(Some(Ok(_))) if ended => DONE,
            Poll::Ready(Some(Ok(_))) => SENDING,
        };
        let state = &self.state;
        if let Poll::Ready(Some(Ok(frame))) = polled {
            let bytes = frame.data_ref().map_or(0, Bytes::len);
            state.bytes.fetch_add(bytes as u64, Ordering::Release);
        }
        let waited = self.is_waiting();
        // Asked again in vain, the client is waited for no less long.
        if phase != WAITING || !waited {
            let moved = self.now();
            let before = state.moved.swap(moved, Ordering::AcqRel);
            if waited {
                let more = moved.saturating_sub(before);
                state.waited.fetch_add(more, Ordering::Release);
            }
        }
        state.phase.store(phase, Ordering::Release);
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;

    use tokio::time::{sleep, timeout};

    use super::*;

    const HASTE: Haste = Haste {
        pause: Some(Duration::from_secs(120)),
        rate: NonZeroU32::new(240),
        grace: Duration::from_secs(5),
    };

    fn part(length: usize) -> Polled {
        Poll::Ready(Some(Ok(Frame::data(vec![0; length].into()))))
    }

    /// When a client is found too slow that sends so many bytes, and again so many seconds after it was last asked for them;
    /// or `None` where it is not in an hour.
    async fn slow(upload: Upload, haste: Haste, bytes: usize, pause: f32) -> Option<f32> {
        let begun = Instant::now();
        let client = async {
            loop {
                upload.note(&Poll::Pending, false);
                sleep(Duration::from_secs_f32(pause)).await;
                upload.note(&part(bytes), false);
                // The app takes its time, which is not the client's.
                sleep(Duration::from_secs(1)).await;
            }
        };
        upload.note(&part(bytes), false);
        upload.note(&Poll::Pending, false);
        let mut slot = None;
        let noticed = poll_fn(|cx| upload.poll_slow(cx, &mut slot, haste));
        let noticed = async {
            tokio::select! {
                () = client => {}
                () = noticed => {}
            }
        };
        let found = timeout(Duration::from_secs(3600), noticed).await;
        found.ok().map(|()| begun.elapsed().as_secs_f32().round())
    }

    #[tokio::test(start_paused = true)]
    async fn a_client_that_drips_is_found_and_one_that_goes_on_is_not() {
        let never = Haste {
            rate: None,
            ..HASTE
        };
        for (haste, bytes, pause, want) in [
            // Pauses of 4 s, with a second of the app's after each.
            (HASTE, 1, 4.0, Some(6.0)),
            (never, 1, 4.0, None),
            (HASTE, 240, 1.1, Some(9.0)),
            (HASTE, 500, 1.0, None),
            (HASTE, 1_000_000, 119.0, None),
            (HASTE, 1_000_000, 121.0, Some(120.0)),
            (never, 1_000_000, 121.0, Some(120.0)),
        ] {
            let found = slow(Upload::begin(), haste, bytes, pause).await;
            assert_eq!(found, want, "{bytes} bytes after {pause} s");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn one_that_tells_of_what_happens_may_take_its_time_between() {
        let upload = Upload::begin();
        upload.tells();
        assert_eq!(slow(upload, HASTE, 1, 100.0).await, None);
        let upload = Upload::begin();
        upload.tells();
        assert_eq!(slow(upload, HASTE, 1, 130.0).await, Some(120.0));
    }
}
