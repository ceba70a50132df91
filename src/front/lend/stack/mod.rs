//! The stack on which a thread hears of its own faults.

#[cfg(unix)]
mod unix;

#[cfg(unix)]
pub(crate) use self::unix::give_up;

/// There are no signals.
#[cfg(not(unix))]
pub(crate) fn give_up() {}
