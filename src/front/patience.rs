//! How long is waited for what comes before HTTP.

use std::{
    future::{Future, poll_fn},
    pin::pin,
    task::Poll,
    time::Duration,
};

use tokio::time;

use super::pulse::{Order, Pulse};

/// How long it may still take once the front stops: whoever means it is under way.
const AT_SHUTDOWN: Duration = Duration::from_secs(1);

/// Why it is not waited for any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Late {
    #[error("it took too long")]
    TooLong,
    #[error("the front stops")]
    Stopped,
}

/// Waits for `work`, at most for `limit`.
pub(super) async fn before_http<F: Future>(
    work: F,
    limit: Duration,
    pulse: &Pulse,
) -> Result<F::Output, Late> {
    let mut work = pin!(work);
    let stopping = poll_fn(|_| match pulse.order() {
        Order::None | Order::Retire => Poll::Pending,
        Order::Finish | Order::End => Poll::Ready(()),
    });
    tokio::select! {
        biased;
        done = &mut work => Ok(done),
        () = time::sleep(limit) => Err(Late::TooLong),
        () = stopping => {
            time::timeout(AT_SHUTDOWN, work).await.map_err(|_| Late::Stopped)
        }
    }
}

#[cfg(test)]
mod tests {
    use std::future::{pending, ready};

    use tokio::time::Instant;

    use super::*;

    const LIMIT: Duration = Duration::from_secs(10);

    #[tokio::test(start_paused = true)]
    async fn waits_as_long_as_is_said_and_less_when_the_front_stops() {
        let pulse = Pulse::default();
        let done = before_http(ready(1), LIMIT, &pulse).await;
        assert_eq!(done, Ok(1));
        let began = Instant::now();
        let late = before_http(pending::<()>(), LIMIT, &pulse).await;
        assert_eq!((late, began.elapsed()), (Err(Late::TooLong), LIMIT));
        pulse.tell(Order::Finish);
        let began = Instant::now();
        let late = before_http(pending::<()>(), LIMIT, &pulse).await;
        assert_eq!((late, began.elapsed()), (Err(Late::Stopped), AT_SHUTDOWN));
        assert_eq!(before_http(ready(1), LIMIT, &pulse).await, Ok(1));
    }
}
