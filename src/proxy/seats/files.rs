//! How many connections to apps the limit of open files has room for.

/// What is open besides connections: a runtime per thread, pipes, watched folders, and looks at who listens.
#[cfg(unix)]
const OTHERS: u64 = 128;

/// The least, however low the limit is.
#[cfg(unix)]
const LEAST: usize = 8;

/// Half of what may be open, as each request may have a client's connection beside the app's.
#[cfg(unix)]
pub(super) fn connections() -> usize {
    let limit = rustix::process::getrlimit(rustix::process::Resource::Nofile).current;
    limit.map_or(usize::MAX, half_of)
}

#[cfg(unix)]
fn half_of(limit: u64) -> usize {
    let room = limit.saturating_sub(OTHERS) / 2;
    usize::try_from(room).unwrap_or(usize::MAX).max(LEAST)
}

/// Nothing limits them.
#[cfg(not(unix))]
pub(super) const fn connections() -> usize {
    usize::MAX
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    #[test]
    fn a_client_and_an_app_have_room_for_each_request() {
        for (limit, want) in [(0, 8), (140, 8), (1024, 448), (65_536, 32_704)] {
            assert_eq!(half_of(limit), want, "{limit}");
        }
    }
}
