//! A thread that drives a runtime, and leaves it for errands.

use std::{cell::Cell, io, sync::Arc, thread};

use tokio::{runtime::Runtime, time::Instant};

use super::{
    HERE, Here,
    seat::Seat,
    stack,
    state::ThreadId,
    stay::{Left, Stay},
};

/// As much as a main thread has on most systems: the app was made for threads with that.
const STACK: usize = 8 * 1024 * 1024;

/// After so many errands a driver comes back to its connections, whatever there is still to be done.
const MOST_ERRANDS: u64 = 16;
/// One in so many outings is timed: a look at the clock costs more than it seems to.
const TIMED: u32 = 8;

/// Starts one that takes the runtime if it can.
pub(super) fn start(seat: &Arc<Seat>) -> io::Result<()> {
    let seat = Arc::clone(seat);
    thread::Builder::new()
        .name("ancm-lent".to_owned())
        .stack_size(STACK)
        .spawn(move || {
            stack::give_up();
            let _end = End(&seat);
            HERE.set(Some(Here {
                seat: Arc::clone(&seat),
                out: Cell::new(false),
            }));
            drive(&seat);
        })
        .map(drop)
}

/// Drives whenever it can, until there are others who wait to, or nothing is left.
fn drive(seat: &Seat) {
    let mut outings = Outings::new();
    let mut woken = Vec::new();
    let mut runtime = seat.take();
    loop {
        let Some(driven) = runtime else {
            if !seat.wait() {
                return;
            }
            runtime = seat.take();
            continue;
        };
        match driven.block_on(Stay::new(seat, &mut woken)) {
            Left::ForErrands => runtime = outings.go(seat, driven),
            Left::ForGood(drained) => {
                // Cuts what is left, and does not wait for what blocks.
                driven.shutdown_background();
                seat.set_lends(false);
                while errands(seat) > 0 {}
                return seat.finish(drained);
            }
        }
    }
}

/// The times that this thread leaves the runtime.
struct Outings {
    who: ThreadId,
    untimed: u32,
}

impl Outings {
    fn new() -> Self {
        Self {
            who: ThreadId::current(),
            untimed: 0,
        }
    }

    /// Does errands, and gives the runtime if nobody took it meanwhile.
    fn go(&mut self, seat: &Seat, runtime: Box<Runtime>) -> Option<Box<Runtime>> {
        let begun = self.is_timed().then(Instant::now);
        set_out(true);
        seat.go_out(runtime, self.who);
        let done = errands(seat);
        set_out(false);
        seat.come_back(begun.map(|begun| (done, begun.elapsed())))
    }

    fn is_timed(&mut self) -> bool {
        let timed = self.untimed == 0;
        self.untimed = if timed { TIMED - 1 } else { self.untimed - 1 };
        timed
    }
}

/// Does errands, as far as there are some; how many.
fn errands(seat: &Seat) -> u64 {
    let mut done = 0;
    while done < MOST_ERRANDS
        && let Some(errand) = seat.errand()
    {
        (errand.run)(errand.with, seat.lends());
        done += 1;
    }
    done
}

fn set_out(out: bool) {
    HERE.with_borrow(|here| {
        if let Some(here) = here {
            here.out.set(out);
        }
    });
}

/// A driver that panics leaves nobody to drive.
struct End<'a>(&'a Arc<Seat>);

impl Drop for End<'_> {
    fn drop(&mut self) {
        if thread::panicking() {
            self.0
                .finish(Err(io::Error::other("a thread of the front panicked")));
        }
    }
}
