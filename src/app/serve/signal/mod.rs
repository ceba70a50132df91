//! The operating system's wish that this process ends.

#[cfg(unix)]
mod unix;
#[cfg(windows)]
mod windows;

#[cfg(unix)]
pub(super) use self::unix::Signals;
#[cfg(windows)]
pub(super) use self::windows::Signals;
