//! Which thread it is, and whether it sleeps.

/// A thread, as the system knows it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct ThreadId(Option<i32>);

impl ThreadId {
    /// The calling one's.
    #[cfg(target_os = "linux")]
    pub(super) fn current() -> Self {
        Self(Some(rustix::thread::gettid().as_raw_nonzero().get()))
    }

    /// Whether it waits for something, and not only for its turn on a processor. Where that can't be told, it does.
    #[cfg(target_os = "linux")]
    pub(super) fn sleeps(self) -> bool {
        let Some(id) = self.0 else {
            return true;
        };
        let said = std::fs::read_to_string(format!("/proc/self/task/{id}/stat"));
        said.map_or(true, |said| state(&said) != Some('R'))
    }

    #[cfg(not(target_os = "linux"))]
    pub(super) fn current() -> Self {
        Self(None)
    }

    #[cfg(not(target_os = "linux"))]
    pub(super) fn sleeps(self) -> bool {
        self.0.is_none()
    }
}

/// The third field (proc_pid_stat(5)): the second is a name in brackets, which may hold anything.
#[cfg(target_os = "linux")]
fn state(stat: &str) -> Option<char> {
    let (_, rest) = stat.rsplit_once(") ")?;
    rest.chars().next()
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn the_state_stands_behind_the_name() {
        assert_eq!(state("1 (a) R) S 2 3"), Some('S'));
        assert_eq!(state("1 (ancm-lent) R 2 3"), Some('R'));
        assert_eq!(state("nothing"), None);
    }

    #[test]
    fn who_asks_does_not_sleep() {
        assert!(!ThreadId::current().sleeps());
        assert!(ThreadId::default().sleeps(), "nobody is known to run");
    }
}
