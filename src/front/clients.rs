//! The connections of one thread: who they are, whose time is over, when the last has gone.

use std::{
    collections::HashMap,
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::{
    sync::{Notify, OwnedSemaphorePermit},
    time::Instant,
};

use super::{
    options::Limits,
    pulse::{Order, Phase, Pulse},
};

/// The connections of one thread.
#[derive(Clone)]
pub(super) struct Clients {
    shared: Arc<Shared>,
}

struct Shared {
    table: Mutex<Table>,
    entered: Notify,
    gone: Notify,
}

#[derive(Default)]
struct Table {
    next: u64,
    entries: HashMap<u64, Entry>,
}

/// A connection as the sweep saw it last.
struct Entry {
    pulse: Arc<Pulse>,
    phase: Phase,
    since: Instant,
    /// When the term of its bodies began.
    term: Instant,
}

/// What a sweep found.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Found {
    /// A connection did something since the last sweep, or has to be looked at again soon.
    pub(super) restless: bool,
    /// How many were told that they may rest.
    pub(super) rested: usize,
}

/// A place in the table, as long as the socket lives: in its connection, or in a tunnel.
pub(super) struct Place {
    clients: Clients,
    id: u64,
    pulse: Arc<Pulse>,
    _permit: OwnedSemaphorePermit,
}

impl Clients {
    pub(super) fn new() -> Self {
        Self {
            shared: Arc::new(Shared {
                table: Mutex::default(),
                entered: Notify::new(),
                gone: Notify::new(),
            }),
        }
    }

    /// Enters a new connection.
    pub(super) fn enter(&self, permit: OwnedSemaphorePermit) -> Place {
        let pulse = Arc::new(Pulse::default());
        let entry = Entry {
            pulse: pulse.clone(),
            phase: pulse.phase(),
            since: Instant::now(),
            term: Instant::now(),
        };
        let mut table = self.table();
        let id = table.next;
        table.next += 1;
        table.entries.insert(id, entry);
        self.shared.entered.notify_one();
        Place {
            clients: self.clone(),
            id,
            pulse,
            _permit: permit,
        }
    }

    /// Ends every connection whose time is over, and lets those rest that are idle.
    pub(super) fn sweep(&self, now: Instant, limits: &Limits) -> Found {
        let mut found = Found::default();
        for entry in self.table().entries.values_mut() {
            entry.look(now, limits, &mut found);
        }
        found
    }

    /// Waits for a connection that no sweep has seen. Cancel safe.
    pub(super) async fn entered(&self) {
        self.shared.entered.notified().await;
    }

    /// Closes the connection that is idle for the longest time, to make room.
    pub(super) fn close_longest_idle(&self) {
        let table = self.table();
        let idle = table.entries.values().filter(|entry| {
            matches!(entry.pulse.phase(), Phase::Idle(_)) && entry.pulse.order() < Order::Finish
        });
        if let Some(entry) = idle.min_by_key(|entry| entry.since) {
            entry.pulse.tell(Order::Finish);
        }
    }

    /// Lets every connection go with its next answer.
    pub(super) fn retire(&self) {
        for entry in self.table().entries.values() {
            entry.pulse.tell(Order::Retire);
        }
    }

    /// Lets every connection finish what it began.
    pub(super) fn finish(&self) {
        for entry in self.table().entries.values() {
            entry.pulse.tell(Order::Finish);
        }
    }

    /// Waits until the last connection and the last tunnel have gone.
    ///
    /// Cancel safe.
    pub(super) async fn gone(&self) {
        loop {
            let gone = self.shared.gone.notified();
            if self.table().entries.is_empty() {
                return;
            }
            gone.await;
        }
    }

    /// How many connections, and how many tunnels, are left; one of HTTP/2 may be a connection of many tunnels.
    pub(super) fn count(&self) -> (usize, usize) {
        let table = self.table();
        let all = table.entries.len();
        let pulses = || table.entries.values().map(|entry| &entry.pulse);
        let whole = pulses().filter(|pulse| pulse.phase() == Phase::Tunnel);
        let (whole, streams) = (
            whole.count(),
            pulses().map(|pulse| pulse.tunnels()).sum::<u32>(),
        );
        (all - whole, whole + streams as usize)
    }

    fn table(&self) -> MutexGuard<'_, Table> {
        self.shared
            .table
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

impl Entry {
    fn look(&mut self, now: Instant, limits: &Limits, found: &mut Found) {
        self.look_at_bodies(now, limits);
        let phase = self.pulse.phase();
        if phase != self.phase {
            self.phase = phase;
            self.since = now;
            found.restless = true;
            return;
        }
        let spent = now.duration_since(self.since);
        if matches!(phase, Phase::Idle(_)) && self.pulse.could_rest() {
            found.restless = true;
            if spent >= REST_AFTER {
                found.rested += 1;
                self.pulse.let_rest();
            }
        }
        let order = verdict(phase, spent, self.pulse.order(), limits);
        if order != Order::None {
            self.pulse.tell(order);
        }
    }
}

impl Entry {
    /// Lets a client of HTTP/2 go that keeps one of its streams shut, be there others that go on: those may end.
    fn look_at_bodies(&mut self, now: Instant, limits: &Limits) {
        if now.duration_since(self.term) >= limits.write_timeout {
            self.term = now;
            if self.pulse.is_stuck() && self.pulse.is_http2() && self.pulse.order() < Order::Finish
            {
                self.pulse.tell(Order::Finish);
            }
        }
    }
}

/// How long a connection is idle until what was held for its next request is given back.
///
/// To make it anew takes a tenth of what a request takes. A client that is back sooner does not pay that.
const REST_AFTER: Duration = Duration::from_millis(100);

/// How long a client that was asked to go may take for it: an HTTP/2 one has to answer a ping.
const FAREWELL: Duration = Duration::from_secs(2);

/// What a connection is told that has `spent` so much time in its phase.
fn verdict(phase: Phase, spent: Duration, told: Order, limits: &Limits) -> Order {
    match phase {
        Phase::Head(_) if spent >= limits.header_timeout => Order::End,
        Phase::Blocked(_) if spent >= limits.write_timeout => Order::End,
        Phase::Idle(_) if told == Order::Finish && spent >= FAREWELL => Order::End,
        Phase::Idle(_) if spent >= limits.idle_timeout => Order::Finish,
        Phase::Head(_) | Phase::Idle(_) | Phase::Blocked(_) | Phase::Busy | Phase::Tunnel => {
            Order::None
        }
    }
}

impl Place {
    pub(super) fn pulse(&self) -> &Arc<Pulse> {
        &self.pulse
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut table = self.clients.table();
        table.entries.remove(&self.id);
        if table.entries.is_empty() {
            self.clients.shared.gone.notify_waiters();
        }
    }
}

impl fmt::Debug for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Place")
            .field("id", &self.id)
            .field("phase", &self.pulse.phase())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::front::Front;

    #[test]
    fn each_phase_has_its_limit() {
        let limits = Front::new()
            .header_timeout(Duration::from_secs(10))
            .write_timeout(Duration::from_secs(20))
            .idle_timeout(Duration::from_secs(30))
            .limits;
        for (phase, told, seconds, want) in [
            (Phase::Head(0), Order::None, 9, Order::None),
            (Phase::Head(0), Order::None, 10, Order::End),
            (Phase::Blocked(7), Order::None, 19, Order::None),
            (Phase::Blocked(7), Order::None, 20, Order::End),
            (Phase::Idle(2), Order::None, 29, Order::None),
            (Phase::Idle(2), Order::None, 30, Order::Finish),
            (Phase::Idle(2), Order::Finish, 1, Order::None),
            (Phase::Idle(2), Order::Finish, 2, Order::End),
            (Phase::Busy, Order::Finish, 9999, Order::None),
            (Phase::Tunnel, Order::Finish, 9999, Order::None),
        ] {
            let spent = Duration::from_secs(seconds);
            assert_eq!(
                verdict(phase, spent, told, &limits),
                want,
                "{phase:?} {seconds}"
            );
        }
    }
}
