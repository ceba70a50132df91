//! Sees to it that somebody drives.

use std::{io, sync::Arc, thread, time::Duration};

use tokio::time::Instant;
use tracing::{debug, warn};

use super::{
    super::Drained,
    driver,
    pace::{Pace, Step},
    seat::Seat,
};

/// Watches until the end, and tells what that was.
pub(super) fn watch(seat: &Arc<Seat>) -> io::Result<Drained> {
    let mut pace = Pace::new(Instant::now());
    loop {
        if let Some(drained) = seat.drained() {
            return drained;
        }
        let seen = seat.seen();
        match pace.step(Instant::now(), seen, || seen.last_out.doing()) {
            Step::Look(time) => thread::park_timeout(time),
            Step::Sleep => {
                if seat.let_sleep(seen.outings) {
                    thread::park();
                }
            }
            Step::Pause(time) => {
                debug!(?time, "App is lent no threads: its requests take long");
                seat.set_lends(false);
                // Whoever is out may stay there, and nobody looks during the pause.
                if seat.seen().unattended {
                    replace(seat);
                }
                pause(seat, &mut pace, time);
            }
            Step::Replace(time) => {
                // Before another driver does what errands are left.
                seat.set_lends(time.is_none());
                replace(seat);
                if let Some(time) = time {
                    debug!(?time, "App is lent no threads: it keeps them");
                    pause(seat, &mut pace, time);
                }
            }
        }
    }
}

fn replace(seat: &Arc<Seat>) {
    if seat.call() {
        return;
    }
    if let Err(error) = driver::start(seat) {
        warn!(%error, "No thread to replace the one that the app keeps");
    }
}

/// Lends nothing for `time`, at least, or until the end.
fn pause(seat: &Arc<Seat>, pace: &mut Pace, time: Duration) {
    seat.set_lends(false);
    let mut until = Instant::now() + time;
    loop {
        let now = Instant::now();
        let left = until.saturating_duration_since(now);
        if !left.is_zero() {
            thread::park_timeout(left);
            if seat.is_over() {
                return;
            }
            continue;
        }
        match pace.resume(now, seat.seen()) {
            Some(longer) => until = now + longer,
            None => return seat.set_lends(true),
        }
    }
}
