//! Gives memory that is free back to the system.
//!
//! What many connections gave back when they came to rest lies between what they still hold. An allocator keeps such
//! gaps until it is told that nobody needs them soon.

#[cfg(all(target_os = "linux", target_env = "gnu"))]
mod linux;

/// Tells the allocator, if it is one that has to be told. Takes about a millisecond for a thousand gaps.
pub(super) fn give_back() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    linux::trim();
}
