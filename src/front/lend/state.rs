//! Which thread it is, and what it does.

use std::time::Duration;

/// A thread, as the system knows it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct ThreadId(Option<i32>);

/// What a thread does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Doing {
    /// It waits for something.
    Sleeps,
    /// It computes, or waits for its turn on a processor. So long it had one, since it began.
    Ran(Duration),
}

impl ThreadId {
    /// The calling one's.
    #[cfg(target_os = "linux")]
    pub(super) fn current() -> Self {
        Self(Some(rustix::thread::gettid().as_raw_nonzero().get()))
    }

    /// What it does. Where that can't be told, it sleeps.
    #[cfg(target_os = "linux")]
    pub(super) fn doing(self) -> Doing {
        let Some(id) = self.0 else {
            return Doing::Sleeps;
        };
        let said = |file| std::fs::read_to_string(format!("/proc/self/task/{id}/{file}"));
        match (said("stat"), said("schedstat")) {
            (Ok(stat), Ok(times)) if state(&stat) == Some('R') => Doing::Ran(ran(&times)),
            _ => Doing::Sleeps,
        }
    }

    #[cfg(not(target_os = "linux"))]
    pub(super) fn current() -> Self {
        Self(None)
    }

    #[cfg(not(target_os = "linux"))]
    pub(super) fn doing(self) -> Doing {
        self.0.map_or(Doing::Sleeps, |_| Doing::Ran(Duration::ZERO))
    }
}

/// The third field (proc_pid_stat(5)): the second is a name in brackets, which may hold anything.
#[cfg(target_os = "linux")]
fn state(stat: &str) -> Option<char> {
    let (_, rest) = stat.rsplit_once(") ")?;
    rest.chars().next()
}

/// The first number there: nanoseconds.
#[cfg(target_os = "linux")]
fn ran(schedstat: &str) -> Duration {
    let first = schedstat.split_ascii_whitespace().next();
    Duration::from_nanos(first.and_then(|first| first.parse().ok()).unwrap_or(0))
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn the_state_stands_behind_the_name() {
        assert_eq!(state("1 (a) R) S 2 3"), Some('S'));
        assert_eq!(state("1 (ancm-lent) R 2 3"), Some('R'));
        assert_eq!(state("nothing"), None);
        assert_eq!(ran("1234 5 6"), Duration::from_nanos(1234));
        assert_eq!(ran(""), Duration::ZERO);
    }

    #[test]
    fn who_asks_does_not_sleep() {
        let Doing::Ran(before) = ThreadId::current().doing() else {
            panic!("it runs");
        };
        while ThreadId::current().doing() == Doing::Ran(before) {}
        let nobody = ThreadId::default();
        assert_eq!(nobody.doing(), Doing::Sleeps);
    }
}
