//! Where exchanges live: slots that are never freed, told apart by generations.
//!
//! The managed side holds numbers, not pointers. A number leads to a slot that exists for as long as the process, and
//! counts for nothing once the slot's generation is another one. So no call, however late or often repeated, reaches
//! memory that is not there any more.

use std::{
    cell::UnsafeCell,
    ptr,
    sync::{
        Mutex, MutexGuard, OnceLock, PoisonError,
        atomic::{AtomicBool, AtomicPtr, AtomicU32, AtomicU64, Ordering},
    },
};

use super::{abi::RequestId, exchange::State, head::Head, native::Native};

/// The first chunk of slots; each further one is twice as large.
const FIRST: u32 = 64;
/// Enough for 2^26 exchanges at one time.
const CHUNKS: usize = 20;
/// No slot is free.
const NONE: u32 = 0;

static CHUNK: [OnceLock<Box<[Slot]>>; CHUNKS] = [const { OnceLock::new() }; CHUNKS];
/// The free slots: the index of the first plus one (low half) and a count that makes each head another (high half).
static FREE: AtomicU64 = AtomicU64::new(0);
/// How many slots were ever given out.
static USED: AtomicU32 = AtomicU32::new(0);

/// The place of one exchange at a time.
pub(super) struct Slot {
    index: u32,
    next_free: AtomicU32,
    /// As in `state`, to be compared without the lock.
    generation: AtomicU32,
    /// Whose exchange it is, to be called without the lock.
    native: AtomicPtr<Native>,
    /// `on_read_ready` is owed.
    pub(super) wants_read: AtomicBool,
    /// The body comes in short pieces: those that are here are gathered before `on_read_ready`.
    pub(super) gathers: AtomicBool,
    state: Mutex<State>,
    /// Written by who [acquired](acquire) the slot before the managed side hears of it, and emptied before its release;
    /// between the two nobody writes.
    head: UnsafeCell<Head>,
}

// SAFETY: all fields but `head` are `Sync`. `head` is touched only between `acquire` and `on_request`, and in `release`,
// when one thread alone holds the slot; the pointers in it lead into itself and what it owns.
unsafe impl Sync for Slot {}
// SAFETY: as above; nothing in `head` is bound to a thread.
unsafe impl Send for Slot {}

impl Slot {
    fn new(index: u32) -> Self {
        Self {
            index,
            next_free: AtomicU32::new(NONE),
            generation: AtomicU32::new(1),
            native: AtomicPtr::new(ptr::null_mut()),
            wants_read: AtomicBool::new(false),
            gathers: AtomicBool::new(false),
            state: Mutex::new(State::new()),
            head: UnsafeCell::new(Head::new()),
        }
    }

    /// The number of the exchange that is here now.
    pub(super) fn id(&self) -> RequestId {
        u64::from(self.generation.load(Ordering::Acquire)) << 32 | u64::from(self.index)
    }

    /// The state, whatever panicked while it was locked: each change of it is made whole or not at all.
    pub(super) fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whose exchange is here, if it is still the one of `id`.
    pub(super) fn native(&self, id: RequestId) -> Option<&'static Native> {
        // SAFETY: null, or set by `acquire` from a reference for ever.
        let native = unsafe { self.native.load(Ordering::Acquire).as_ref() };
        native.filter(|_| self.id() == id)
    }

    /// Whether `on_read_ready` was owed; it is not any more.
    pub(super) fn took_read(&self) -> bool {
        self.wants_read.load(Ordering::Acquire) && self.wants_read.swap(false, Ordering::AcqRel)
    }

    /// The head's place.
    ///
    /// # Safety
    ///
    /// The caller is the one who acquired the slot, and the managed side has not heard of it yet; or it is releasing it.
    #[allow(
        clippy::mut_from_ref,
        reason = "exclusive by the protocol of the slot, which the caller keeps"
    )]
    pub(super) unsafe fn head(&self) -> &mut Head {
        // SAFETY: the caller holds the slot alone.
        unsafe { &mut *self.head.get() }
    }
}

/// The slot of `id`, whether or not its exchange is still there.
pub(super) fn find(id: RequestId) -> Option<&'static Slot> {
    slot((id & u64::from(u32::MAX)) as u32)
}

/// All slots that were ever in use.
pub(super) fn all() -> impl Iterator<Item = &'static Slot> {
    (0..USED.load(Ordering::Acquire)).filter_map(slot)
}

/// A free slot, which is the caller's now; `None` when there are too many exchanges.
pub(super) fn acquire(native: &'static Native) -> Option<&'static Slot> {
    let slot = pop().or_else(grow)?;
    slot.native
        .store(ptr::from_ref(native).cast_mut(), Ordering::Release);
    Some(slot)
}

/// Gives `slot` back: its number counts for nothing from now on.
///
/// # Safety
///
/// Neither side holds the exchange any more, and nobody else releases it.
pub(super) unsafe fn release(slot: &'static Slot) {
    slot.native.store(ptr::null_mut(), Ordering::Release);
    slot.wants_read.store(false, Ordering::Release);
    slot.gathers.store(false, Ordering::Release);
    let next = slot
        .generation
        .load(Ordering::Relaxed)
        .wrapping_add(1)
        .max(1);
    slot.generation.store(next, Ordering::Release);
    // SAFETY: this is the release.
    unsafe { slot.head() }.clear();
    push(slot);
}

fn slot(index: u32) -> Option<&'static Slot> {
    let (chunk, place) = locate(index);
    CHUNK.get(chunk)?.get()?.get(place)
}

/// The chunk of a slot and its place there.
const fn locate(index: u32) -> (usize, usize) {
    let chunk = (index / FIRST + 1).ilog2();
    let before = FIRST * ((1 << chunk) - 1);
    (chunk as usize, (index - before) as usize)
}

fn grow() -> Option<&'static Slot> {
    let index = USED.fetch_add(1, Ordering::AcqRel);
    let (chunk, place) = locate(index);
    let Some(cell) = CHUNK.get(chunk) else {
        USED.fetch_sub(1, Ordering::AcqRel);
        return None;
    };
    let slots = cell.get_or_init(|| {
        let before = index - place as u32;
        let len = FIRST << chunk;
        (before..before + len).map(Slot::new).collect()
    });
    slots.get(place)
}

fn pop() -> Option<&'static Slot> {
    let mut head = FREE.load(Ordering::Acquire);
    loop {
        let first = slot((head as u32).checked_sub(1)?)?;
        let next = advance(head, first.next_free.load(Ordering::Relaxed));
        match FREE.compare_exchange_weak(head, next, Ordering::AcqRel, Ordering::Acquire) {
            Ok(_) => return Some(first),
            Err(now) => head = now,
        }
    }
}

fn push(slot: &'static Slot) {
    let mut head = FREE.load(Ordering::Acquire);
    loop {
        slot.next_free.store(head as u32, Ordering::Relaxed);
        let next = advance(head, slot.index + 1);
        match FREE.compare_exchange_weak(head, next, Ordering::AcqRel, Ordering::Acquire) {
            Ok(_) => return,
            Err(now) => head = now,
        }
    }
}

/// A head of the free list that points to `first` and never was there before.
const fn advance(head: u64, first: u32) -> u64 {
    ((head >> 32).wrapping_add(1) << 32) | first as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_index_has_one_place() {
        assert_eq!(locate(0), (0, 0));
        assert_eq!(locate(63), (0, 63));
        assert_eq!(locate(64), (1, 0));
        assert_eq!(locate(191), (1, 127));
        assert_eq!(locate(192), (2, 0));
        let mut last = locate(0);
        for index in 1..100_000 {
            let (chunk, place) = locate(index);
            assert!(
                (chunk == last.0 && place == last.1 + 1) || (chunk == last.0 + 1 && place == 0)
            );
            assert!(place < (FIRST as usize) << chunk);
            last = (chunk, place);
        }
    }
}
