//! glibc.

#![allow(unsafe_code, reason = "the allocator is asked by a C function")]

/// Returns every page that is free.
pub(super) fn trim() {
    // SAFETY: `malloc_trim` takes no pointer, may be called from any thread at any time, and touches only what is free.
    unsafe {
        libc::malloc_trim(0);
    }
}
