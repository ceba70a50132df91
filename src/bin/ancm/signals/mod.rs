//! The wish of the user or of the system that the program stops.

#[cfg(unix)]
mod unix;
#[cfg(windows)]
mod windows;

#[cfg(unix)]
pub(crate) use self::unix::Signals;
#[cfg(windows)]
pub(crate) use self::windows::Signals;
