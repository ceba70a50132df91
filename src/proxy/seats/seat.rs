//! The right to have one connection.

use std::{fmt, sync::Arc, time::Duration};

use tokio::time::sleep;

use super::address::Seats;
use crate::{
    error::Error,
    proxy::{
        backend::Backend,
        dial::{Why, dial, is_shortage},
        io::Io,
    },
};

/// When is looked again whether files may be open, which nobody tells.
pub(super) const LOOK: Duration = Duration::from_secs(1);

/// The right to have one connection. It is free again when this is dropped.
pub(in crate::proxy) struct Seat {
    seats: Arc<Seats>,
    used: Use,
}

/// What a seat is used for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Use {
    /// A connection is being opened, or will be.
    Dialling,
    /// It stands.
    Open,
    /// It became a tunnel, and is held as long as that.
    Tunnel,
}

impl Seat {
    pub(super) const fn new(seats: Arc<Seats>, used: Use) -> Self {
        Self { seats, used }
    }

    /// Opens a connection to `backend`, whose seat this is, for `limit` at most.
    pub(in crate::proxy) async fn dial(
        mut self,
        backend: &Backend,
        limit: Duration,
    ) -> Result<(Io, Self), Error> {
        match dial(backend, limit).await {
            Ok(io) => {
                self.seats.budget.grow();
                self.turn(Use::Open);
                Ok((io, self))
            }
            Err(error) if is_shortage(&error) => {
                self.seats.budget.shrink();
                if self.seats.budget.open() <= 1 {
                    // No connection is one of ours, so that nobody will tell when files may be open again. The seat is kept:
                    // whoever waits would find no more of them.
                    sleep(LOOK).await;
                }
                Err(error)
            }
            Err(error) => {
                self.seats.despair(&Why::of(&error));
                Err(error)
            }
        }
    }

    /// Its connection was closed, for another one.
    pub(in crate::proxy) fn vacated(mut self) -> Self {
        self.turn(Use::Dialling);
        self
    }

    /// Its connection became a tunnel.
    pub(in crate::proxy) fn held(mut self) -> Self {
        self.turn(Use::Tunnel);
        self
    }

    fn turn(&mut self, used: Use) {
        let before = std::mem::replace(&mut self.used, used);
        let mut state = self.seats.lock();
        state.count(before, -1);
        state.count(used, 1);
        drop(state);
        if before == Use::Dialling {
            // Somebody else may open one now.
            drop(self.seats.serve(|| None));
        }
    }
}

impl super::address::State {
    fn count(&mut self, used: Use, by: isize) {
        let counter = match used {
            Use::Dialling => &mut self.dialling,
            Use::Tunnel => &mut self.tunnels,
            Use::Open => return,
        };
        *counter = counter.saturating_add_signed(by);
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut state = self.seats.lock();
        state.open -= 1;
        state.count(self.used, -1);
        drop(state);
        self.seats.budget.give_back();
        drop(self.seats.serve(|| None));
    }
}

impl fmt::Debug for Seat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Seat").field(&self.used).finish()
    }
}
