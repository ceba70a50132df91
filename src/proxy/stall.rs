//! Notices that an app keeps the proxy waiting, for next to nothing a request.

use std::{
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};

use tokio::time::{Instant, Sleep, sleep};

/// One timer for all exchanges of a connection.
///
/// Setting a timer costs more than most requests can spare. This one is set once, and only when it fires, which is
/// at most once in `limit`, is it set anew to where the deadline has moved meanwhile.
#[derive(Debug)]
pub(super) struct Stall {
    limit: Duration,
    timer: Pin<Box<Sleep>>,
}

impl Stall {
    pub(super) fn new(limit: Duration) -> Self {
        let timer = Box::pin(sleep(limit));
        Self { limit, timer }
    }

    /// The timer in `slot`, made where there is none of this `limit`.
    pub(super) fn of(slot: &mut Option<Self>, limit: Duration) -> &mut Self {
        if slot.as_ref().is_some_and(|stall| stall.limit != limit) {
            *slot = None;
        }
        slot.get_or_insert_with(|| Self::new(limit))
    }

    /// Ready when nothing has moved for `limit`.
    ///
    /// `since` tells when something last moved, or `None` where the app is not the one who is waited for. It never
    /// goes back, so the timer is never late.
    pub(super) fn poll(
        &mut self,
        cx: &mut Context<'_>,
        since: impl Fn() -> Option<Instant>,
    ) -> Poll<()> {
        loop {
            ready!(self.timer.as_mut().poll(cx));
            let now = Instant::now();
            let Some(deadline) = since().unwrap_or(now).checked_add(self.limit) else {
                // Beyond what the clock can tell is never.
                return Poll::Pending;
            };
            if deadline <= now {
                return Poll::Ready(());
            }
            self.timer.as_mut().reset(deadline);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;

    use super::*;

    const LIMIT: Duration = Duration::from_secs(10);

    #[tokio::test(start_paused = true)]
    async fn fires_when_nothing_moved_for_the_limit() {
        let start = Instant::now();
        let mut stall = Stall::new(LIMIT);
        poll_fn(|cx| stall.poll(cx, || Some(start))).await;
        assert_eq!(start.elapsed(), LIMIT);
    }

    #[tokio::test(start_paused = true)]
    async fn what_moved_later_is_counted_from_then() {
        let start = Instant::now();
        let mut stall = Stall::new(LIMIT);
        let moved = start + Duration::from_secs(7);
        poll_fn(|cx| stall.poll(cx, || Some(moved))).await;
        assert_eq!(start.elapsed(), Duration::from_secs(17));
    }

    #[tokio::test(start_paused = true)]
    async fn waiting_for_somebody_else_never_fires() {
        let mut stall = Stall::new(LIMIT);
        let waiting = poll_fn(|cx| stall.poll(cx, || None));
        assert!(tokio::time::timeout(LIMIT * 100, waiting).await.is_err());
    }
}
