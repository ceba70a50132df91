//! Counts what a part costs, instead of timing it, so that a busy machine changes nothing.
//!
//! Allocations are counted here; instructions by callgrind, under which the bench starts itself once for each case, where
//! valgrind is there.

use std::{
    alloc::{GlobalAlloc, Layout, System},
    env,
    hint::black_box,
    process::{Command, Stdio},
    sync::atomic::{AtomicUsize, Ordering},
};

const TIMES: usize = 1_000;

static ALLOCATIONS: AtomicUsize = AtomicUsize::new(0);

struct Counting;

// SAFETY: it does what the system's allocator does, and counts.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.fetch_add(1, Ordering::Relaxed);
        // SAFETY: as the caller promises.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        // SAFETY: as the caller promises.
        unsafe { System.dealloc(block, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Under this name callgrind finds what it counts.
#[unsafe(no_mangle)]
#[inline(never)]
fn ancm_measured(each: &mut dyn FnMut(), times: usize) {
    for _ in 0..times {
        each();
    }
}

/// The cases of a bench: all, or the one that is named on the command line, which is not taken to valgrind.
pub(crate) struct Cases {
    only: Option<String>,
}

impl Cases {
    pub(crate) fn new() -> Self {
        let only = env::args().nth(1).filter(|name| !name.starts_with('-'));
        let cases = Self { only };
        cases.case("the bench itself", || [0_u64; 16], |input| input);
        cases
    }

    /// Does `run` a thousand times, with what `make` made before. What comes of it is kept, so that its end is not
    /// measured.
    pub(crate) fn case<I, O>(&self, name: &str, make: impl Fn() -> I, mut run: impl FnMut(I) -> O) {
        if self.only.as_deref().is_some_and(|only| only != name) {
            return;
        }
        let inputs: Vec<I> = (0..TIMES).map(|_| make()).collect();
        let (mut inputs, mut outputs) = (inputs.into_iter(), Vec::with_capacity(TIMES));
        let before = ALLOCATIONS.load(Ordering::Relaxed);
        let mut each = || {
            if let Some(input) = inputs.next() {
                outputs.push(black_box(run(black_box(input))));
            }
        };
        ancm_measured(&mut each, TIMES);
        let allocations = ALLOCATIONS.load(Ordering::Relaxed) - before;
        if self.only.is_none() {
            let instructions = instructions(name).map_or("?".to_owned(), |all| {
                format!("{:.0}", all as f64 / TIMES as f64)
            });
            let allocations = allocations as f64 / TIMES as f64;
            println!("{name}: {instructions} instructions, {allocations} allocations");
        }
    }
}

/// What callgrind counts of a case.
fn instructions(name: &str) -> Option<u64> {
    let mut command = Command::new("valgrind");
    command
        .args(["--tool=callgrind", "--callgrind-out-file=/dev/null"])
        .arg("--toggle-collect=ancm_measured")
        .arg(env::current_exe().ok()?)
        .arg(name)
        .stdout(Stdio::null());
    let said = String::from_utf8(command.output().ok()?.stderr).ok()?;
    let count = said.split_once("Collected : ")?.1;
    count.split_whitespace().next()?.parse().ok()
}
