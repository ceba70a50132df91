//! A request that waits for its turn.

use std::{fmt, sync::Arc, time::Duration};

use tokio::{
    sync::oneshot,
    time::{Instant, timeout},
};
use tracing::warn;

use super::address::{Limits, Seats, Turn};
use crate::error::Error;

/// After which wait the log tells what all connections are used for.
const LONG: Duration = Duration::from_secs(5);

/// A place in the queue; it is free when this is dropped.
pub(in crate::proxy) struct Waiting {
    seats: Arc<Seats>,
    turn: oneshot::Receiver<Turn>,
}

impl Waiting {
    pub(super) const fn new(seats: Arc<Seats>, turn: oneshot::Receiver<Turn>) -> Self {
        Self { seats, turn }
    }

    /// Waits until it is its turn, for [`Limits::time`]. Cancel safe: what it was given meanwhile is the next one's.
    pub(in crate::proxy) async fn turn(mut self, limits: Limits) -> Result<Turn, Error> {
        let begun = Instant::now();
        let patience = limits.time.unwrap_or(Duration::MAX);
        let short = timeout(LONG.min(patience), &mut self.turn).await;
        let turn = match short {
            Err(_) if patience > LONG => {
                self.seats.tell();
                // The limit of open files may not be what it was, which nobody tells.
                drop(self.seats.serve(|| None));
                timeout(patience.saturating_sub(begun.elapsed()), &mut self.turn).await
            }
            turn => turn,
        };
        match turn {
            Ok(Ok(turn)) => Ok(turn),
            // Nobody drops who waits, but at the end of all.
            Ok(Err(_)) => Err(Error::stopping()),
            Err(_) => {
                self.seats.tell();
                Err(Error::busy("none became free while the request waited"))
            }
        }
    }
}

impl Seats {
    /// Tells what all connections are used for, once for all that wait.
    pub(in crate::proxy) fn tell(&self) {
        let mut state = self.lock();
        if std::mem::replace(&mut state.told, true) {
            return;
        }
        let (connections, tunnels, waiting) = (state.open, state.tunnels, state.live);
        drop(state);
        warn!(
            connections,
            tunnels,
            waiting,
            "Requests wait for a connection to the app: WebSockets and long answers hold one each; raise \
             appConnections or the limit of open files, or have the app speak h2c"
        );
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        // What was given to it first, so that it is the next one's.
        self.turn.close();
        drop(self.turn.try_recv());
        self.seats.leave();
    }
}

impl fmt::Debug for Waiting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Waiting").finish_non_exhaustive()
    }
}
