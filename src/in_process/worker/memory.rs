//! What the allocator of a worker keeps for the next request.

/// Has the allocator keep what a request's body needed, until the front [gives back](crate::front) what is free.
///
/// glibc returns the end of its heap to the system as soon as 128 KiB of it are free, and the kernel clears every page
/// that is touched again: of a GET of 1 MiB that was a fifth of the CPU time. Who set the allocator up by its own
/// variables (`mallopt(3)`) is not overruled. To be called before there are other threads.
pub(super) fn keep() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    glibc::keep();
}

#[cfg(all(target_os = "linux", target_env = "gnu"))]
#[allow(unsafe_code, reason = "the allocator is asked by a C function")]
mod glibc {
    use std::ffi::c_int;

    /// So much may be free at the end of a heap, in bytes: of which there are as many as threads that allocate at once.
    const KEPT: c_int = 2 << 20;
    /// What is larger comes from the system each time, in bytes: a body is read and written in pieces of at most 400 KiB.
    const LARGE: c_int = 4 << 20;
    /// Each of them says how the allocator is to be.
    const VARIABLES: [&str; 3] = [
        "GLIBC_TUNABLES",
        "MALLOC_MMAP_THRESHOLD_",
        "MALLOC_TRIM_THRESHOLD_",
    ];

    pub(super) fn keep() {
        if is_set_up(|name| std::env::var_os(name).is_some()) {
            return;
        }
        // SAFETY: `mallopt` takes no pointer; both parameters are known, and no other thread is here yet.
        unsafe {
            libc::mallopt(libc::M_MMAP_THRESHOLD, LARGE);
            libc::mallopt(libc::M_TRIM_THRESHOLD, KEPT);
        }
    }

    fn is_set_up(is_said: impl Fn(&str) -> bool) -> bool {
        VARIABLES.into_iter().any(is_said)
    }

    #[cfg(test)]
    mod tests {
        use super::*;

        #[test]
        fn whoever_set_it_up_is_not_overruled() {
            for name in VARIABLES {
                assert!(is_set_up(|said| said == name), "{name}");
            }
            assert!(!is_set_up(|said| said == "MALLOC_ARENA_MAX"));
        }
    }
}
