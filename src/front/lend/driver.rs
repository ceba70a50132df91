//! A thread that drives a runtime, and leaves it for errands.

use std::{cell::Cell, io, sync::Arc, thread, time::Duration};

use tokio::{runtime::Runtime, time::Instant};

use super::{
    HERE, Here,
    seat::{Left, Seat, Stay},
    state::ThreadId,
};

/// As much as a main thread has on most systems: the app was made for threads with that.
const STACK: usize = 8 * 1024 * 1024;

/// A driver that was out for so long comes back to its connections, whatever there is still to be done.
const OUTING: Duration = Duration::from_micros(200);

/// Starts one that takes the runtime if it can.
pub(super) fn start(seat: &Arc<Seat>) -> io::Result<()> {
    let seat = Arc::clone(seat);
    thread::Builder::new()
        .name("ancm-lent".to_owned())
        .stack_size(STACK)
        .spawn(move || {
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
    let who = ThreadId::current();
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
            Left::ForErrands => runtime = go_out(seat, driven, who),
            Left::ForGood(drained) => {
                // Cuts what is left, and does not wait for what blocks.
                driven.shutdown_background();
                seat.set_lends(false);
                errands(seat, || true);
                return seat.finish(drained);
            }
        }
    }
}

/// Does the errands, and gives the runtime if nobody took it meanwhile.
fn go_out(seat: &Seat, runtime: Box<Runtime>, who: ThreadId) -> Option<Box<Runtime>> {
    set_out(true);
    seat.go_out(runtime, who);
    let begun = Instant::now();
    let mut spent = Duration::ZERO;
    let done = errands(seat, || {
        spent = begun.elapsed();
        spent < OUTING
    });
    set_out(false);
    seat.come_back(done, spent)
}

/// Does errands as long as there are some and `more` says so, asked after each; how many.
fn errands(seat: &Seat, mut more: impl FnMut() -> bool) -> u64 {
    let mut done = 0;
    while let Some(errand) = seat.errand() {
        (errand.run)(errand.with, seat.lends());
        done += 1;
        if !more() {
            break;
        }
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
