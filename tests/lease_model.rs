//! A model of how a request gets its process without a lock, run through every order in which threads and memory can
//! do it (loom).
//!
//! What is modelled stands in `src/supervisor/board.rs` and `src/proxy/backend.rs`, step by step:
//!
//! | there | here |
//! |---|---|
//! | `Board::show`: the backends are replaced, then a `SeqCst` fence | [`App::take_out`] |
//! | `Backend::drained`: nobody is under way | its second half |
//! | `View::lease_of`: look, count, fence, look again | [`App::lease`] |
//! | `Lease::drop` | the end of [`App::request`] |
//!
//! The orderings are those of the code, but for the cell that holds the backends: `arc_swap` promises more than the
//! acquire and release that the model makes do with.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use loom::{
    cell::UnsafeCell,
    sync::{
        Arc,
        atomic::{AtomicU64, AtomicUsize, Ordering, fence},
    },
    thread,
};

const OLD: usize = 0;
const NEW: usize = 1;

/// What the real thing does, and what it would be without a part of it.
#[derive(Clone, Copy, Debug)]
struct Protocol {
    looks_again: bool,
}

struct App {
    protocol: Protocol,
    /// Which backend takes requests.
    ready: AtomicUsize,
    /// The requests under way on the old one, below; all that there have been, above.
    requests: AtomicU64,
    /// The old process: a request uses it, a stop ends it, and loom holds that never both are at it.
    process: UnsafeCell<()>,
}

const UNDER_WAY: u64 = u32::MAX as u64;
const ONE_MORE: u64 = (1 << 32) + 1;

impl App {
    fn new(protocol: Protocol) -> Self {
        Self {
            protocol,
            ready: AtomicUsize::new(OLD),
            requests: AtomicU64::new(0),
            process: UnsafeCell::new(()),
        }
    }

    /// Whether the request got the old process, and not the new one.
    fn lease(&self) -> bool {
        loop {
            let seen = self.ready.load(Ordering::Acquire);
            if seen == NEW {
                return false;
            }
            self.requests.fetch_add(ONE_MORE, Ordering::AcqRel);
            fence(Ordering::SeqCst);
            if !self.protocol.looks_again || self.ready.load(Ordering::Acquire) == seen {
                return true;
            }
            self.requests.fetch_sub(1, Ordering::AcqRel);
        }
    }

    fn request(&self) {
        if self.lease() {
            self.process.with(|_| {});
            self.requests.fetch_sub(1, Ordering::AcqRel);
        }
    }

    /// Puts the new backend in the place of the old one, which is stopped if it is found idle.
    fn take_out(&self) {
        self.ready.store(NEW, Ordering::Release);
        fence(Ordering::SeqCst);
        if self.requests.load(Ordering::Acquire) & UNDER_WAY == 0 {
            self.process.with_mut(|_| {});
        }
    }
}

/// Every order of things, or every one with so many switches from one thread to another where it does not run by
/// itself: of two requests, there are too many for a test.
fn explore(protocol: Protocol, requests: usize, switches: Option<usize>) {
    let mut model = loom::model::Builder::new();
    model.preemption_bound = switches;
    model.check(move || {
        let app = Arc::new(App::new(protocol));
        let clients: Vec<_> = (0..requests)
            .map(|_| {
                let app = Arc::clone(&app);
                thread::spawn(move || app.request())
            })
            .collect();
        app.take_out();
        for client in clients {
            client.join().unwrap();
        }
        let left = app.requests.load(Ordering::Acquire) & UNDER_WAY;
        assert_eq!(left, 0, "a request that is over is counted on");
    });
}

#[test]
fn no_process_is_stopped_under_a_request() {
    let protocol = Protocol { looks_again: true };
    explore(protocol, 1, None);
    explore(protocol, 2, Some(3));
}

/// The model would notice: without the second look, a process is stopped between the first one and the lease.
#[test]
#[should_panic(expected = "Causality violation")]
fn without_the_second_look_one_would_be() {
    explore(Protocol { looks_again: false }, 1, None);
}
